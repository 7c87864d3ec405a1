//! What is noted of imported rows: how many documents each source has, which is counted anew, and the ids of documents that
//! are known by something else than their key. An id without a row goes. One that is lost cannot be made anew: it follows
//! from what the source knew its document by, and the row does not say that.

use super::run::{Reindex, Repairs};
use crate::{
    batch::Batch,
    collection::CollectionDef,
    error::StoreError,
    import::{documents_key, read_source_key, row_of_id},
    range::Direction,
    reader::Reader,
    snapshot::Snapshot,
    source_rows::SourceRows,
    space::{RowSpace, SourceName, source_of_prefix},
    tables::TableId,
};
use std::{collections::BTreeMap, ops::Bound::Unbounded};

/// What a source has of a collection, at one moment.
#[derive(Default)]
struct Counted {
    rows: u64,
    /// What is noted: nothing where that is no number.
    noted: Option<Option<u64>>,
}

/// Notes anew how many documents of a collection each source has, where a walk over `snapshot` has counted others.
pub(super) fn reindex_sources(
    run: &mut Reindex<'_>,
    snapshot: &Snapshot,
    def: &'static CollectionDef,
    counted: SourceRows,
) -> Result<(), StoreError> {
    let mut sources = BTreeMap::<SourceName, Counted>::new();
    for (prefix, rows) in counted.counts {
        match source_of_prefix(&prefix) {
            Some(source) => sources.entry(source).or_default().rows = rows,
            None => run.find(def.table, &prefix, format!("{rows} rows are of a source that has no name")),
        }
    }
    let mut notes = snapshot.raw_range(TableId::ImportSources, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((key, value)) = notes.next_view()? {
        if let Some((source, of)) = read_source_key(&key)
            && of.table == def.table
        {
            sources.entry(source).or_default().noted = Some(documents(&value));
        }
    }
    for (source, Counted { rows, noted }) in sources {
        if noted.unwrap_or(Some(0)) != Some(rows) || (rows == 0 && noted.is_some()) {
            let noted = noted.flatten().unwrap_or(0);
            run.write(|batch, repairs| mend_source(batch, def, &source, rows, noted, repairs))?;
        }
    }
    Ok(())
}

/// Corrects what is noted of a source by what it was wrong by: what was imported and removed since then was noted too.
fn mend_source(
    batch: &mut Batch,
    def: &'static CollectionDef,
    source: &SourceName,
    rows: u64,
    noted: u64,
    repairs: &mut Repairs<'_>,
) -> Result<(), StoreError> {
    let key = documents_key(source, def);
    let found = batch.raw_get(TableId::ImportSources, &key)?;
    let noted_now = found.as_deref().map(documents);
    let has_rows = batch.raw_first_key(def.table, RowSpace::of_source(source).prefix())?.is_some();
    let corrected = u128::from(noted_now.flatten().unwrap_or(0)) + u128::from(rows);
    let corrected = u64::try_from(corrected.saturating_sub(noted.into())).unwrap_or(u64::MAX);
    match noted_now {
        Some(_) if !has_rows => repairs.remove(batch, TableId::ImportSources, &key),
        noted_now if has_rows && noted_now != Some(Some(corrected)) => {
            let value = corrected.to_be_bytes().to_vec();
            repairs.put(batch, TableId::ImportSources, &key, noted_now.is_some(), value);
        }
        _ => {}
    }
    Ok(())
}

fn documents(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// Removes what is noted of no source, or of a collection that nothing is imported into.
pub(super) fn remove_strange_sources(run: &mut Reindex<'_>) -> Result<(), StoreError> {
    let mend = |batch: &mut Batch, key: &[u8], repairs: &mut Repairs<'_>| {
        repairs.remove(batch, TableId::ImportSources, key);
        Ok(())
    };
    let (snapshot, mut due) = (run.snapshot()?, Vec::new());
    let mut notes = snapshot.raw_range(TableId::ImportSources, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((key, _)) = notes.next_view()? {
        if read_source_key(&key).is_none() {
            run.mend_later(&mut due, &key, mend)?;
        }
    }
    run.mend(&mut due, mend)
}

/// Removes ids of documents that are not there.
pub(super) fn remove_strange_ids(run: &mut Reindex<'_>) -> Result<(), StoreError> {
    let mend = |batch: &mut Batch, key: &[u8], repairs: &mut Repairs<'_>| {
        if batch.view(TableId::ImportIds, key)?.is_some() && !has_row(&*batch, key)? {
            repairs.remove(batch, TableId::ImportIds, key);
        }
        Ok(())
    };
    let (snapshot, mut due) = (run.snapshot()?, Vec::new());
    let mut ids = snapshot.raw_range(TableId::ImportIds, Unbounded, Unbounded, Direction::Forward)?;
    while let Some((key, _)) = ids.next_view()? {
        run.step()?;
        if !has_row(&snapshot, &key)? {
            run.mend_later(&mut due, &key, mend)?;
        }
    }
    run.mend(&mut due, mend)
}

/// Whether an id is that of a row. One that cannot be read is there.
fn has_row(reader: &impl Reader, key: &[u8]) -> Result<bool, StoreError> {
    let Some((def, row_key)) = row_of_id(key) else { return Ok(false) };
    match reader.view(def.table, row_key) {
        Ok(row) => Ok(row.is_some()),
        Err(StoreError::DamagedRow { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}
