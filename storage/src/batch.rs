//! An open batch: an ordered set of writes over a snapshot, kept in memory until the store commits it whole.

use crate::{
    codec,
    collection::{Collection, row_key},
    error::StoreError,
    range::{Direction, PendingTables, RawRange, View, is_empty_range},
    reader::{Reader, decode_row},
    snapshot::Snapshot,
    tables::TableId,
};
use std::ops::Bound;

/// Writes that become visible and durable together, or not at all. Reads through a batch see its own writes.
///
/// A batch that is dropped leaves nothing. Each row's index entries change with it in the same batch.
pub struct Batch {
    base: Snapshot,
    began: u64,
    pending: PendingTables,
}

impl Batch {
    pub(crate) fn new(base: Snapshot) -> Result<Self, StoreError> {
        let began = base.sequence()?;
        Ok(Self { base, began, pending: PendingTables::default() })
    }

    /// The sequence that this batch writes into its records and that the store has after the commit.
    pub fn sequence(&self) -> u64 {
        self.began + 1
    }

    /// Sequence of the store that the batch was begun on.
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    pub(crate) fn pending(&self) -> &PendingTables {
        &self.pending
    }

    /// Whether nothing was written to the batch.
    pub fn is_empty(&self) -> bool {
        self.pending.changed().next().is_none()
    }

    /// Writes the row, whether or not there is one under the key. A row that stays the same is not written again.
    pub fn put<C: Collection>(&mut self, key: &C::Key, record: &C::Record) -> Result<(), StoreError> {
        let row_key = row_key(key);
        let value = self.encode::<C>(record)?;
        let mut old_entries = Vec::new();
        let mut old_sequence = None;
        if let Some(old) = self.view(C::DEF.table, &row_key)? {
            if codec::same_row(&old, &value) {
                return Ok(());
            }
            old_sequence = Some(sequence_of::<C>(&old)?);
            if !C::INDEXES.is_empty() {
                let old = decode_row::<C>(&old)?.record;
                old_entries.extend(C::INDEXES.iter().map(|index| index.entry_key(key, &old, &row_key)));
            }
        }
        old_entries.resize_with(C::INDEXES.len(), || None);
        for (index, old) in C::INDEXES.iter().zip(old_entries) {
            let new = index.entry_key(key, record, &row_key);
            if new != old {
                old.map(|entry| self.raw_remove(index.table, entry));
                new.map(|entry| self.raw_put(index.table, entry, Vec::new()));
            }
        }
        if let Some(table) = C::DEF.by_sequence
            && old_sequence != Some(self.sequence())
        {
            if let Some(old) = old_sequence {
                self.raw_remove(table, sequence_key(old, &row_key));
            }
            self.raw_put(table, sequence_key(self.sequence(), &row_key), Vec::new());
        }
        self.raw_put(C::DEF.table, row_key, value);
        Ok(())
    }

    /// Writes a row under a key that is new by construction, such as a block's height: no old row is looked for.
    pub fn append<C: Collection>(&mut self, key: &C::Key, record: &C::Record) -> Result<(), StoreError> {
        debug_assert!(matches!(self.contains::<C>(key), Ok(false)), "{key:?} is already in {}", C::DEF.name);
        let row_key = row_key(key);
        let value = self.encode::<C>(record)?;
        for index in C::INDEXES {
            if let Some(entry) = index.entry_key(key, record, &row_key) {
                self.raw_put(index.table, entry, Vec::new());
            }
        }
        if let Some(table) = C::DEF.by_sequence {
            self.raw_put(table, sequence_key(self.sequence(), &row_key), Vec::new());
        }
        self.raw_put(C::DEF.table, row_key, value);
        Ok(())
    }

    /// Removes the row and says whether there was one.
    pub fn remove<C: Collection>(&mut self, key: &C::Key) -> Result<bool, StoreError> {
        let row_key = row_key(key);
        let Some(old) = self.view(C::DEF.table, &row_key)? else { return Ok(false) };
        let old = decode_row::<C>(&old)?;
        for index in C::INDEXES {
            if let Some(entry) = index.entry_key(key, &old.record, &row_key) {
                self.raw_remove(index.table, entry);
            }
        }
        if let Some(table) = C::DEF.by_sequence {
            self.raw_remove(table, sequence_key(old.sequence, &row_key));
        }
        self.raw_remove(C::DEF.table, row_key);
        Ok(true)
    }

    /// Writes an entry of an internal table.
    pub fn raw_put(&mut self, table: TableId, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.pending.get_mut(table).insert(key.into(), Some(value.into()));
    }

    /// Removes an entry of an internal table, whether or not there is one.
    pub fn raw_remove(&mut self, table: TableId, key: impl Into<Vec<u8>>) {
        self.pending.get_mut(table).insert(key.into(), None);
    }

    fn encode<C: Collection>(&self, record: &C::Record) -> Result<Vec<u8>, StoreError> {
        codec::encode(record, C::DEF.origin, self.sequence())
            .map_err(|source| StoreError::Record { collection: C::DEF.name, source })
    }
}

fn sequence_of<C: Collection>(value: &[u8]) -> Result<u64, StoreError> {
    codec::sequence_of(value).map_err(|source| StoreError::Record { collection: C::DEF.name, source })
}

/// Key of an entry in the table from sequence to key.
fn sequence_key(sequence: u64, row_key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + row_key.len());
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(row_key);
    out
}

impl Reader for Batch {
    fn view(&self, table: TableId, key: &[u8]) -> Result<Option<View<'_>>, StoreError> {
        match self.pending.get(table).and_then(|pending| pending.get(key)) {
            Some(pending) => Ok(pending.as_deref().map(View::pending)),
            None => self.base.view(table, key),
        }
    }

    fn raw_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<RawRange<'_>, StoreError> {
        let stored = self.base.stored_range(table, lower, upper)?;
        let pending = match self.pending.get(table) {
            Some(pending) if !is_empty_range(lower, upper) => Some(pending.range::<[u8], _>((lower, upper))),
            _ => None,
        };
        Ok(RawRange::new(direction, stored, pending))
    }
}
