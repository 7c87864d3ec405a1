//! A store that is written anew while it is written to. The copy is made of one moment; what others write meanwhile is noted
//! by its keys and caught up with, again and again, until little is left. Only for that little, and for the moment in which
//! the new file takes the name of the old one, writers wait. Whoever reads goes on where it began.

use crate::{
    backup::{ReportProgress, Walk},
    compact::Compacted,
    disk::Access,
    engine::Engine,
    error::StoreError,
    meta,
    range::{PendingTables, Puts},
    reader::Reader,
    snapshot::Snapshot,
    store::{Options, Store},
    tables::TableId,
    write::write_table,
};
use redb::Durability;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{MutexGuard, atomic::Ordering::Relaxed},
};

/// Memory for pages of the copy while it is made: the store has its own beside it.
const COPY_CACHE_BYTES: usize = 8 << 20;

/// Bytes of keys that are noted while a part of the copy is made: those of a few hundred thousand rows.
const MAX_NOTED_BYTES: usize = if cfg!(test) { 1 << 20 } else { 16 << 20 };

/// Keys that are left for the time in which writers wait: those of a block or two.
const LAST_KEYS: usize = if cfg!(test) { 20 } else { 1_000 };

/// How often is caught up before writers wait, so that it ends where they write faster than that.
const MAX_ROUNDS: usize = 16;

/// Bytes that one transaction takes in which is caught up.
const STEP_BYTES: usize = 4 << 20;

/// Keys that were written since a copy was begun.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    keys: BTreeSet<(TableId, Vec<u8>)>,
    bytes: usize,
}

impl Noted {
    /// Takes in what a batch is going to write. Where it is too much, nothing more is kept, and who asks hears of it.
    pub(crate) fn take_in(&mut self, pending: &PendingTables) {
        for (table, key) in pending.keys() {
            if self.bytes <= MAX_NOTED_BYTES && self.keys.insert((table, key.to_vec())) {
                self.bytes += key.len() + size_of::<(TableId, Vec<u8>)>();
            }
        }
    }
}

/// A store whose copy is made and is nearly what the store is by now. Dropped, it leaves the store as it was.
pub struct RunningCompaction {
    store: Store,
    path: PathBuf,
    unfinished: PathBuf,
    options: Options,
    /// That of the new file.
    engine: Option<Engine>,
    bytes_before: u64,
}

impl Drop for RunningCompaction {
    fn drop(&mut self) {
        *self.store.noted() = None;
        if self.engine.take().is_some() {
            self.options.disk.remove_unfinished(&self.path);
        }
    }
}

impl Store {
    /// Copies the store into a new file beside it while others write, and catches up with them.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where one is at work already, [`StoreError::TooBusy`], [`StoreError::Io`] and
    /// [`StoreError::Engine`] where there is no room, [`StoreError::BadCopy`], damage, what `progress` gives.
    pub fn begin_compaction(&self, progress: &mut ReportProgress<'_>) -> Result<RunningCompaction, StoreError> {
        let snapshot = {
            // A batch that is on its way is neither noted nor in a snapshot.
            let _quiet = self.hold_commits();
            let mut noted = self.noted();
            if noted.is_some() {
                return Err(StoreError::Locked(self.path().to_owned()));
            }
            let snapshot = self.snapshot()?;
            *noted = Some(Noted::default());
            snapshot
        };
        let options = self.engine().options().clone();
        let mut copy = RunningCompaction {
            store: self.clone(),
            path: self.path().to_owned(),
            unfinished: PathBuf::new(),
            options,
            engine: None,
            bytes_before: self.engine().counters().file_bytes.load(Relaxed),
        };
        copy.fill(snapshot, progress)?;
        for _ in 0..MAX_ROUNDS {
            let (noted, snapshot) = copy.take_noted(&self.hold_commits())?;
            let is_little = noted.keys.len() <= LAST_KEYS;
            copy.catch_up(noted, &snapshot)?;
            if is_little {
                break;
            }
        }
        Ok(copy)
    }
}

impl RunningCompaction {
    fn fill(&mut self, snapshot: Snapshot, progress: &mut ReportProgress<'_>) -> Result<(), StoreError> {
        let disk = &self.options.disk;
        let mut walk = Walk { progress, done: 0, total: 2 * snapshot.entries()? };
        // What a kill left there takes room that may be missing.
        disk.remove_unfinished(&self.path);
        let (unfinished, file) = disk.make_beside(&self.path, || Ok(()))?;
        self.unfinished = unfinished;
        let cache_bytes = COPY_CACHE_BYTES.min(self.options.cache_bytes);
        // A copy that is no smaller is given up, so what the store may have is no bound of it.
        let small = Options { cache_bytes, max_file_bytes: None, ..self.options.clone() };
        let filled = Engine::open(&self.unfinished, file, &small).and_then(|engine| {
            snapshot.fill_and_compare(engine.database(), &self.path, &mut walk)?;
            engine.close()
        });
        let reopened = filled.and_then(|counted| {
            let file = disk.open(&self.unfinished, Access::Write)?;
            let engine = Engine::open(&self.unfinished, file, &self.options)?;
            engine.count_on_from(&counted);
            Ok(engine)
        });
        self.engine = Some(reopened.inspect_err(|_| disk.remove_unfinished(&self.path))?);
        Ok(())
    }

    fn engine(&self) -> Result<&Engine, StoreError> {
        self.engine.as_ref().ok_or(StoreError::Stopped)
    }

    /// What was noted since this was asked last, and the store with all of it. What follows is noted for the next time.
    fn take_noted(&self, _quiet: &MutexGuard<'_, u64>) -> Result<(Noted, Snapshot), StoreError> {
        let noted = self.store.noted().replace(Noted::default()).unwrap_or_default();
        if noted.bytes > MAX_NOTED_BYTES { Err(StoreError::TooBusy) } else { Ok((noted, self.store.snapshot()?)) }
    }

    /// Writes into the copy what the store has under keys that were noted, and reads it back.
    fn catch_up(&self, noted: Noted, snapshot: &Snapshot) -> Result<(), StoreError> {
        let mut keys = noted.keys.into_iter().peekable();
        while keys.peek().is_some() {
            let (mut step, mut bytes) = (PendingTables::default(), 0);
            while let Some((table, key)) = keys.next_if(|_| bytes < STEP_BYTES) {
                let value = snapshot.raw_get(table, &key)?;
                bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                step.insert(table, key, value);
            }
            self.write(step)?;
        }
        Ok(())
    }

    fn write(&self, step: PendingTables) -> Result<(), StoreError> {
        let engine = self.engine()?;
        let written: Vec<_> = step.keys().map(|(table, key)| (table, key.to_vec())).collect();
        let mut transaction = engine.database().begin_write().map_err(StoreError::engine)?;
        transaction.set_durability(Durability::Immediate).map_err(StoreError::engine)?;
        transaction.set_quick_repair(engine.notes_pages());
        for (table, pending) in step.clone().into_changed() {
            // What was noted may have been copied already.
            write_table(&transaction, table, pending, Puts::Any)?;
        }
        transaction.commit().map_err(StoreError::engine)?;
        let copy = Snapshot::new(engine.database())?;
        for (table, key) in written {
            let wanted = step.get(table).and_then(|pending| pending.get(&key)).and_then(Option::as_ref);
            if copy.raw_get(table, &key)?.as_ref() != wanted {
                return Err(StoreError::BadCopy(self.unfinished.clone()));
            }
        }
        Ok(())
    }

    /// Catches up with the rest and puts the new file in the place of the old one, while nobody writes. Snapshots of before
    /// read on from the old file, whose room is free once the last of them is gone.
    ///
    /// # Errors
    /// As [`Store::begin_compaction`]; the store then goes on in its old file. Where only the new name could not be made
    /// durable, the store takes nothing from then on: it has to be opened again.
    pub fn finish(mut self) -> Result<Compacted, StoreError> {
        let store = self.store.clone();
        let sequence = store.hold_commits();
        let (mut noted, snapshot) = self.take_noted(&sequence)?;
        noted.keys.insert((TableId::Meta, meta::SEQUENCE.as_bytes().to_vec()));
        self.catch_up(noted, &snapshot)?;
        let copy_bytes = self.engine()?.counters().file_bytes.load(Relaxed);
        if copy_bytes >= self.bytes_before {
            let (bytes_before, entries) = (self.bytes_before, snapshot.entries()?);
            return Ok(Compacted { sequence: *sequence, entries, bytes_before, bytes_after: bytes_before });
        }
        let copy = Snapshot::new(self.engine()?.database())?;
        for table in TableId::ALL {
            if copy.len(table)? != snapshot.len(table)? {
                return Err(StoreError::BadCopy(self.unfinished.clone()));
            }
        }
        let entries = copy.entries()?;
        let bytes_after = self.options.disk.rename(&self.unfinished, &self.path)?;
        if let Some(engine) = self.engine.take() {
            store.replace_engine(engine);
        }
        if let Err(error) = self.options.disk.sync_folder_of(&self.path) {
            // After a power cut the name may lead to the old file, so nothing more may be answered as done.
            store.close_for_good();
            return Err(error);
        }
        Ok(Compacted { sequence: *sequence, entries, bytes_before: self.bytes_before, bytes_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Direction, Meta, SharedCommits, backup::Progress, samples::hash};
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        path::Path,
        sync::atomic::{AtomicBool, AtomicU64},
        thread,
    };

    fn write(store: &Store, change: impl FnOnce(&mut Batch)) {
        let mut batch = store.begin().unwrap();
        change(&mut batch);
        store.commit(batch).unwrap();
    }

    /// A store of which most was removed again.
    fn store_with_holes() -> (tempfile::TempDir, PathBuf, Store) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.redb");
        let store = Store::create(&path, &Meta::new(vec![], hash(1)), &Options::default()).unwrap();
        for removed in [false, true] {
            write(&store, |batch| {
                for n in 0..6_000u16 {
                    match removed {
                        false => batch.raw_put(TableId::Code, n.to_be_bytes(), vec![n as u8; 700]),
                        true if n % 8 > 0 => batch.raw_remove(TableId::Code, n.to_be_bytes()),
                        true => {}
                    }
                }
            });
        }
        (folder, path, store)
    }

    fn digest(snapshot: &Snapshot) -> [u8; 32] {
        snapshot.contents_digest().unwrap()
    }

    /// One more value under one of some keys, and now and then one less.
    fn change(batch: &mut Batch, n: u64) {
        let key = (n * 7 % 500).to_be_bytes();
        match n % 5 {
            0 => batch.raw_remove(TableId::StorageSlots, key),
            _ => batch.raw_put(TableId::StorageSlots, key, n.to_be_bytes()),
        }
        batch.raw_remove(TableId::Code, ((n * 8 % 6_000) as u16).to_be_bytes());
    }

    fn has_nothing_beside(folder: &Path) -> bool {
        fs::read_dir(folder).unwrap().count() == 1
    }

    #[test]
    fn a_store_that_is_written_to_is_compacted_with_all_that_was_written() {
        let (folder, path, store) = store_with_holes();
        let old = store.snapshot().unwrap();
        let (old_digest, first) = (digest(&old), store.stats().unwrap());
        let commits = SharedCommits::new(store.clone()).unwrap();
        let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
        let compacted = thread::scope(|scope| {
            for place in 0..3u64 {
                let (commits, stop, written) = (&commits, &stop, &written);
                scope.spawn(move || {
                    for n in 0.. {
                        if stop.load(Relaxed) {
                            return;
                        }
                        let key = [place.to_be_bytes(), u64::to_be_bytes(n)].concat();
                        commits
                            .write(|batch| {
                                batch.raw_put(TableId::UndoLog, key, [9; 30]);
                                change(batch, n);
                                Ok::<_, StoreError>(())
                            })
                            .unwrap();
                        written.fetch_add(1, Relaxed);
                    }
                });
            }
            let copy = store.begin_compaction(&mut |_| {
                while written.load(Relaxed) < 5 {
                    thread::yield_now();
                }
                Ok(())
            });
            let copy = copy.unwrap();
            let compacted = commits.hold(|_| copy.finish()).unwrap();
            let so_far = written.load(Relaxed);
            while written.load(Relaxed) < so_far + 20 {
                thread::yield_now();
            }
            stop.store(true, Relaxed);
            compacted
        });
        assert!(compacted.bytes_after * 3 < compacted.bytes_before, "{compacted:?}");
        let answered = written.load(Relaxed);
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.len(TableId::UndoLog).unwrap(), answered);
        assert_eq!(digest(&commits.snapshot()), digest(&snapshot));
        assert!(digest(&old) == old_digest, "a snapshot of before reads on");
        let stats = store.stats().unwrap();
        let counts_on = stats.bytes_written > first.bytes_written && stats.syncs > first.syncs;
        assert!(counts_on && stats.commits > first.commits, "{first:?}, {stats:?}");
        let file = fs::metadata(&path).unwrap();
        assert_eq!((file.len(), file.permissions().mode() & 0o777), (stats.file_bytes, 0o600));
        assert!(has_nothing_beside(folder.path()));
        assert!(matches!(Store::open(&path, &Options::default()), Err(StoreError::Locked(_))), "it is held");
        let after = digest(&snapshot);
        drop((commits, snapshot, old, store));
        let store = Store::open(&path, &Options::default()).unwrap();
        assert!(digest(&store.snapshot().unwrap()) == after);
        assert_eq!(
            store.snapshot().unwrap().raw_prefix(TableId::UndoLog, &[], Direction::Forward).unwrap().count() as u64,
            answered
        );
    }

    /// What comes between each two steps of the copy is in it: a batch on its way is not overlooked.
    #[test]
    fn what_is_written_between_any_two_steps_is_in_the_copy() {
        let (_folder, path, store) = store_with_holes();
        let mut n = 0;
        let more = &mut |_: Progress| {
            for _ in 0..10 {
                n += 1;
                write(&store, |batch| change(batch, n));
            }
            Ok(())
        };
        let copy = store.begin_compaction(more).unwrap();
        for n in 1_000..1_030 {
            write(&store, |batch| change(batch, n));
        }
        let before = digest(&store.snapshot().unwrap());
        let sequence = store.snapshot().unwrap().sequence().unwrap();
        assert!(sequence > 40);
        assert_eq!(copy.finish().unwrap().sequence, sequence);
        assert!(digest(&store.snapshot().unwrap()) == before);
        write(&store, |batch| change(batch, 1));
        let after = digest(&store.snapshot().unwrap());
        drop(store);
        let store = Store::open(&path, &Options::default()).unwrap();
        assert!(digest(&store.snapshot().unwrap()) == after);
        assert_eq!(store.snapshot().unwrap().sequence().unwrap(), sequence + 1);
    }

    #[test]
    fn a_copy_that_is_not_finished_leaves_the_store_and_nothing_beside_it() {
        let (folder, _path, store) = store_with_holes();
        let stopped = store.begin_compaction(&mut |_| Err(StoreError::Stopped)).map(drop);
        assert!(matches!(stopped, Err(StoreError::Stopped)), "{stopped:?}");
        assert!(has_nothing_beside(folder.path()));
        let copy = store.begin_compaction(&mut |_| Ok(())).unwrap();
        let second = store.begin_compaction(&mut |_| Ok(())).map(drop);
        assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
        drop(copy);
        assert!(has_nothing_beside(folder.path()));
        let busy = store.begin_compaction(&mut |_| {
            write(&store, |batch| {
                for n in 0..40_000u32 {
                    batch.raw_put(TableId::StorageSlots, n.to_be_bytes(), [1]);
                }
            });
            Ok(())
        });
        let busy = busy.map(drop);
        assert!(matches!(busy, Err(StoreError::TooBusy)), "{busy:?}");
        assert!(has_nothing_beside(folder.path()));
        let before = digest(&store.snapshot().unwrap());
        store.begin_compaction(&mut |_| Ok(())).unwrap().finish().unwrap();
        assert!(digest(&store.snapshot().unwrap()) == before);
    }
}
