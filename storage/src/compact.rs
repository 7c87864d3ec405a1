//! A store without what it no longer uses: everything that it holds is written into a new file beside it, read back, and
//! put in its place. Until that moment the store is as it was, whatever happens.
//!
//! The engine can also make a file smaller in place. docs/storage.md says why that is not what is done.

use crate::{
    backup::{ReportProgress, Walk},
    disk::Access,
    error::StoreError,
    snapshot::Snapshot,
    store::{self, Options},
    tables::TableId,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A store that is going to be written anew. Nobody else can open it while this is there; it is as it was until
/// [`Compaction::run`] has ended.
pub struct Compaction {
    path: PathBuf,
    options: Options,
    snapshot: Snapshot,
    bytes_before: u64,
}

impl Snapshot {
    /// Bytes of the pages that are in use, which is about what a compacted file takes. Walks all of them.
    pub fn bytes_in_use(&self) -> Result<u64, StoreError> {
        TableId::ALL.into_iter().try_fold(0u64, |sum, table| {
            let table = self.table_bytes(table)?;
            Ok(sum.saturating_add(table.stored).saturating_add(table.overhead))
        })
    }
}

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

impl Compaction {
    /// Takes the store at `path`, and holds every page of it against its checksum: damage is not copied.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where somebody has it open, [`StoreError::Damaged`], what [`Store::open`](crate::Store::open)
    /// refuses.
    pub fn begin(path: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let (path, options) = (path.as_ref().to_owned(), options.clone());
        let (_, snapshot) = store::look(&path, &options, Access::Write, true)?;
        let bytes_before = options.disk.len(&path)?;
        Ok(Self { path, options, snapshot, bytes_before })
    }

    /// Bytes of the file. The new one has no more.
    pub fn file_bytes(&self) -> u64 {
        self.bytes_before
    }

    /// As [`Snapshot::bytes_in_use`].
    pub fn bytes_in_use(&self) -> Result<u64, StoreError> {
        self.snapshot.bytes_in_use()
    }

    /// Writes the store anew. Killed at any moment, or without power, this leaves the store as it was or as it is to be;
    /// what was not finished beside it is removed when the store is opened the next time.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Engine`] where there is no room, [`StoreError::BadCopy`], what `progress` gives.
    pub fn run(self, progress: &mut ReportProgress<'_>) -> Result<Compacted, StoreError> {
        let Self { path, options, snapshot, bytes_before } = self;
        let mut walk = Walk { progress, done: 0, total: 2 * snapshot.entries()? };
        // What a kill left there takes room that may be missing.
        options.disk.remove_unfinished(&path);
        let (unfinished, database) = store::begin_another(&path, &options)?;
        let filled = snapshot.fill_and_compare(&database, &path, &mut walk).and_then(|(_, entries)| {
            // Closed before it has the name, so that it opens as one that was closed in order.
            Arc::into_inner(database).map_or(Ok(()), |database| database.close().map_err(StoreError::engine))?;
            Ok(entries)
        });
        let entries = filled.inspect_err(|_| options.disk.remove_unfinished(&path))?;
        let sequence = snapshot.sequence()?;
        if options.disk.len(&unfinished)? >= bytes_before {
            options.disk.remove_unfinished(&path);
            return Ok(Compacted { sequence, entries, bytes_before, bytes_after: bytes_before });
        }
        let bytes_after = options.disk.finish(&unfinished, &path)?;
        Ok(Compacted { sequence, entries, bytes_before, bytes_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Meta, Store, samples::hash};
    use std::{
        fs,
        os::unix::fs::{FileExt, PermissionsExt},
    };

    fn write(store: &Store, change: impl Fn(&mut Batch, [u8; 2])) {
        let mut batch = store.begin().unwrap();
        for n in 0..2_000u16 {
            change(&mut batch, n.to_be_bytes());
        }
        store.commit(batch).unwrap();
    }

    /// A closed store of which most was removed again.
    fn store_with_holes() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.redb");
        let store = Store::create(&path, &Meta::new(vec![], hash(1)), &Options::default()).unwrap();
        write(&store, |batch, key| batch.raw_put(TableId::Code, key, vec![key[1]; 1_000]));
        write(&store, |batch, key| {
            if key[1] % 10 > 0 {
                batch.raw_remove(TableId::Code, key);
            }
        });
        (folder, path)
    }

    fn compact(path: &Path) -> Result<Compacted, StoreError> {
        Compaction::begin(path, &Options::default())?.run(&mut |_| Ok(()))
    }

    fn digest(path: &Path) -> [u8; 32] {
        Store::inspect(path, &Options::default(), true).unwrap().1.contents_digest().unwrap()
    }

    #[test]
    fn a_compacted_store_holds_the_same_in_less() {
        let (folder, path) = store_with_holes();
        let before = digest(&path);
        let compaction = Compaction::begin(&path, &Options::default()).unwrap();
        let in_use = compaction.bytes_in_use().unwrap();
        let mut last = None;
        let compacted = compaction.run(&mut |progress| {
            last = Some(progress);
            Ok(())
        });
        let compacted = compacted.unwrap();
        assert!(
            last.is_some_and(|progress| progress.done == progress.total && progress.total == 2 * compacted.entries)
        );
        assert_eq!(compacted.sequence, 2);
        let file = fs::metadata(&path).unwrap();
        assert_eq!((file.len(), file.permissions().mode() & 0o777), (compacted.bytes_after, 0o600));
        assert!(compacted.bytes_after * 4 < compacted.bytes_before, "{compacted:?}");
        assert!(compacted.bytes_after < in_use + (512 << 10), "{in_use} were reckoned with: {compacted:?}");
        assert_eq!(digest(&path), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let store = Store::open(&path, &Options::default()).unwrap();
        write(&store, |batch, key| batch.raw_put(TableId::Code, key, key));
        assert_eq!(store.snapshot().unwrap().sequence().unwrap(), 3);
    }

    #[test]
    fn a_store_that_somebody_has_open_is_not_compacted_and_one_that_is_compacted_is_not_opened() {
        let (_folder, path) = store_with_holes();
        let look = Store::inspect(&path, &Options::default(), false).unwrap();
        assert!(matches!(compact(&path), Err(StoreError::Locked(_))));
        drop(look);
        let store = Store::open(&path, &Options::default()).unwrap();
        assert!(matches!(compact(&path), Err(StoreError::Locked(_))));
        drop(store);
        let compaction = Compaction::begin(&path, &Options::default()).unwrap();
        let refused = compaction.run(&mut |_| {
            assert!(matches!(Store::open(&path, &Options::default()), Err(StoreError::Locked(_))));
            assert!(matches!(Store::inspect(&path, &Options::default(), false), Err(StoreError::Locked(_))));
            assert!(matches!(compact(&path), Err(StoreError::Locked(_))));
            Ok(())
        });
        refused.unwrap();
        Store::open(&path, &Options::default()).unwrap();
    }

    /// Somebody opened the old file just before another one took its place, and gets its lock just after.
    #[test]
    fn nobody_writes_to_a_file_whose_place_was_taken() {
        let (_folder, path) = store_with_holes();
        let options = Options::default();
        let writer = options.disk.open(&path, Access::Write).unwrap();
        let reader = options.disk.open(&path, Access::Read).unwrap();
        compact(&path).unwrap();
        for file in [writer, reader] {
            let refused = file.check_name(&path);
            assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
        }
        let old = options.disk.open(&path, Access::Write).unwrap();
        // Once more there is nothing to gain, so another one takes its place.
        let another = path.with_extension("another");
        fs::copy(&path, &another).unwrap();
        fs::rename(&another, &path).unwrap();
        let refused = crate::engine::Engine::open(&path, old, &options).map(drop);
        assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
    }

    #[test]
    fn a_compaction_that_does_not_end_leaves_the_store_and_nothing_beside_it() {
        let (folder, path) = store_with_holes();
        let before = fs::read(&path).unwrap();
        let alone = || fs::read_dir(folder.path()).unwrap().count() == 1;
        let stopped = Compaction::begin(&path, &Options::default()).unwrap().run(&mut |_| Err(StoreError::Stopped));
        assert!(matches!(stopped, Err(StoreError::Stopped)), "{stopped:?}");
        assert!(fs::read(&path).unwrap() == before && alone());
        // As a kill leaves it.
        let unfinished = folder.path().join("node.redb.new");
        fs::write(&unfinished, vec![7; 10_000]).unwrap();
        drop(Store::open(&path, &Options::default()).unwrap());
        assert!(alone());
        fs::write(&unfinished, vec![7; 10_000]).unwrap();
        compact(&path).unwrap();
        assert!(alone());
    }

    #[test]
    fn damage_is_not_compacted_away() {
        let (folder, path) = store_with_holes();
        let whole = fs::read(&path).unwrap();
        let row = whole.windows(900).rposition(|bytes| bytes == [10; 900]).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[9], row as u64 + 450).unwrap();
        let damaged = fs::read(&path).unwrap();
        let refused = compact(&path);
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
        assert!(fs::read(&path).unwrap() == damaged);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = compact(&folder.path().join("nothing"));
        assert!(matches!(missing, Err(StoreError::Missing(_))), "{missing:?}");
    }
}
