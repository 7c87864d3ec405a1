//! Writing a table's changes in the order of their keys.
//!
//! The engine divides a full page in half, and a run of new rows that goes on behind the right half leaves every page
//! half empty, unless it is at the end of the table. So a run of neighbours, such as the chunks of a session, goes in as
//! a whole, which fills pages.

use crate::{
    checksum,
    error::StoreError,
    layers::write_layers,
    range::{Pending, Puts},
    snapshot::definition,
    tables::TableId,
};
use redb::{CursorError, Table, WriteTransaction};
use std::ops::Bound;

/// Neighbours in a row after which more of them are awaited: to begin a run costs about as much as to write two rows.
const RUN_ROWS: usize = 8;

/// Part of a key that a neighbour has in common with it at least.
const SHARED_PART: usize = 3;

type RawTable<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// A key with what is to be written under it.
type Change = (Vec<u8>, Option<Vec<u8>>);

/// Applies changes in key order, so that neighbours go into the same pages one after the other. Each is let go of as
/// soon as it is written, while it is in the processor's cache.
pub(crate) fn write_table(
    transaction: &WriteTransaction,
    table: TableId,
    pending: Pending,
    puts: Puts,
) -> Result<(), StoreError> {
    if table.is_layered() {
        return write_layers(transaction, table, &pending, puts);
    }
    let mut rows = transaction.open_table(definition(table)).map_err(StoreError::engine)?;
    let mut closed = Vec::new();
    let mut pending = pending.into_iter();
    let mut next = pending.next();
    let (mut neighbours, mut previous) = (0, Vec::new());
    while let Some((key, value)) = next {
        let Some(value) = value else {
            rows.remove(key.as_slice()).map_err(StoreError::engine)?;
            (neighbours, next) = (0, pending.next());
            continue;
        };
        neighbours = if are_neighbours(&previous, &key) { neighbours + 1 } else { 0 };
        checksum::close_into(&mut closed, table, &key, &value);
        rows.insert(key.as_slice(), closed.as_slice()).map_err(StoreError::engine)?;
        previous = key;
        next = pending.next();
        if neighbours >= RUN_ROWS {
            neighbours = 0;
            next = write_run(&mut rows, table, &previous, next, &mut pending)?;
        }
    }
    Ok(())
}

fn are_neighbours(one: &[u8], other: &[u8]) -> bool {
    let shared = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    shared * SHARED_PART >= other.len()
}

/// Writes new rows that follow `previous` without another row between them, beginning with `next`. Gives the first change
/// that is none of them.
fn write_run(
    rows: &mut RawTable<'_>,
    table: TableId,
    previous: &[u8],
    mut next: Option<Change>,
    pending: &mut impl Iterator<Item = Change>,
) -> Result<Option<Change>, StoreError> {
    let mut closed = Vec::new();
    let mut cursor = rows.lower_bound_mut(Bound::Excluded(previous)).map_err(StoreError::engine)?;
    while let Some((key, Some(value))) = &next {
        checksum::close_into(&mut closed, table, key, value);
        match cursor.insert_before(key.as_slice(), closed.as_slice()) {
            Ok(()) => next = pending.next(),
            // There is a row between, or one under the key.
            Err(CursorError::UnorderedKey) => break,
            Err(error) => return Err(StoreError::engine(error)),
        }
    }
    cursor.close().map_err(StoreError::engine)?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Direction, Meta, Options, Reader, Snapshot, Store, samples::hash};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const TABLE: TableId = TableId::Code;

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    fn key(number: u16) -> Vec<u8> {
        [&b"a session of chunks"[..], &number.to_be_bytes()].concat()
    }

    fn rows(snapshot: &Snapshot) -> BTreeMap<Vec<u8>, Vec<u8>> {
        snapshot.raw_prefix(TABLE, &[], Direction::Forward).unwrap().map(Result::unwrap).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Runs of writes and removals over rows that are there already, in any mixture.
        #[test]
        fn runs_leave_what_rows_one_after_the_other_would(
            batches in prop::collection::vec(
                prop::collection::vec((0u16..300, 1u16..60, 1u16..4, prop::option::weighted(0.8, any::<u8>())), 1..6),
                1..5,
            )
        ) {
            let (_folder, store) = new_store();
            let mut model = BTreeMap::new();
            for runs in batches {
                let mut batch = store.begin().unwrap();
                for (first, count, step, value) in runs {
                    for number in (0..count).map(|place| first + place * step) {
                        match value {
                            Some(value) => {
                                batch.raw_put(TABLE, key(number), vec![value; 30]);
                                model.insert(key(number), vec![value; 30]);
                            }
                            None => {
                                batch.raw_remove(TABLE, key(number));
                                model.remove(&key(number));
                            }
                        }
                    }
                }
                store.commit(batch).unwrap();
                prop_assert_eq!(&rows(&store.snapshot().unwrap()), &model);
            }
        }
    }

    #[test]
    fn a_run_between_others_fills_its_pages() {
        let (_folder, store) = new_store();
        for session in [0u8, 200, 100, 50, 150, 25] {
            let mut batch = store.begin().unwrap();
            for number in 0..1_000u16 {
                batch.raw_put(TABLE, [&[session; 16][..], &number.to_be_bytes()].concat(), [7; 150]);
            }
            store.commit(batch).unwrap();
        }
        let bytes = store.snapshot().unwrap().table_bytes(TABLE).unwrap();
        assert!(bytes.overhead * 5 < bytes.stored, "{bytes:?}");
    }
}
