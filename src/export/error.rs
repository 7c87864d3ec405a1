use lucid_storage::StoreError;
use std::{io, path::PathBuf};

/// Why an export does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The folder has something in it, which is not written over.
    #[error("{} is not empty ({found} is in it), and an export goes into a folder of its own", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// Something in it.
        found: String,
    },
    /// The place cannot be given to the folder of an export.
    #[error("{} cannot become an export: {why}", path.display())]
    Place {
        /// The place.
        path: PathBuf,
        /// Why, and what to do.
        why: &'static str,
    },
    /// The folder in which the export would be made is another's.
    #[error(
        "{}, where an export lies until it is whole, is another user's, or others may write into it, or it is a link: move it \
         elsewhere",
        path.display()
    )]
    NotOwn {
        /// The folder.
        path: PathBuf,
    },
    /// Something that no export has made lies where one was left unfinished, and nothing there is touched.
    #[error(
        "{} was left by an export that did not end, and {found} is in it, which is of no export: move that elsewhere",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// Another process makes an export there.
    #[error("another export to the same folder is under way ({} is in use)", path.display())]
    InUse {
        /// The folder in which it is made.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A document is larger than MongoDB takes.
    #[error("the document {id} of {collection} has {bytes} bytes as BSON, and MongoDB takes at most 16 MiB")]
    TooLarge {
        /// The collection.
        collection: &'static str,
        /// Its `_id`.
        id: String,
        /// Its bytes.
        bytes: usize,
    },
    /// A document cannot be written.
    #[error("the document {id} of {collection} cannot be written: {what}")]
    Document {
        /// The collection.
        collection: &'static str,
        /// Its `_id`.
        id: String,
        /// What is wrong.
        what: String,
    },
    /// The server is not reached, or does not do what is asked of it.
    #[cfg(feature = "mongo")]
    #[error(transparent)]
    Server(#[from] super::mongo::MongoError),
    /// A row is not what its collection has.
    #[error(transparent)]
    Store(#[from] StoreError),
}
