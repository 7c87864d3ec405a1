//! A server of MongoDB's protocol, reached with the official driver: where an export goes, and where an import comes from.
//!
//! What the driver says passes [`MongoServer::error`], which takes the login out of it and tells what may pass from what stays
//! until somebody has looked.

mod adopt;
mod connect;
mod error;
mod login;
mod marker;
#[cfg(test)]
mod responder;
mod secret_file;
mod sharding;
mod target;

pub use adopt::Adoption;
pub use connect::{Hello, MongoServer};
pub use error::{Cause, MongoError};
pub use login::MongoUri;
pub use marker::Marker;
pub use sharding::Sharding;
pub use target::{MAX_BATCH_DOCUMENTS, MongoTarget};
