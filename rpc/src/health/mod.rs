//! How the node is, for those who watch it: `/livez`, `/readyz` and `/metrics` over HTTP on a port of their own, and
//! one JSON document for whoever connects to a socket of the machine. Nothing here changes anything.

mod checks;
mod http;
mod metrics;
mod socket;

pub use http::HealthServer;
pub use socket::StatusSocket;
#[cfg(feature = "client")]
pub use socket::{StatusError, read_status};

use crate::wire::StatusDocument;
use std::sync::Arc;

/// Looks how the node is. It may read the disk, so it is called where blocking does no harm.
pub type Look = Arc<dyn Fn() -> StatusDocument + Send + Sync>;
