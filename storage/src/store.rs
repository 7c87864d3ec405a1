//! The one file: making it, opening it, committing to it.

use crate::{
    backend::{AsideBackend, CountingBackend, IoCounters},
    batch::Batch,
    checksum,
    error::StoreError,
    meta::{self, FORMAT_VERSION, Meta},
    range::Pending,
    snapshot::{Snapshot, definition},
    tables::TableId,
};
use redb::{
    Database, DatabaseError, Durability, StorageBackend, StorageError, WriteTransaction, backends::FileBackend,
};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Memory that the database may use for pages, unless told otherwise: half of it takes the pages that a commit
/// changes. A full block changes 12 to 14 MiB of them, and those that do not fit are written twice; more would leave a
/// small machine too little for the rest. (The engine's own default is 1 GiB.)
pub const DEFAULT_CACHE_BYTES: usize = 28 << 20;

/// Mode of a store that is made: local paths and payouts are nobody else's business.
const FILE_MODE: u32 = 0o600;

/// Tables with our names by which a file is taken for a store of ours whose `meta` is damaged. With the first block a store
/// has five times as many; another program may have an `accounts` or a `meta` too.
const TABLES_OF_OURS: usize = 4;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for pages of the file.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: DEFAULT_CACHE_BYTES }
    }
}

/// A batch is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Sequence of the store now.
    pub sequence: u64,
}

/// What a store did since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Batches committed.
    pub commits: u64,
    /// Bytes written to the file.
    pub bytes_written: u64,
    /// Times that the file was synced.
    pub syncs: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
}

/// A store: one file, open in one process. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Database>,
    path: PathBuf,
    meta: Meta,
    /// Sequence of the last batch. Held for the length of a commit.
    sequence: Mutex<u64>,
    commits: AtomicU64,
    io: Arc<IoCounters>,
}

impl Store {
    /// Makes a store at `path`, where there must be nothing. The file appears there whole or not at all.
    pub fn create(path: impl AsRef<Path>, meta: &Meta, options: &Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let (unfinished, database, io) = begin(path, options)?;
        write_meta(&database, meta)?;
        finish_file(&unfinished, path)?;
        Ok(Self::assemble(path, database.into(), meta.clone(), 0, io))
    }

    /// A look at the store in the file at `path`, which stays as it is: what opening it repairs after a crash is repaired
    /// in memory alone, and the file may be one that cannot be written. Nobody else can open it meanwhile.
    ///
    /// `check_pages` reads all of the file first and holds every page against its checksum: then what is read later is
    /// what was written once, and a page that is not is [`StoreError::Damaged`]. Without it the engine takes a page for
    /// what it looks like, and may panic over a damaged one.
    pub fn inspect(
        path: impl AsRef<Path>,
        options: &Options,
        check_pages: bool,
    ) -> Result<(Meta, Snapshot), StoreError> {
        let path = path.as_ref();
        let file = AsideBackend::new(open_file(path, OpenOptions::new().read(true))?);
        let file = file.map_err(|source| io_error(path, source))?;
        let (meta, snapshot, _) = read_store(path, open_backend(path, file, options, check_pages)?)?;
        Ok((meta, snapshot))
    }

    /// Opens the store at `path`. After a crash this repairs the file first, which reads all of it.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let file = open_file(path, OpenOptions::new().read(true).write(true))?;
        let (database, io) = open_database(path, file, options)?;
        let (meta, snapshot, database) = read_store(path, database)?;
        Ok(Self::assemble(path, database, meta, snapshot.sequence()?, io))
    }

    fn assemble(path: &Path, database: Arc<Database>, meta: Meta, sequence: u64, io: Arc<IoCounters>) -> Self {
        let sequence = Mutex::new(sequence);
        let inner = Inner { database, path: path.to_owned(), meta, sequence, commits: AtomicU64::new(0), io };
        Self { inner: Arc::new(inner) }
    }

    /// Which store this is.
    pub fn meta(&self) -> &Meta {
        &self.inner.meta
    }

    /// Where its file is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The store as it is now.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Snapshot::new(&self.inner.database)
    }

    /// An open batch over the store as it is now. It blocks nobody.
    pub fn begin(&self) -> Result<Batch, StoreError> {
        Batch::new(self.snapshot()?)
    }

    /// Puts the batch on disk: when this returns it survives a power cut. An empty batch writes nothing.
    ///
    /// Refused with [`StoreError::StaleBatch`] when another batch was committed since this one began.
    pub fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        // A commit that panicked has not set the sequence, so what a poisoned lock guards is whole.
        let mut current = self.inner.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.began() != *current {
            return Err(StoreError::StaleBatch { began: batch.began(), current: *current });
        }
        if batch.is_empty() {
            return Ok(Committed { sequence: *current });
        }
        let sequence = batch.sequence();
        let mut transaction = self.inner.database.begin_write().map_err(StoreError::engine)?;
        transaction.set_durability(Durability::Immediate).map_err(StoreError::engine)?;
        for (table, pending) in batch.into_pending().into_changed() {
            write_table(&transaction, table, pending)?;
        }
        write_table(&transaction, TableId::Meta, entry(meta::SEQUENCE, &sequence.to_be_bytes()))?;
        transaction.commit().map_err(StoreError::engine)?;
        *current = sequence;
        self.inner.commits.fetch_add(1, Relaxed);
        Ok(Committed { sequence })
    }

    /// What the store did since it was opened.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let file = fs::metadata(&self.inner.path).map_err(|source| io_error(&self.inner.path, source))?;
        Ok(Stats {
            commits: self.inner.commits.load(Relaxed),
            bytes_written: self.inner.io.bytes_written.load(Relaxed),
            syncs: self.inner.io.syncs.load(Relaxed),
            file_bytes: file.len(),
        })
    }
}

/// Applies changes in key order, so that neighbours go into the same pages one after the other. Each is let go of as
/// soon as it is written, while it is in the processor's cache.
fn write_table(transaction: &WriteTransaction, table: TableId, pending: Pending) -> Result<(), StoreError> {
    let mut rows = transaction.open_table(definition(table)).map_err(StoreError::engine)?;
    let mut closed = Vec::new();
    // The engine's cursor for ascending runs was tried: no clear gain in CPU, and a file half as large again.
    for (key, value) in pending {
        match value {
            Some(value) => {
                checksum::close_into(&mut closed, table, &key, &value);
                rows.insert(key.as_slice(), closed.as_slice()).map_err(StoreError::engine)?
            }
            None => rows.remove(key.as_slice()).map_err(StoreError::engine)?,
        };
    }
    Ok(())
}

fn entry(name: &str, value: &[u8]) -> Pending {
    Pending::from([(name.as_bytes().to_vec(), Some(value.to_vec()))])
}

fn write_meta(database: &Database, meta: &Meta) -> Result<(), StoreError> {
    debug_assert!(meta.format_version <= FORMAT_VERSION);
    let mut entries = entry(meta::FORMAT, &meta.format_version.to_be_bytes());
    entries.append(&mut entry(meta::CHAIN_SPEC, &meta.chain_spec));
    entries.append(&mut entry(meta::GENESIS_HASH, meta.genesis_hash.as_slice()));
    entries.append(&mut entry(meta::SEQUENCE, &0u64.to_be_bytes()));
    let transaction = database.begin_write().map_err(StoreError::engine)?;
    write_table(&transaction, TableId::Meta, entries)?;
    transaction.commit().map_err(StoreError::engine)
}

/// Opens a file that is there and not empty: the engine would make a database of an empty one.
fn open_file(path: &Path, how: &OpenOptions) -> Result<File, StoreError> {
    let file = how.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::Missing(path.to_owned()),
        _ => io_error(path, source),
    })?;
    let metadata = file.metadata().map_err(|source| io_error(path, source))?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(StoreError::NotAStore(path.to_owned()));
    }
    Ok(file)
}

/// What the store in a database says of itself.
fn read_store(path: &Path, database: Database) -> Result<(Meta, Snapshot, Arc<Database>), StoreError> {
    let database = Arc::new(database);
    let snapshot = Snapshot::new(&database)?;
    if snapshot.own_tables()? < TABLES_OF_OURS && !meta::is_ours(&snapshot)? {
        return Err(StoreError::ForeignFile(path.to_owned()));
    }
    let meta = meta::read(&snapshot)?;
    snapshot.check_names()?;
    Ok((meta, snapshot, database))
}

/// An empty database beside `path`, where there must be nothing.
fn begin(path: &Path, options: &Options) -> Result<(PathBuf, Database, Arc<IoCounters>), StoreError> {
    refuse_existing(path)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let (database, io) = open_database(&unfinished, lock_unfinished(&unfinished, path)?, options)?;
    Ok((unfinished, database, io))
}

/// As [`begin`], for who does not count what is written.
pub(crate) fn begin_file(path: &Path, options: &Options) -> Result<(PathBuf, Database), StoreError> {
    begin(path, options).map(|(unfinished, database, _)| (unfinished, database))
}

/// Gives the finished file its name, durably, and returns its length.
pub(crate) fn finish_file(unfinished: &Path, path: &Path) -> Result<u64, StoreError> {
    let bytes = fs::metadata(unfinished).and_then(|file| fs::rename(unfinished, path).map(|()| file.len()));
    let bytes = bytes.map_err(|source| io_error(path, source))?;
    sync_folder_of(path)?;
    Ok(bytes)
}

fn refuse_existing(path: &Path) -> Result<(), StoreError> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(StoreError::AlreadyExists(path.to_owned())),
        Err(source) => Err(io_error(path, source)),
    }
}

/// An empty file at `unfinished` that no other process makes a store of at this time.
fn lock_unfinished(unfinished: &Path, path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(unfinished);
    let file = file.map_err(|source| io_error(unfinished, source))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::Locked(unfinished.to_owned()),
        TryLockError::Error(source) => io_error(unfinished, source),
    })?;
    // Only now: the file that was just opened may itself have been finished and renamed meanwhile.
    refuse_existing(path)?;
    // One that a crash left may have another mode.
    let emptied = file.set_len(0).and_then(|()| file.set_permissions(fs::Permissions::from_mode(FILE_MODE)));
    emptied.map_err(|source| io_error(unfinished, source))?;
    Ok(file)
}

fn open_database(path: &Path, file: File, options: &Options) -> Result<(Database, Arc<IoCounters>), StoreError> {
    let counters = Arc::new(IoCounters::default());
    let file = FileBackend::new(file).map_err(StoreError::engine)?;
    let backend = CountingBackend { file, counters: counters.clone() };
    Ok((open_backend(path, backend, options, false)?, counters))
}

fn open_backend(
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
        Err(error) => Err(StoreError::engine(error)),
    }
}

/// Makes the file's name as durable as its contents.
fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| io_error(folder, source))
}

fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
