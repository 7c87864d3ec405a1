//! The one file: making it, opening it, committing to it.

use crate::{
    backend::AsideBackend,
    batch::Batch,
    compact_running::Noted,
    disk::{Access, Disk},
    engine::{Engine, io_error, open_backend},
    error::StoreError,
    meta::{self, FORMAT_VERSION, Meta},
    range::{Pending, PendingTables, Puts},
    snapshot::Snapshot,
    tables::TableId,
    write::write_table,
};
use redb::{Database, Durability};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// Memory that the database may use for pages, unless told otherwise: half of it takes the pages that a commit
/// changes. A full block changes 12 to 14 MiB of them, and those that do not fit are written twice; more would leave a
/// small machine too little for the rest. (The engine's own default is 1 GiB.)
pub const DEFAULT_CACHE_BYTES: usize = 26 << 20;

/// Bytes of the file from which commits note the pages in use, unless told otherwise. A slow card reads some 1500 pages a
/// second out of order, so a walk over less than this takes it under 3 s, and a small store has one sync for each commit.
/// docs/storage.md has what both cost.
pub const QUICK_REPAIR_FROM_BYTES: u64 = 16 << 20;

/// Tables with our names by which a file is taken for a store of ours whose `meta` is damaged. With the first block a store
/// has five times as many; another program may have an `accounts` or a `meta` too.
const TABLES_OF_OURS: usize = 4;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for pages of the file.
    pub cache_bytes: usize,
    /// Bytes of the file from which each commit notes the pages that are in use, so that an opening after a crash need
    /// not read all of the file.
    pub quick_repair_from_bytes: u64,
    /// Bytes of the file beyond which no commit writes anything; `None` where the disk alone bounds it. What opening a
    /// file writes is not bounded, so that it can be read whatever its size.
    pub max_file_bytes: Option<u64>,
    /// Where the file lies.
    pub disk: Disk,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: DEFAULT_CACHE_BYTES,
            quick_repair_from_bytes: QUICK_REPAIR_FROM_BYTES,
            max_file_bytes: None,
            disk: Disk::default(),
        }
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
    /// Keys that are written while the store is copied.
    noted: Mutex<Option<Noted>>,
    /// Nothing is taken any more.
    is_closed: AtomicBool,
}

impl Store {
    /// Makes a store at `path`, where there must be nothing. The file appears there whole or not at all.
    pub fn create(path: impl AsRef<Path>, meta: &Meta, options: &Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let (unfinished, mut engine) = begin(path, options)?;
        write_meta(engine.database(), meta)?;
        options.disk.finish(&unfinished, path)?;
        engine.moved_to(path);
        Ok(Self::assemble(path, engine, meta.clone(), 0))
    }

    /// A look at the store in the file at `path`, of this format or an older one, which stays as it is: what opening it repairs after a crash is repaired
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
        look(path.as_ref(), options, Access::Read, check_pages)
    }

    /// Opens the store at `path`. After a crash this repairs the file first. A file below
    /// [`Options::quick_repair_from_bytes`] is read whole for that; in a larger one the last commit says what is in use.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let store = Self::open_any(path.as_ref(), options)?;
        match store.meta().format_version {
            FORMAT_VERSION => Ok(store),
            found => Err(StoreError::OlderFormat { found, known: FORMAT_VERSION }),
        }
    }

    /// As [`Store::open`], of a store of an older format too.
    pub(crate) fn open_any(path: &Path, options: &Options) -> Result<Self, StoreError> {
        let engine = Engine::open(path, options.disk.open(path, Access::Write)?, options)?;
        let (meta, snapshot) = read_store(path, engine.database())?;
        // A compaction that was cut short: whoever is at work on one has the lock that is now held here.
        options.disk.remove_unfinished(path);
        Ok(Self::assemble(path, engine, meta, snapshot.sequence()?))
    }

    fn assemble(path: &Path, engine: Engine, meta: Meta, sequence: u64) -> Self {
        let (engine, sequence) = (RwLock::new(engine), Mutex::new(sequence));
        let (commits, noted, is_closed) = (AtomicU64::new(0), Mutex::default(), AtomicBool::new(false));
        let inner = Inner { engine, path: path.to_owned(), meta, sequence, commits, noted, is_closed };
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
    /// Where the disk has no room the error is [`StoreError::Io`] of the kind `StorageFull`, and of the kind `QuotaExceeded`
    /// where it is [`Options::max_file_bytes`] that leaves none: nothing of the batch was written, new snapshots read as before,
    /// and it can be tried again. Snapshots from before the failure may fail from then on.
    pub fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        // A commit that panicked has not set the sequence, so what a poisoned lock guards is whole.
        let mut current = self.hold_commits();
        if batch.began() != *current {
            return Err(StoreError::StaleBatch { began: batch.began(), current: *current });
        }
        if batch.is_empty() {
            return Ok(Committed { sequence: *current });
        }
        if self.inner.is_closed.load(Relaxed) {
            let source =
                io::Error::other("its name could not be made durable, so it takes nothing until it is opened again");
            return Err(io_error(&self.inner.path, source));
        }
        let sequence = batch.sequence();
        let pending = batch.into_pending()?;
        if let Some(noted) = &mut *self.noted() {
            noted.take_in(&pending);
        }
        let written = write_batch(&self.engine(), pending, sequence);
        if let Err(error) = written {
            let mut engine = self.inner.engine.write().unwrap_or_else(PoisonError::into_inner);
            let at_bound = engine.is_at_bound();
            engine.after_failure(error)?;
            if Snapshot::new(engine.database())?.sequence()? != sequence {
                let (kind, what) = match at_bound {
                    true => (io::ErrorKind::QuotaExceeded, "the file may not grow any more"),
                    false => (io::ErrorKind::StorageFull, "the disk has no room left"),
                };
                // What was written before is no matter of this error.
                let source = io::Error::new(kind, format!("{what}; this batch was not written"));
                return Err(io_error(&self.inner.path, source));
            }
        }
        *current = sequence;
        self.inner.commits.fetch_add(1, Relaxed);
        Ok(Committed { sequence })
    }

    /// What a poisoned lock guards is an engine that works or one that refuses everything: never half of one.
    pub(crate) fn engine(&self) -> RwLockReadGuard<'_, Engine> {
        self.inner.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For as long as this is held nobody commits. It is the sequence of the last batch.
    pub(crate) fn hold_commits(&self) -> MutexGuard<'_, u64> {
        self.inner.sequence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a copy that is made has the keys noted that are written; nothing where none is made.
    pub(crate) fn noted(&self) -> MutexGuard<'_, Option<Noted>> {
        self.inner.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on in another file, which has taken the place of the one so far and holds the same.
    pub(crate) fn replace_engine(&self, mut engine: Engine) {
        engine.moved_to(&self.inner.path);
        let mut current = self.inner.engine.write().unwrap_or_else(PoisonError::into_inner);
        engine.count_on_from(current.counters());
        *current = engine;
    }

    /// Takes nothing any more: what would be answered as done might be lost.
    pub(crate) fn close_for_good(&self) {
        self.inner.is_closed.store(true, Relaxed);
    }

    /// What the store did since it was opened.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        Ok(Stats {
            commits: self.inner.commits.load(Relaxed),
            bytes_written: self.engine().counters().bytes_written.load(Relaxed),
            syncs: self.engine().counters().syncs.load(Relaxed),
            file_bytes: self.engine().counters().file_bytes.load(Relaxed),
        })
    }
}

/// As [`Store::inspect`]. Who has access for writing is alone with the file.
pub(crate) fn look(
    path: &Path,
    options: &Options,
    access: Access,
    check_pages: bool,
) -> Result<(Meta, Snapshot), StoreError> {
    let file = options.disk.open(path, access)?;
    let again = file.try_clone().map_err(|source| io_error(path, source))?;
    let aside = AsideBackend::new(file.into_backend()?, access == Access::Read);
    let aside = aside.map_err(|source| io_error(path, source))?;
    let database = open_backend(path, aside, options, check_pages)?.into();
    again.check_name(path)?;
    read_store(path, &database)
}

/// Writes a batch in one transaction, with the sequence that the store has after it.
fn write_batch(engine: &Engine, pending: PendingTables, sequence: u64) -> Result<(), StoreError> {
    let mut transaction = engine.database().begin_write().map_err(StoreError::engine)?;
    transaction.set_durability(Durability::Immediate).map_err(StoreError::engine)?;
    transaction.set_quick_repair(engine.notes_pages());
    let puts = pending.puts();
    for (table, pending) in pending.into_changed() {
        write_table(&transaction, table, pending, puts)?;
    }
    write_table(&transaction, TableId::Meta, entry(meta::SEQUENCE, &sequence.to_be_bytes()), puts)?;
    transaction.commit().map_err(StoreError::engine)
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
    write_table(&transaction, TableId::Meta, entries, Puts::Any)?;
    transaction.commit().map_err(StoreError::engine)
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
    begin_checked(path, options, || options.disk.refuse_existing(path))
}

/// As [`begin`], where `check` says whether it may be done.
fn begin_checked(
    path: &Path,
    options: &Options,
    check: impl Fn() -> Result<(), StoreError>,
) -> Result<(PathBuf, Engine), StoreError> {
    let (unfinished, file) = options.disk.make_beside(path, check)?;
    let engine = Engine::open(&unfinished, file, options)?;
    Ok((unfinished, engine))
}

/// As [`begin`], for who wants no more than the database.
pub(crate) fn begin_file(path: &Path, options: &Options) -> Result<(PathBuf, Arc<Database>), StoreError> {
    begin(path, options).map(|(unfinished, engine)| (unfinished, Arc::clone(engine.database())))
}

/// As [`begin_file`], where the file at `path` is going to be replaced by who holds its lock.
pub(crate) fn begin_another(path: &Path, options: &Options) -> Result<(PathBuf, Arc<Database>), StoreError> {
    begin_checked(path, options, || Ok(())).map(|(unfinished, engine)| (unfinished, Arc::clone(engine.database())))
}

#[cfg(test)]
mod tests;
