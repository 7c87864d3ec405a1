//! The one file: making it, opening it, committing to it.

use crate::{
    backend::AsideBackend,
    batch::Batch,
    checksum,
    engine::{Engine, io_error, open_backend},
    error::StoreError,
    meta::{self, FORMAT_VERSION, Meta},
    range::Pending,
    snapshot::{Snapshot, definition},
    tables::TableId,
};
use redb::{Database, Durability, WriteTransaction};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Memory that the database may use for pages, unless told otherwise: half of it takes the pages that a commit
/// changes. A full block changes 12 to 14 MiB of them, and those that do not fit are written twice; more would leave a
/// small machine too little for the rest. (The engine's own default is 1 GiB.)
pub const DEFAULT_CACHE_BYTES: usize = 26 << 20;

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    engine: RwLock<Engine>,
    path: PathBuf,
    meta: Meta,
    /// Sequence of the last batch. Held for the length of a commit.
    sequence: Mutex<u64>,
    commits: AtomicU64,
}

impl Store {
    /// Makes a store at `path`, where there must be nothing. The file appears there whole or not at all.
    pub fn create(path: impl AsRef<Path>, meta: &Meta, options: &Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let (unfinished, mut engine) = begin(path, options)?;
        write_meta(engine.database(), meta)?;
        finish_file(&unfinished, path)?;
        engine.moved_to(path);
        Ok(Self::assemble(path, engine, meta.clone(), 0))
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
        read_store(path, &open_backend(path, file, options, check_pages)?.into())
    }

    /// Opens the store at `path`. After a crash this repairs the file first, which reads all of it.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let file = open_file(path, OpenOptions::new().read(true).write(true))?;
        let engine = Engine::open(path, file, options)?;
        let (meta, snapshot) = read_store(path, engine.database())?;
        Ok(Self::assemble(path, engine, meta, snapshot.sequence()?))
    }

    fn assemble(path: &Path, engine: Engine, meta: Meta, sequence: u64) -> Self {
        let (engine, sequence) = (RwLock::new(engine), Mutex::new(sequence));
        let inner = Inner { engine, path: path.to_owned(), meta, sequence, commits: AtomicU64::new(0) };
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
        Snapshot::new(self.engine().database())
    }

    /// An open batch over the store as it is now. It blocks nobody.
    pub fn begin(&self) -> Result<Batch, StoreError> {
        Batch::new(self.snapshot()?)
    }

    /// Puts the batch on disk: when this returns it survives a power cut. An empty batch writes nothing.
    ///
    /// Refused with [`StoreError::StaleBatch`] when another batch was committed since this one began.
    ///
    /// Where the disk has no room the error is [`StoreError::Io`] of the kind `StorageFull`: nothing was written, new
    /// snapshots read as before, and it can be tried again. Snapshots from before the failure may fail from then on.
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
        let written = write_batch(self.engine().database(), batch, sequence);
        if let Err(error) = written {
            let mut engine = self.inner.engine.write().unwrap_or_else(PoisonError::into_inner);
            engine.after_failure(error)?;
            if Snapshot::new(engine.database())?.sequence()? != sequence {
                let source =
                    io::Error::new(io::ErrorKind::StorageFull, "the disk has no room left; nothing was written");
                return Err(io_error(&self.inner.path, source));
            }
        }
        *current = sequence;
        self.inner.commits.fetch_add(1, Relaxed);
        Ok(Committed { sequence })
    }

    /// What a poisoned lock guards is an engine that works or one that refuses everything: never half of one.
    fn engine(&self) -> RwLockReadGuard<'_, Engine> {
        self.inner.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store did since it was opened.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let file = fs::metadata(&self.inner.path).map_err(|source| io_error(&self.inner.path, source))?;
        Ok(Stats {
            commits: self.inner.commits.load(Relaxed),
            bytes_written: self.engine().counters().bytes_written.load(Relaxed),
            syncs: self.engine().counters().syncs.load(Relaxed),
            file_bytes: file.len(),
        })
    }
}

/// Writes a batch in one transaction, with the sequence that the store has after it.
fn write_batch(database: &Database, batch: Batch, sequence: u64) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(StoreError::engine)?;
    transaction.set_durability(Durability::Immediate).map_err(StoreError::engine)?;
    for (table, pending) in batch.into_pending()?.into_changed() {
        write_table(&transaction, table, pending)?;
    }
    write_table(&transaction, TableId::Meta, entry(meta::SEQUENCE, &sequence.to_be_bytes()))?;
    transaction.commit().map_err(StoreError::engine)
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
    // Before it is opened: a pipe would keep its reader waiting.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(StoreError::NotAStore(path.to_owned()));
    }
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
fn read_store(path: &Path, database: &Arc<Database>) -> Result<(Meta, Snapshot), StoreError> {
    let snapshot = Snapshot::new(database)?;
    if snapshot.own_tables()? < TABLES_OF_OURS && !meta::is_ours(&snapshot)? {
        return Err(StoreError::ForeignFile(path.to_owned()));
    }
    let meta = meta::read(&snapshot)?;
    snapshot.check_names()?;
    Ok((meta, snapshot))
}

/// An empty database beside `path`, where there must be nothing.
fn begin(path: &Path, options: &Options) -> Result<(PathBuf, Engine), StoreError> {
    refuse_existing(path)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let engine = Engine::open(&unfinished, lock_unfinished(&unfinished, path)?, options)?;
    Ok((unfinished, engine))
}

/// As [`begin`], for who wants no more than the database.
pub(crate) fn begin_file(path: &Path, options: &Options) -> Result<(PathBuf, Arc<Database>), StoreError> {
    begin(path, options).map(|(unfinished, engine)| (unfinished, Arc::clone(engine.database())))
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

/// Makes the file's name as durable as its contents.
fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| io_error(folder, source))
}

#[cfg(test)]
mod tests;
