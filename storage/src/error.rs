//! What can go wrong in the store, a variant for each case that a caller or an operator treats differently.

use crate::{codec::RecordError, import::MAX_SOURCES, key::KeyError, tables::TableId};
use alloy_primitives::hex;
use std::{io, path::PathBuf};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no file to open.
    #[error("there is no store at {}", .0.display())]
    Missing(PathBuf),
    /// A store is not made over an existing file.
    #[error("{} exists already", .0.display())]
    AlreadyExists(PathBuf),
    /// Another process has the file open.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The file is no redb database at all.
    #[error("{} is not a store", .0.display())]
    NotAStore(PathBuf),
    /// The file is a redb database that somebody else made.
    #[error("{} is a database of another program", .0.display())]
    ForeignFile(PathBuf),
    /// A later version of this program wrote the file.
    #[error(
        "the store has format {found}, and this program knows formats up to {known}: a later version wrote it, and reads it"
    )]
    NewerFormat {
        /// Format of the file.
        found: u32,
        /// Newest format that this program reads.
        known: u32,
    },
    /// An earlier version of this program wrote the file.
    #[error(
        "the store has format {found}, and this program goes on with format {known}: `lucid-node db migrate` makes it that"
    )]
    OlderFormat {
        /// Format of the file.
        found: u32,
        /// The one that this program writes.
        known: u32,
    },
    /// The batch began before another one was committed, so what it read may no longer hold.
    #[error("the batch began at sequence {began}, and the store stands at {current}")]
    StaleBatch {
        /// Sequence that the batch began from.
        began: u64,
        /// Sequence of the store.
        current: u64,
    },
    /// A stored value is not a record that this program can read, or a record does not fit a value.
    #[error("a record of {collection}: {source}")]
    Record {
        /// Collection of the record.
        collection: &'static str,
        /// What is wrong with it.
        source: RecordError,
    },
    /// A stored key does not decode.
    #[error("a key of {table}: {source}")]
    Key {
        /// Table of the key.
        table: &'static str,
        /// What is wrong with it.
        source: KeyError,
    },
    /// An index leads to a row that is not there.
    #[error("an entry of {index} leads to no row")]
    DanglingEntry {
        /// Table of the index.
        index: &'static str,
    },
    /// A copy of the store was read back and is not what was copied.
    #[error("the copy at {} is not what was copied: the disk does not keep what is written to it", .0.display())]
    BadCopy(PathBuf),
    /// A row is not what was written under its key, or not where it was written.
    #[error("a row of {table} is damaged, key {key}: {what}")]
    DamagedRow {
        /// Its table.
        table: &'static str,
        /// Its key, or the one that was looked for beside it, in hex.
        key: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The engine met pages that do not hold together.
    #[error("the database is damaged: {0}")]
    DamagedPages(String),
    /// A required entry of the `meta` table is absent or malformed.
    #[error("the store's entry `{0}` is absent or malformed")]
    Meta(&'static str),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Pages of the file are not what was written to them.
    #[error("{} is damaged ({what}); nothing repairs it: use a backup that is whole", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the engine found.
        what: String,
    },
    /// While the store was copied more was written than could be caught up with.
    #[error("more is written than a copy can catch up with; try again at a quieter time")]
    TooBusy,
    /// Whoever watched a long walk over the store ended it.
    #[error("stopped before the end")]
    Stopped,
    /// Rows of one more source were to be imported.
    #[error(
        "the store has imported rows of {MAX_SOURCES} sources, and takes no more until one is removed (lucid-node db sources remove)"
    )]
    TooManySources,
    /// The database engine failed: a full disk, a failed read or write.
    #[error("the database failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// What the engine says. Where it cannot mean anything but damage, that is said: our tables have one type, and what it
    /// is told to read lies in the file.
    pub(crate) fn engine(error: impl Into<redb::Error>) -> Self {
        use redb::Error::{
            Corrupted, Io, TableDoesNotExist, TableExists, TableIsMultimap, TableIsNotMultimap, TableTypeMismatch,
            TypeDefinitionChanged,
        };
        match error.into() {
            Corrupted(what) => Self::DamagedPages(what),
            Io(error) if leads_nowhere(&error) => Self::DamagedPages(format!("a page number leads nowhere ({error})")),
            error @ (TableTypeMismatch { .. }
            | TypeDefinitionChanged { .. }
            | TableIsMultimap(_)
            | TableIsNotMultimap(_)
            | TableExists(_)
            | TableDoesNotExist(_)) => Self::DamagedPages(error.to_string()),
            error => Self::Engine(Box::new(error)),
        }
    }

    pub(crate) fn damaged_row(table: TableId, key: &[u8], what: &'static str) -> Self {
        Self::DamagedRow { table: table.name(), key: hex::encode(key), what }
    }

    /// The same failure, for another writer whose changes were in the same commit.
    pub(crate) fn shared(&self) -> Self {
        match self {
            Self::Io { path, source } => {
                Self::Io { path: path.clone(), source: io::Error::new(source.kind(), source.to_string()) }
            }
            Self::DamagedPages(what) => Self::DamagedPages(what.clone()),
            error => Self::Engine(error.to_string().into()),
        }
    }

    /// Whether what is stored is not what was written: trying again is no use, and nothing of it is to be relied on.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::DamagedRow { .. }
                | Self::DamagedPages(_)
                | Self::Record { .. }
                | Self::Key { .. }
                | Self::DanglingEntry { .. }
                | Self::Meta(_)
                | Self::NotAStore(_)
        )
    }
}

/// Whether a read was of bytes that the file does not have.
pub(crate) fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
}
