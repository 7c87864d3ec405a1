//! A journal has to lead to every row, and says nothing of a batch that is later than the row's. What it says of earlier
//! batches is stale and stays.

use super::{
    collection::AskingRow,
    run::{Reindex, Repairs},
};
use crate::{
    batch::Batch,
    changed::{note_afterwards, sequence_of_part},
    codec,
    collection::Collection,
    error::StoreError,
    key::StoreKey,
    range::Direction,
    reader::Reader,
    snapshot::Snapshot,
    space::split_prefix,
    tables::TableId,
};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

/// Rows that one walk over the journal looks for: some 6 MiB of them.
const ROWS_AT_ONCE: usize = if cfg!(test) { 50 } else { 65_536 };

pub(super) fn reindex_journal<C: Collection>(run: &mut Reindex<'_>, journal: TableId) -> Result<(), StoreError> {
    mend_parts::<C>(run, journal)?;
    let mut after = None;
    loop {
        let snapshot = run.snapshot()?;
        let mut unnoted = some_rows::<C>(&snapshot, after.as_deref())?;
        let Some((last, _)) = unnoted.last_key_value() else { return Ok(()) };
        after = Some(last.clone());
        forget_noted::<C>(run, &snapshot, journal, &mut unnoted)?;
        let mut due = unnoted.into_keys().collect();
        run.mend(&mut due, |batch, row_key, repairs| note_row::<C>(batch, journal, row_key, repairs))?;
    }
}

/// The next rows, with the batches that wrote them.
fn some_rows<C: Collection>(snapshot: &Snapshot, after: Option<&[u8]>) -> Result<BTreeMap<Vec<u8>, u64>, StoreError> {
    let mut found = BTreeMap::new();
    let lower = after.map_or(Unbounded, Excluded);
    let mut rows = snapshot.raw_range(C::DEF.table, lower, Unbounded, Direction::Forward)?;
    while found.len() < ROWS_AT_ONCE
        && let Some((row_key, value)) = rows.next_view()?
    {
        // What cannot be read was found before.
        if let Ok(row) = AskingRow::<C>::read(&row_key, &value) {
            found.insert(row_key.to_vec(), row.stored.sequence);
        }
    }
    Ok(found)
}

/// Walks over the journal and forgets the rows that it leads to.
fn forget_noted<C: Collection>(
    run: &mut Reindex<'_>,
    snapshot: &Snapshot,
    journal: TableId,
    unnoted: &mut BTreeMap<Vec<u8>, u64>,
) -> Result<(), StoreError> {
    run.expect(snapshot.len(journal)?);
    let mut parts = snapshot.raw_range(journal, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((key, part)) = parts.next_view()? {
        run.step()?;
        let Some(sequence) = sequence_of_part(&key) else { continue };
        for row_key in Notes::<C>::of(&part) {
            if unnoted.get(row_key) == Some(&sequence) {
                unnoted.remove(row_key);
            }
        }
    }
    Ok(())
}

/// Notes a row, as it is by now, where nothing does.
fn note_row<C: Collection>(
    batch: &mut Batch,
    journal: TableId,
    row_key: &[u8],
    repairs: &mut Repairs<'_>,
) -> Result<(), StoreError> {
    let row = batch.view(C::DEF.table, row_key)?.map(|value| AskingRow::<C>::read(row_key, &value));
    let Some(Ok(row)) = row else { return Ok(()) };
    let sequence = row.stored.sequence;
    let mut parts = batch.raw_prefix(journal, &sequence.to_be_bytes(), Direction::Forward)?;
    while let Some((_, part)) = parts.next_view()? {
        // It was written again meanwhile, and noted.
        if Notes::<C>::of(&part).any(|noted| noted == row_key) {
            return Ok(());
        }
    }
    drop(parts);
    repairs.of(journal).missing += 1;
    note_afterwards(batch, journal, sequence, row_key)
}

fn mend_parts<C: Collection>(run: &mut Reindex<'_>, journal: TableId) -> Result<(), StoreError> {
    let mend = |batch: &mut Batch, key: &[u8], repairs: &mut Repairs<'_>| {
        let Some(part) = batch.raw_get(journal, key)? else { return Ok(()) };
        let right = right_notes::<C>(&*batch, key, &part)?;
        if right.is_empty() {
            repairs.remove(batch, journal, key);
        } else if right != part {
            repairs.put(batch, journal, key, true, right);
        }
        Ok(())
    };
    let snapshot = run.snapshot()?;
    let mut due = Vec::new();
    let mut parts = snapshot.raw_range(journal, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((key, part)) = parts.next_view()? {
        run.step()?;
        let right = right_notes::<C>(&snapshot, &key, &part)?;
        if right.is_empty() || *right != *part {
            run.mend_later(&mut due, &key, mend)?;
        }
    }
    run.mend(&mut due, mend)
}

/// What a part of the journal may say: nothing of a row that an earlier batch wrote last.
fn right_notes<C: Collection>(reader: &impl Reader, key: &[u8], part: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut right = Vec::with_capacity(part.len());
    let Some(sequence) = sequence_of_part(key) else { return Ok(right) };
    for row_key in Notes::<C>::of(part) {
        let written = reader.view(C::DEF.table, row_key)?.and_then(|value| codec::sequence_of(&value).ok());
        if written.is_none_or(|written| written >= sequence) {
            right.extend_from_slice(row_key);
        }
    }
    Ok(right)
}

/// Keys of rows in a part of a journal, up to its end or to what is none.
struct Notes<'a, C> {
    rest: &'a [u8],
    collection: std::marker::PhantomData<C>,
}

impl<'a, C: Collection> Notes<'a, C> {
    fn of(part: &'a [u8]) -> Self {
        Self { rest: part, collection: std::marker::PhantomData }
    }
}

impl<'a, C: Collection> Iterator for Notes<'a, C> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (_, mut after) = split_prefix(self.rest)?;
        C::Key::decode_from(&mut after).ok()?;
        let (row_key, rest) = self.rest.split_at(self.rest.len() - after.len());
        self.rest = rest;
        Some(row_key)
    }
}
