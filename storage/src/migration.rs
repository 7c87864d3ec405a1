//! Stores of older formats become stores of the present one: a list of steps, each from one format to the next. A step is
//! made of batches like any others and ends with the one that writes the format's number. Until then it is not done, and is
//! done anew, whatever ended it.

use crate::{
    backup::ReportProgress,
    error::StoreError,
    layers::lay_rows,
    meta::{self, FORMAT_VERSION},
    reindex::make_ranges,
    store::{Options, Store},
    tables::TableId,
};
use std::path::Path;

/// What makes a store of one format of one of the format before.
struct Step {
    from: u32,
    run: fn(&Store, &mut ReportProgress<'_>) -> Result<(), StoreError>,
}

/// All steps. The format after a step is the next number.
const STEPS: [Step; FORMAT_VERSION as usize - 1] = [
    // Format 1 has no shard ranges, or ranges that were begun when there were rows already.
    Step { from: 1, run: make_ranges },
    // Format 2 has no layered tables.
    Step { from: 2, run: lay_all_rows },
];

fn lay_all_rows(store: &Store, progress: &mut ReportProgress<'_>) -> Result<(), StoreError> {
    let mut layered = TableId::ALL.into_iter().filter(|table| table.is_layered());
    layered.try_for_each(|table| lay_rows(store, table, progress))
}

/// A store of an older format, which nobody else can open while this is there.
pub struct Migration {
    store: Store,
}

impl Migration {
    /// Takes the store at `path`. One that has the present format already is left as it is.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn begin(path: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        Ok(Self { store: Store::open_any(path.as_ref(), options)? })
    }

    /// Makes a store of the present format of it. Ended at any moment it can be begun again.
    ///
    /// # Errors
    /// Damage, a disk without room, what `progress` gives.
    pub fn run(self, progress: &mut ReportProgress<'_>) -> Result<(), StoreError> {
        let store = self.store;
        let found = store.meta().format_version;
        for step in STEPS.iter().filter(|step| step.from >= found) {
            (step.run)(&store, progress)?;
            let mut batch = store.begin()?;
            batch.raw_put(TableId::Meta, meta::FORMAT, (step.from + 1).to_be_bytes());
            store.commit(batch)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ChunkKey, Chunks, Collection, Direction, Findings, Meta, Reader, Snapshot,
        samples::{Sample, address, hash},
        shard::shard_ranges,
    };
    use lucid_types::SessionId;

    #[test]
    fn every_older_format_has_a_step() {
        assert!(STEPS.iter().map(|step| step.from).eq(1..FORMAT_VERSION));
    }

    fn is_clean(snapshot: &Snapshot) -> bool {
        let mut findings = Findings::default();
        snapshot.check_rows(&mut findings, &mut |_| Ok(())).unwrap();
        findings.is_empty()
    }

    #[test]
    fn a_store_of_an_older_format_is_read_and_not_opened_until_it_is_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let options = Options::default();
        let old = Meta { format_version: 1, ..Meta::new(vec![], hash(0)) };
        let store = Store::create(&path, &old, &options).unwrap();
        let mut batch = store.begin().unwrap();
        for idx in 0..1_000 {
            let key = ChunkKey { session_id: SessionId::from_bytes([7; 16]).unwrap(), idx, account: address(1) };
            batch.put::<Chunks>(&key, &Sample::sample()).unwrap();
        }
        store.commit(batch).unwrap();
        let mut batch = store.begin().unwrap();
        let kept = batch.raw_prefix(TableId::ShardRanges, &[], Direction::Forward).unwrap().map(Result::unwrap);
        // As if they had been begun in the midst.
        for (place, (key, _)) in kept.collect::<Vec<_>>().into_iter().enumerate() {
            match place % 2 {
                0 => batch.raw_remove(TableId::ShardRanges, key),
                _ => batch.raw_put(TableId::ShardRanges, key, [1; 16]),
            }
        }
        store.commit(batch).unwrap();
        drop(store);

        let refused = Store::open(&path, &options).map(drop).unwrap_err();
        assert!(matches!(refused, StoreError::OlderFormat { found: 1, known: FORMAT_VERSION }), "{refused}");
        let (meta, snapshot) = Store::inspect(&path, &options, true).unwrap();
        assert_eq!(meta.format_version, 1);
        assert!(is_clean(&snapshot), "what format 1 does not have is not missing");
        let none = shard_ranges(&snapshot, &Chunks::DEF).unwrap_err();
        assert!(matches!(none, StoreError::OlderFormat { found: 1, .. }), "{none}");
        drop(snapshot);
        for _ in 0..2 {
            let stopped = Migration::begin(&path, &options).unwrap().run(&mut |_| Err(StoreError::Stopped));
            assert!(matches!(stopped, Err(StoreError::Stopped)), "{stopped:?}");
        }
        Migration::begin(&path, &options).unwrap().run(&mut |_| Ok(())).unwrap();
        let store = Store::open(&path, &options).unwrap();
        assert_eq!(store.meta().format_version, FORMAT_VERSION);
        let snapshot = store.snapshot().unwrap();
        assert!(is_clean(&snapshot));
        let ranges = shard_ranges(&snapshot, &Chunks::DEF).unwrap();
        assert_eq!(ranges.iter().map(|range| range.documents).sum::<u64>(), 1_000);
        let sequence = snapshot.sequence().unwrap();
        drop((store, snapshot));
        Migration::begin(&path, &options).unwrap().run(&mut |_| Ok(())).unwrap();
        let again = Store::open(&path, &options).unwrap().snapshot().unwrap();
        assert_eq!(again.sequence().unwrap(), sequence, "a store of the present format is left as it is");
    }
}
