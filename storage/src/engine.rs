//! The open database over its file. A write for which the disk has no room makes it useless for reads too, because the
//! engine cannot tell that error from a disk that fails; so it is opened again, as it was before that write.

use crate::{
    backend::{FileState, IoCounters, StoreBackend},
    disk::DiskFile,
    error::StoreError,
    store::Options,
};
use redb::{Database, DatabaseError, StorageBackend, StorageError};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// An open database. The locks on the file are held until every snapshot of it is gone.
pub(crate) struct Engine {
    path: PathBuf,
    options: Options,
    file: DiskFile,
    counters: Arc<IoCounters>,
    database: Arc<Database>,
    /// That of the backend below the database.
    state: Arc<FileState>,
}

impl Engine {
    /// Opens the database in `file`, or makes one where it is empty.
    pub(crate) fn open(path: &Path, file: DiskFile, options: &Options) -> Result<Self, StoreError> {
        let (counters, state) = (Arc::<IoCounters>::default(), Arc::<FileState>::default());
        let again = file.try_clone().map_err(|source| io_error(path, source))?;
        let backend = StoreBackend::new(file.into_backend()?, true, counters.clone(), state.clone());
        let database = open_backend(path, backend, options, false)?.into();
        state.bound(options.max_file_bytes);
        // Only now that it is locked.
        again.check_name(path)?;
        let (path, options) = (path.to_owned(), options.clone());
        Ok(Self { path, options, file: again, counters, database, state })
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    pub(crate) fn counters(&self) -> &IoCounters {
        &self.counters
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Closes the database in order, and gives what it has counted. Nobody may read from it any longer.
    pub(crate) fn close(self) -> Result<Arc<IoCounters>, StoreError> {
        Arc::into_inner(self.database).map_or(Ok(()), |database| database.close().map_err(StoreError::engine))?;
        Ok(self.counters)
    }

    /// Goes on counting where another opening ends, in whose place this one comes.
    pub(crate) fn count_on_from(&self, before: &IoCounters) {
        for (count, before) in
            [(&self.counters.bytes_written, &before.bytes_written), (&self.counters.syncs, &before.syncs)]
        {
            count.fetch_add(before.load(Relaxed), Relaxed);
        }
    }

    /// Whether a commit notes which pages are in use: then an opening after a crash reads that in place of the whole file.
    /// A small file is read in no time, and needs no second sync for every commit.
    pub(crate) fn notes_pages(&self) -> bool {
        self.counters.file_bytes.load(Relaxed) >= self.options.quick_repair_from_bytes
    }

    /// Whether a write was refused because the file would have become larger than it may.
    pub(crate) fn is_at_bound(&self) -> bool {
        self.state.is_at_bound()
    }

    /// The file was given another name.
    pub(crate) fn moved_to(&mut self, path: &Path) {
        self.path = path.to_owned();
    }

    /// What a failed commit comes to. Where the disk had no room and nothing else was wrong, the database is opened again.
    /// That is as after a crash: a small file is read whole, and what is written goes over what is there, for which there is
    /// room. Whether the batch is in it has to be looked up, as room may have been missing for what follows a commit.
    pub(crate) fn after_failure(&mut self, error: StoreError) -> Result<(), StoreError> {
        if self.state.has_no_room() { self.reopen() } else { Err(error) }
    }

    /// Puts another opening of the same open file in place of the present one, which writes no more. The locks are the
    /// file's, so nobody comes in between.
    fn reopen(&mut self) -> Result<(), StoreError> {
        self.state.retire();
        let file = self.file.try_clone().map_err(|source| io_error(&self.path, source))?;
        let state = Arc::<FileState>::default();
        let backend = StoreBackend::new(file.into_backend()?, false, self.counters.clone(), state.clone());
        self.database = open_backend(&self.path, backend, &self.options, false)?.into();
        state.bound(self.options.max_file_bytes);
        self.state = state;
        Ok(())
    }
}

/// Opens the database over `backend`. `check_pages` holds every page against its checksum first.
pub(crate) fn open_backend(
    path: &Path,
    backend: impl StorageBackend,
    options: &Options,
    check_pages: bool,
) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache_bytes).set_check_integrity_on_open(check_pages);
    match builder.create_with_backend(backend) {
        Ok(database) => Ok(database),
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::Locked(path.to_owned())),
        Err(DatabaseError::Storage(StorageError::Io(error))) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::NotAStore(path.to_owned()))
        }
        Err(DatabaseError::Storage(StorageError::Corrupted(what))) => {
            Err(StoreError::Damaged { path: path.to_owned(), what })
        }
        Err(DatabaseError::Storage(StorageError::Io(error))) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(StoreError::Damaged { path: path.to_owned(), what: "its end is missing".to_owned() })
        }
        // No store of ours ever had an older one.
        Err(error @ DatabaseError::UpgradeRequired(_)) => {
            Err(StoreError::Damaged { path: path.to_owned(), what: error.to_string() })
        }
        Err(error) => Err(StoreError::engine(error)),
    }
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}
