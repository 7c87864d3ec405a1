//! A server of MongoDB's protocol, reached with the official driver: where an export goes, and where an import comes from.
//!
//! What the driver says passes [`MongoServer::error`], which takes the login out of it and tells what may pass from what stays
//! until somebody has looked.

mod connect;
mod error;
mod login;
mod secret_file;

pub use connect::{Hello, MongoServer};
pub use error::MongoError;
pub use login::MongoUri;
