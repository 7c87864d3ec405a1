//! What other databases hold, as rows of ours: the files that `mongodump` writes, and each document by its fields.
//!
//! A document is taken whole or refused with a reason; nothing is made up that it does not say. Which fields are read, and
//! how, docs/import.md says. Where the rows go is the caller's affair.

mod bson_file;
mod chunk;
mod document;
mod dump;
mod error;
mod fields;
#[cfg(feature = "mongo")]
mod live;
mod payout;
mod session;
mod task_proof;
#[cfg(test)]
mod tests;
mod time;
mod value;

pub use bson_file::BsonFile;
pub use document::{ImportedDocument, NotTaken, read_document};
pub use dump::{Dump, DumpFile, collection_of};
pub use error::ImportError;
#[cfg(feature = "mongo")]
pub use live::{LiveDatabase, LiveDocuments};
