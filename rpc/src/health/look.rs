use crate::wire::StatusDocument;
use std::sync::Arc;

/// Looks how the node is. It may read the disk, so it is called where blocking does no harm.
pub type Look = Arc<dyn Fn() -> StatusDocument + Send + Sync>;
