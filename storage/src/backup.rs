//! A copy of a store as it was at one moment, made while the store goes on, and compared with it before it is called one.

use crate::{
    checksum,
    error::StoreError,
    layers::fill_layers,
    range::Direction,
    reader::Reader,
    snapshot::{Snapshot, definition},
    store::{self, Options},
    tables::TableId,
};
use redb::{Database, Durability};
use std::{ops::Bound, path::Path, sync::Arc};

/// Bytes that one transaction of the copy takes: about what the cache for changed pages holds.
pub(crate) const STEP_BYTES: usize = 4 << 20;

/// A finished copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Sequence of the last batch in it.
    pub sequence: u64,
    /// Entries of all tables.
    pub entries: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// BLAKE3 over every table's name and entries in key order: stores with the same contents have the same.
    pub digest: [u8; 32],
}

/// How far a long walk over a store has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries that were visited.
    pub done: u64,
    /// Entries that there are to visit.
    pub total: u64,
}

/// Who is told how far a walk has come. An error ends the walk with that error, such as [`StoreError::Stopped`].
pub type ReportProgress<'a> = dyn FnMut(Progress) -> Result<(), StoreError> + 'a;

/// Entries between two reports of progress.
pub(crate) const PROGRESS_STEP_ENTRIES: u64 = 4096;

impl Snapshot {
    /// Copies all tables into a new store at `path`, where there must be nothing, and reads the copy back. The file
    /// appears there whole and on disk, or not at all. Memory stays within `options` however large the store is.
    pub fn copy_to(
        &self,
        path: impl AsRef<Path>,
        options: &Options,
        progress: &mut ReportProgress<'_>,
    ) -> Result<Copied, StoreError> {
        let path = path.as_ref();
        // Each entry is visited twice: when it is copied and when it is compared.
        let mut walk = Walk { progress, done: 0, total: 2 * self.entries()? };
        let (unfinished, database) = store::begin_file(path, options)?;
        // Nobody else can have made it, and half a copy takes room that may be what was missing.
        let filled = self.fill_and_compare(&database, path, &mut walk);
        let (digest, entries) = filled.inspect_err(|_| options.disk.remove_unfinished(path))?;
        let file_bytes = options.disk.finish(&unfinished, path)?;
        Ok(Copied { sequence: self.sequence()?, entries, file_bytes, digest })
    }

    /// Fills an empty database and reads it back; gives the digest and the number of entries.
    pub(crate) fn fill_and_compare(
        &self,
        database: &Arc<Database>,
        path: &Path,
        walk: &mut Walk<'_>,
    ) -> Result<([u8; 32], u64), StoreError> {
        let digest = self.fill(database, walk)?;
        let copy = Snapshot::new(database)?;
        if copy.digest(walk)? != digest || copy.sequence()? != self.sequence()? {
            return Err(StoreError::BadCopy(path.to_owned()));
        }
        Ok((digest, copy.entries()?))
    }

    /// Entries of all tables.
    pub fn entries(&self) -> Result<u64, StoreError> {
        TableId::ALL.into_iter().try_fold(0, |sum, table| Ok(sum + self.len(table)?))
    }

    fn fill(&self, database: &Database, walk: &mut Walk<'_>) -> Result<[u8; 32], StoreError> {
        let mut hasher = Hasher::new();
        for table in TableId::ALL {
            hasher.table(table, self.len(table)?);
            // A copy has the format of its original, and an older one has rows where this one has levels.
            if self.layers(table)?.is_some() {
                self.fill_levels(database, table, &mut hasher, walk)?;
            } else {
                self.fill_rows(database, table, &mut hasher, walk)?;
            }
        }
        Ok(hasher.finish())
    }

    fn fill_rows(
        &self,
        database: &Database,
        table: TableId,
        hasher: &mut Hasher,
        walk: &mut Walk<'_>,
    ) -> Result<(), StoreError> {
        let mut closed = Vec::new();
        let mut entries = self.raw_range(table, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
        let mut next = entries.next_view()?;
        while next.is_some() {
            let mut transaction = database.begin_write().map_err(StoreError::engine)?;
            transaction.set_durability(Durability::Immediate).map_err(StoreError::engine)?;
            let mut to = transaction.open_table(definition(table)).map_err(StoreError::engine)?;
            let mut bytes = 0;
            while let Some((key, value)) = next.take_if(|_| bytes < STEP_BYTES) {
                hasher.entry(&key, &value);
                checksum::close_into(&mut closed, table, &key, &value);
                to.insert(&*key, closed.as_slice()).map_err(StoreError::engine)?;
                bytes += key.len() + value.len();
                walk.step()?;
                next = entries.next_view()?;
            }
            drop(to);
            transaction.commit().map_err(StoreError::engine)?;
        }
        Ok(())
    }

    fn fill_levels(
        &self,
        database: &Database,
        table: TableId,
        hasher: &mut Hasher,
        walk: &mut Walk<'_>,
    ) -> Result<(), StoreError> {
        let mut entries = self.raw_range(table, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
        fill_layers(database, table, self.len(table)?, &mut || {
            let Some((key, value)) = entries.next_view()? else { return Ok(None) };
            hasher.entry(&key, &value);
            walk.step()?;
            Ok(Some(key.to_vec()))
        })
    }

    /// [`Copied::digest`] of this snapshot.
    #[cfg(test)]
    pub(crate) fn contents_digest(&self) -> Result<[u8; 32], StoreError> {
        self.digest(&mut Walk { progress: &mut |_| Ok(()), done: 0, total: 0 })
    }

    fn digest(&self, walk: &mut Walk<'_>) -> Result<[u8; 32], StoreError> {
        let mut hasher = Hasher::new();
        for table in TableId::ALL {
            hasher.table(table, self.len(table)?);
            let mut entries = self.raw_range(table, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
            while let Some((key, value)) = entries.next_view()? {
                hasher.entry(&key, &value);
                walk.step()?;
            }
        }
        Ok(hasher.finish())
    }
}

pub(crate) struct Walk<'a> {
    pub(crate) progress: &'a mut ReportProgress<'a>,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl Walk<'_> {
    pub(crate) fn step(&mut self) -> Result<(), StoreError> {
        self.done += 1;
        if self.done.is_multiple_of(PROGRESS_STEP_ENTRIES) || self.done == self.total {
            (self.progress)(Progress { done: self.done, total: self.total })?;
        }
        Ok(())
    }
}

/// Lengths go before what they are of, so that no two contents have the same input.
struct Hasher(blake3::Hasher);

impl Hasher {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    fn table(&mut self, table: TableId, entries: u64) {
        self.bytes(table.name().as_bytes());
        self.0.update(&entries.to_le_bytes());
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) {
        self.bytes(key);
        self.bytes(value);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        BlockRecord, Blocks, Meta, Store,
        samples::{Sample, hash},
    };
    use std::fs;

    fn store_of(blocks: u64, path: &Path) -> Store {
        let store =
            Store::create(path, &Meta::new(br#"{"chainId":1}"#.to_vec(), hash(1)), &Options::default()).unwrap();
        for height in 0..blocks {
            let mut batch = store.begin().unwrap();
            batch.append::<Blocks>(&height, &BlockRecord { timestamp: height, ..Sample::sample() }).unwrap();
            batch.raw_put(TableId::Code, height.to_be_bytes(), vec![7; 24_000]);
            store.commit(batch).unwrap();
        }
        store
    }

    #[test]
    fn a_copy_is_the_store_at_its_moment_while_the_store_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_of(600, &folder.path().join("node.redb"));
        let snapshot = store.snapshot().unwrap();
        let mut batch = store.begin().unwrap();
        batch.append::<Blocks>(&600, &Sample::sample()).unwrap();
        store.commit(batch).unwrap();

        let path = folder.path().join("copy.redb");
        let mut seen = Vec::new();
        let copied = snapshot.copy_to(&path, &Options::default(), &mut |progress| {
            seen.push(progress);
            Ok(())
        });
        let copied = copied.unwrap();
        assert_eq!(copied.sequence, 600);
        assert_eq!(copied.entries, snapshot.entries().unwrap());
        let total = 2 * copied.entries;
        assert_eq!(seen.last(), Some(&Progress { done: total, total }));

        let copy = Store::open(&path, &Options::default()).unwrap();
        assert_eq!(copy.meta(), store.meta());
        let copy = copy.snapshot().unwrap();
        let mut walk = Walk { progress: &mut |_| Ok(()), done: 0, total: 0 };
        assert_eq!(copy.digest(&mut walk).unwrap(), copied.digest);
        assert_eq!(snapshot.digest(&mut walk).unwrap(), copied.digest);
        assert_ne!(store.snapshot().unwrap().digest(&mut walk).unwrap(), copied.digest);
        assert!(copy.contains::<Blocks>(&599).unwrap() && !copy.contains::<Blocks>(&600).unwrap());
    }

    #[test]
    fn nothing_is_copied_over_an_existing_file_and_nothing_half_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_of(1, &folder.path().join("node.redb"));
        let snapshot = store.snapshot().unwrap();
        let taken = folder.path().join("taken");
        fs::write(&taken, "mine").unwrap();
        let error = snapshot.copy_to(&taken, &Options::default(), &mut |_| Ok(())).unwrap_err();
        assert!(matches!(error, StoreError::AlreadyExists(_)), "{error}");
        assert_eq!(fs::read(&taken).unwrap(), b"mine");
        let nowhere = folder.path().join("no folder/copy");
        assert!(matches!(snapshot.copy_to(nowhere, &Options::default(), &mut |_| Ok(())), Err(StoreError::Io { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let stopped =
            snapshot.copy_to(folder.path().join("copy"), &Options::default(), &mut |_| Err(StoreError::Stopped));
        assert!(matches!(stopped, Err(StoreError::Stopped)), "{stopped:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
