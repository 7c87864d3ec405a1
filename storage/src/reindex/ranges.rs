//! The shard ranges of a collection, counted anew. Where ranges start stays as it is; what is larger than a range may be is
//! split, and where there is no range one is made.

use super::run::{Reindex, Repairs};
use crate::{
    backup::ReportProgress,
    batch::Batch,
    collection::CollectionDef,
    error::StoreError,
    range::Direction,
    reader::Reader,
    shard::{ShardCounter, is_range, mend_range, shard_fields},
    store::Store,
    tables::{COLLECTIONS, TableId},
};
use std::ops::Bound::Unbounded;

/// Counts the ranges anew that a walk over the rows has found to be wrong, one batch for each: nobody else writes while its
/// rows are counted, of which there are hardly more than a range may have.
pub(super) fn reindex_ranges(
    run: &mut Reindex<'_>,
    def: &'static CollectionDef,
    counted: &ShardCounter,
) -> Result<(), StoreError> {
    for (start, end) in counted.wrong_ranges() {
        let outcome = count_anew(run, def, start, end.as_deref());
        run.go_on(TableId::ShardRanges, outcome)?;
    }
    Ok(())
}

fn count_anew(
    run: &mut Reindex<'_>,
    def: &'static CollectionDef,
    mut start: Vec<u8>,
    end: Option<&[u8]>,
) -> Result<(), StoreError> {
    let mut made = false;
    loop {
        let mut next = None;
        run.write(|batch, repairs| {
            let mended = mend_range(batch, def, &start)?;
            if mended.changed {
                let repair = repairs.of(TableId::ShardRanges);
                *(if mended.existed && !made { &mut repair.wrong } else { &mut repair.missing }) += 1;
            }
            next = mended.next;
            made = mended.made_next;
            Ok(())
        })?;
        match next {
            Some(next) if end.is_none_or(|end| *next < *end) => start = next,
            _ => return Ok(()),
        }
        run.report()?;
    }
}

/// Makes the ranges of all collections. Where one is there already it stays, and is counted anew.
///
/// # Errors
///
/// The store cannot be read or written, and damage is an error here. What `progress` says.
pub(crate) fn make_ranges(store: &Store, progress: &mut ReportProgress<'_>) -> Result<(), StoreError> {
    let mut run = Reindex::new(store, progress);
    remove_strange_ranges(&mut run)?;
    for def in COLLECTIONS.iter().filter(|def| !shard_fields(def).is_empty()) {
        let snapshot = run.snapshot()?;
        run.expect(snapshot.len(def.table)?);
        let mut counted = ShardCounter::new(&snapshot, def)?;
        let mut rows = snapshot.raw_range(def.table, Unbounded, Unbounded, Direction::Forward)?;
        while let Some((row_key, row)) = rows.next_view()? {
            run.row()?;
            counted.take(&row_key, row.len());
        }
        for (start, end) in counted.wrong_ranges() {
            count_anew(&mut run, def, start, end.as_deref())?;
        }
    }
    run.end().map(drop)
}

/// Removes what is in the table and is no range of any collection.
pub(super) fn remove_strange_ranges(run: &mut Reindex<'_>) -> Result<(), StoreError> {
    let mend = |batch: &mut Batch, key: &[u8], repairs: &mut Repairs<'_>| {
        repairs.remove(batch, TableId::ShardRanges, key);
        Ok(())
    };
    let snapshot = run.snapshot()?;
    let mut due = Vec::new();
    let mut ranges = snapshot.raw_range(TableId::ShardRanges, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((key, _)) = ranges.next_view()? {
        if !is_range(&key) {
            run.mend_later(&mut due, &key, mend)?;
        }
    }
    run.mend(&mut due, mend)
}
