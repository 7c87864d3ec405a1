//! A store without what it no longer uses: everything that it holds is written into a new file beside it, read back, and
//! put in its place. Until that moment the store is as it was, whatever happens.
//!
//! The engine can also make a file smaller in place. docs/storage.md says why that is not what is done.

use crate::{
    backup::{ReportProgress, Walk},
    disk::Access,
    error::StoreError,
    store::{self, Options, Store},
};
use std::{path::Path, sync::Arc};

/// A store whose file was written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Sequence of the last batch in it.
    pub sequence: u64,
    /// Entries of all tables.
    pub entries: u64,
    /// Bytes of the file before.
    pub bytes_before: u64,
    /// Bytes of the file now.
    pub bytes_after: u64,
}

impl Store {
    /// Writes the store at `path` anew, as small as it can be. Nobody else may have it open, and nobody else can open it
    /// meanwhile. Every page is held against its checksum first; where one is damaged nothing is done.
    ///
    /// The disk needs room for a second file. Killed at any moment, or without power, it leaves the store as it was or as
    /// it is to be; what was not finished beside it is removed when the store is opened.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Damaged`], [`StoreError::Io`] where there is no room, what `progress` gives.
    pub fn compact(
        path: impl AsRef<Path>,
        options: &Options,
        progress: &mut ReportProgress<'_>,
    ) -> Result<Compacted, StoreError> {
        let path = path.as_ref();
        let bytes_before = options.disk.len(path)?;
        let (_, snapshot) = store::look(path, options, Access::Write, true)?;
        let mut walk = Walk { progress, done: 0, total: 2 * snapshot.entries()? };
        let (unfinished, database) = store::begin_another(path, options)?;
        let filled = snapshot.fill_and_compare(&database, path, &mut walk).and_then(|(_, entries)| {
            // Closed before it has the name, so that it opens as one that was closed in order.
            if let Some(database) = Arc::into_inner(database) {
                database.close().map_err(StoreError::engine)?;
            }
            Ok(entries)
        });
        let entries = filled.inspect_err(|_| options.disk.remove_unfinished(path))?;
        let bytes_after = options.disk.finish(&unfinished, path)?;
        Ok(Compacted { sequence: snapshot.sequence()?, entries, bytes_before, bytes_after })
    }
}
