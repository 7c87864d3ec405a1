//! Where exported collections go: files that `mongorestore` reads, lines of JSON, or a live server.
//!
//! Every document is written as the collection's fields say, so that a time is a date and an amount loses no digit. A
//! folder appears whole or not at all. Where rows come from is the caller's affair: it hands them in, page after page.

mod database;
mod document;
mod error;
mod folder;
pub mod import;
mod metadata;
#[cfg(feature = "mongo")]
pub mod mongo;
mod unfinished;

pub use database::{DatabaseNameError, check_database_name};
pub use error::ExportError;
pub use folder::{CollectionWriter, FolderExport, Format};
