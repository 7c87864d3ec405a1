//! How the node is, for those who watch it: `/livez`, `/readyz` and `/metrics` over HTTP on a port of their own, and
//! one JSON document for whoever connects to a socket of the machine. Nothing here changes anything.

mod accept;
mod checks;
mod http;
mod look;
mod metrics;
mod socket;

pub use http::HealthServer;
pub use look::Look;
pub use socket::StatusSocket;
#[cfg(feature = "client")]
pub use socket::{StatusError, read_status};
