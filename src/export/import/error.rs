use std::{io, path::PathBuf};

/// Why a database is not read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder without a file that could be imported.
    #[error(
        "{} has no sessions.bson, chunks.bson, task_proofs.bson or payouts.bson, nor a folder in it{}",
        path.display(),
        if *compressed { "; what is compressed (.gz) has to be unpacked first" } else { "" }
    )]
    NoDump {
        /// The folder.
        path: PathBuf,
        /// Whether there are files that were compressed.
        compressed: bool,
    },
    /// A folder with several databases.
    #[error("{} has the databases {}: name one of them with --database", path.display(), found.join(", "))]
    ManyDatabases {
        /// The folder.
        path: PathBuf,
        /// Their names.
        found: Vec<String>,
    },
    /// A folder without the database that was named.
    #[error("{} has no database {name}", path.display())]
    NoDatabase {
        /// The folder.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A folder with files that are compressed.
    #[error("{} is compressed, and has to be unpacked first", path.display())]
    Compressed {
        /// One of them.
        path: PathBuf,
    },
    /// Two files of one collection, under its name now and its name then.
    #[error("{} has two files of {collection}; move one of them elsewhere", path.display())]
    Twice {
        /// The folder.
        path: PathBuf,
        /// The collection.
        collection: &'static str,
    },
    /// A file whose documents do not follow one another.
    #[error("{} is damaged at byte {offset}: {what}; what stands before it was read", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the document begins that cannot be read.
        offset: u64,
        /// What is wrong.
        what: String,
    },
}
