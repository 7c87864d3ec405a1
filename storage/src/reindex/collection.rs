//! Rows of a collection with the entries that they ask for.

use super::{
    imports::reindex_sources,
    journal::reindex_journal,
    ranges::reindex_ranges,
    run::{Reindex, Repairs},
};
use crate::{
    batch::Batch,
    changed::{SEQUENCE_BYTES, sequence_key},
    codec::Stored,
    collection::{Collection, Placement, WriteOrder},
    error::StoreError,
    key::StoreKey,
    range::Direction,
    reader::{Reader, decode_row},
    shard::ShardCounter,
    snapshot::Snapshot,
    source_rows::SourceRows,
    space::split_prefix,
    tables::TableId,
};
use std::ops::Bound::Unbounded;

/// Makes anew what follows from the rows of one collection.
pub(crate) fn reindex_collection<C: Collection>(run: &mut Reindex<'_>) -> Result<(), StoreError> {
    let snapshot = run.snapshot()?;
    let mut shards = match C::DEF.placement {
        Placement::Sharded(_) => Some(ShardCounter::new(&snapshot, &C::DEF)?),
        Placement::Replicated => None,
    };
    let mut sources = SourceRows::default();
    let (there, are_whole) = mend_rows::<C>(run, &snapshot, &mut shards, &mut sources)?;
    for (place, (table, there)) in tables::<C>().zip(there).enumerate() {
        // Where there are as many as are asked for and there, there are no others.
        let found = count_entries(run, &snapshot, table)?;
        if found != there {
            remove_superfluous::<C>(run, &snapshot, table, place)?;
        }
        if snapshot.len(table)? != found {
            put_once(run, &snapshot, table)?;
        }
    }
    // What cannot be counted is not counted anew.
    if C::DEF.importable && are_whole {
        let outcome = reindex_sources(run, &snapshot, const { &C::DEF }, sources);
        run.go_on(TableId::ImportSources, outcome)?;
    }
    drop(snapshot);
    if let (WriteOrder::Journaled, Some(journal)) = (C::DEF.order, C::DEF.by_sequence) {
        reindex_journal::<C>(run, journal)?;
    }
    match shards {
        Some(_) if !are_whole => Ok(()),
        Some(shards) => reindex_ranges(run, const { &C::DEF }, &shards),
        None => Ok(()),
    }
}

/// Tables in which a row has an entry of its own at most: indexes, and the table from sequences to keys.
fn tables<C: Collection>() -> impl Iterator<Item = TableId> {
    let by_sequence = C::DEF.by_sequence.filter(|_| C::DEF.order != WriteOrder::Journaled);
    C::INDEXES.iter().map(|index| index.table).chain(by_sequence)
}

/// A row with the entries that it asks for.
pub(super) struct AskingRow<C: Collection> {
    pub(super) key: C::Key,
    pub(super) stored: Stored<C::Record>,
}

impl<C: Collection> AskingRow<C> {
    /// Reads a row as it lies in its table. The error is a sentence about damage.
    pub(super) fn read(row_key: &[u8], value: &[u8]) -> Result<Self, String> {
        let (_, key_bytes) = split_prefix(row_key).ok_or("its key does not say whose it is")?;
        let key = C::Key::from_key_bytes(key_bytes).map_err(|error| error.to_string())?;
        if key.to_key_bytes() != key_bytes {
            return Err("is not how this key is written".to_owned());
        }
        let stored = decode_row::<C>(value).map_err(|error| error.to_string())?;
        Ok(Self { key, stored })
    }

    /// Its entry in the table at this place of [`tables`].
    fn entry(&self, row_key: &[u8], place: usize) -> Option<Vec<u8>> {
        match C::INDEXES.get(place) {
            Some(index) => index.entry_key(&self.key, &self.stored.record, row_key),
            None => Some(sequence_key(self.stored.sequence, row_key)),
        }
    }
}

/// Has each row's entries made that are missing or have a value. Gives how many there are in each table that are asked for,
/// whatever their value; and whether the walk met all rows undamaged.
fn mend_rows<C: Collection>(
    run: &mut Reindex<'_>,
    snapshot: &Snapshot,
    shards: &mut Option<ShardCounter>,
    sources: &mut SourceRows,
) -> Result<(Vec<u64>, bool), StoreError> {
    let mut there = vec![0; tables::<C>().count()];
    let mut are_whole = true;
    let mut due = Vec::new();
    let mut rows = snapshot.raw_range(C::DEF.table, Unbounded, Unbounded, Direction::Forward)?;
    loop {
        let (row_key, value) = match rows.next_view() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(error @ StoreError::DamagedRow { .. }) => {
                run.find(C::DEF.table, &[], error);
                are_whole = false;
                continue;
            }
            Err(error) => return Err(error),
        };
        run.row()?;
        if let Some(shards) = shards {
            shards.take(&row_key, value.len());
        }
        sources.take(&row_key);
        let row = match AskingRow::<C>::read(&row_key, &value) {
            Ok(row) => row,
            Err(what) => {
                run.find(C::DEF.table, &row_key, what);
                continue;
            }
        };
        if row.stored.sequence > snapshot.sequence()? {
            run.find(C::DEF.table, &row_key, format!("is of batch {}, which is yet to come", row.stored.sequence));
        }
        let mut is_whole = true;
        for (place, table) in tables::<C>().enumerate() {
            let Some(entry) = row.entry(&row_key, place) else { continue };
            let found = snapshot.view(table, &entry)?;
            there[place] += u64::from(found.is_some());
            is_whole &= found.is_some_and(|value| value.is_empty());
        }
        if !is_whole {
            run.mend_later(&mut due, &row_key, mend_row::<C>)?;
        }
    }
    run.mend(&mut due, mend_row::<C>)?;
    Ok((there, are_whole))
}

/// Makes the entries of one row, as it is by now.
fn mend_row<C: Collection>(batch: &mut Batch, row_key: &[u8], repairs: &mut Repairs<'_>) -> Result<(), StoreError> {
    let row = batch.view(C::DEF.table, row_key)?.map(|value| AskingRow::<C>::read(row_key, &value));
    let Some(Ok(row)) = row else { return Ok(()) };
    for (place, table) in tables::<C>().enumerate() {
        let Some(entry) = row.entry(row_key, place) else { continue };
        let found = batch.view(table, &entry)?.map(|value| value.is_empty());
        if found != Some(true) {
            repairs.put(batch, table, &entry, found.is_some(), Vec::new());
        }
    }
    Ok(())
}

fn count_entries(run: &mut Reindex<'_>, snapshot: &Snapshot, table: TableId) -> Result<u64, StoreError> {
    let mut count = 0;
    let mut entries = snapshot.raw_range(table, Unbounded, Unbounded, Direction::Forward)?;
    while entries.next_view()?.is_some() {
        count += 1;
        run.step()?;
    }
    Ok(count)
}

/// Puts each entry of a layered table again of which some lie in two levels: what is put lies in one.
fn put_once(run: &mut Reindex<'_>, snapshot: &Snapshot, table: TableId) -> Result<(), StoreError> {
    run.expect(snapshot.len(table)?);
    let mend = |batch: &mut Batch, entry: &[u8], repairs: &mut Repairs<'_>| {
        if batch.view(table, entry)?.is_some() {
            repairs.put(batch, table, entry, true, Vec::new());
        }
        Ok(())
    };
    let mut due = Vec::new();
    let mut entries = snapshot.raw_range(table, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((entry, _)) = entries.next_view()? {
        run.step()?;
        run.mend_later(&mut due, &entry, mend)?;
    }
    run.mend(&mut due, mend)
}

/// Removes the entries that no row asks for.
fn remove_superfluous<C: Collection>(
    run: &mut Reindex<'_>,
    snapshot: &Snapshot,
    table: TableId,
    place: usize,
) -> Result<(), StoreError> {
    run.expect(snapshot.len(table)?);
    let mend = |batch: &mut Batch, entry: &[u8], repairs: &mut Repairs<'_>| {
        if batch.view(table, entry)?.is_some() && !is_asked_for::<C>(&*batch, entry, place)? {
            repairs.remove(batch, table, entry);
        }
        Ok(())
    };
    let mut due = Vec::new();
    let mut entries = snapshot.raw_range(table, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((entry, _)) = entries.next_view()? {
        run.step()?;
        if !is_asked_for::<C>(snapshot, &entry, place)? {
            run.mend_later(&mut due, &entry, mend)?;
        }
    }
    run.mend(&mut due, mend)
}

/// Whether a row asks for an entry. One that cannot be read may do so.
fn is_asked_for<C: Collection>(reader: &impl Reader, entry: &[u8], place: usize) -> Result<bool, StoreError> {
    let row_key = match C::INDEXES.get(place) {
        Some(index) => index.row_key(entry),
        None => entry.get(SEQUENCE_BYTES..).filter(|row_key| !row_key.is_empty()).map(<[u8]>::to_vec),
    };
    let Some(row_key) = row_key else { return Ok(false) };
    match reader.view(C::DEF.table, &row_key) {
        Ok(None) => Ok(false),
        Ok(Some(value)) => Ok(match AskingRow::<C>::read(&row_key, &value) {
            Ok(row) => row.entry(&row_key, place).as_deref() == Some(entry),
            Err(_) => true,
        }),
        Err(StoreError::DamagedRow { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}
