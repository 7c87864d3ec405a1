//! A layered table that is made of entries in their order: all of them lie in one level, in full parts.

use super::{
    merge::Cutter,
    state::{YOUNGEST, level_for},
    write::Levels,
};
use crate::{
    backup::{ReportProgress, STEP_BYTES, Walk},
    error::StoreError,
    range::Direction,
    reader::Reader,
    snapshot::{definition, layers_definition},
    store::Store,
    tables::TableId,
};
use redb::{Database, Durability, WriteTransaction};

/// Fills an empty table with the keys that `next` gives, in order, which are about as many as said.
///
/// # Errors
/// The engine's, and what `next` says.
pub(crate) fn fill_layers(
    database: &Database,
    table: TableId,
    entries: u64,
    next: &mut dyn FnMut() -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<(), StoreError> {
    let level = level_for(entries).max(YOUNGEST);
    let mut run = Some(Cutter::new(level, &[]));
    let mut head = next()?;
    while head.is_some() {
        let transaction = begin(database)?;
        let mut levels = Levels::open(&transaction, table)?;
        let mut bytes = 0;
        while let Some((key, run)) = head.take_if(|_| bytes < STEP_BYTES).zip(run.as_mut()) {
            run.push(&key);
            run.cut(&mut levels)?;
            levels.state.level_mut(level).entries += 1;
            bytes += key.len();
            head = next()?;
        }
        if let Some(run) = run.take_if(|_| head.is_none()) {
            run.finish(&mut levels, &[])?;
        }
        levels.close()?;
        transaction.commit().map_err(StoreError::engine)?;
    }
    Ok(())
}

/// Makes levels of a table that has an entry in each row, as older formats have them. It is read as it was until the rows
/// go, in one transaction; what a run left that was ended before that is made anew.
///
/// # Errors
/// Damage, the engine's, what `progress` says.
pub(crate) fn lay_rows(store: &Store, table: TableId, progress: &mut ReportProgress<'_>) -> Result<(), StoreError> {
    let snapshot = store.snapshot()?;
    if snapshot.layers(table)?.is_some() || !snapshot.is_there(table)? {
        return Ok(());
    }
    let engine = store.engine();
    delete(engine.database(), layers_definition(table))?;
    let entries = snapshot.len(table)?;
    let mut walk = Walk { progress, done: 0, total: entries };
    let mut rows = snapshot.raw_prefix(table, &[], Direction::Forward)?;
    fill_layers(engine.database(), table, entries, &mut || {
        let Some((key, _)) = rows.next_view()? else { return Ok(None) };
        walk.step()?;
        Ok(Some(key.to_vec()))
    })?;
    drop(rows);
    drop(snapshot);
    delete(engine.database(), definition(table))
}

fn begin(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write().map_err(StoreError::engine)?;
    transaction.set_durability(Durability::Immediate).map_err(StoreError::engine)?;
    Ok(transaction)
}

fn delete(database: &Database, table: impl redb::TableHandle) -> Result<(), StoreError> {
    let transaction = begin(database)?;
    transaction.delete_table(table).map_err(StoreError::engine)?;
    transaction.commit().map_err(StoreError::engine)
}
