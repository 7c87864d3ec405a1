//! One moment of the store.

use crate::{
    error::StoreError,
    meta,
    range::{Direction, RawRange, View, is_empty_range},
    reader::Reader,
    tables::TableId,
};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableError,
};
use std::{
    ops::Bound,
    sync::{Arc, OnceLock},
};

pub(crate) type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

pub(crate) const fn definition(table: TableId) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// What a table takes in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableBytes {
    /// Bytes of its keys and values.
    pub stored: u64,
    /// Bytes that lead to them, and bytes of its pages that hold nothing.
    pub overhead: u64,
}

/// The store as it was at one commit, whatever is committed after. Cheap to clone and to share.
///
/// It pins the pages that it reads from, so long ones make the file grow: take one per request.
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<SnapshotInner>,
}

struct SnapshotInner {
    /// Opened when they are first asked for; `None` where the file has no such table yet.
    tables: [OnceLock<Option<Table>>; TableId::COUNT],
    transaction: ReadTransaction,
    sequence: OnceLock<u64>,
    /// The database stays open for as long as someone reads from it.
    _database: Arc<Database>,
}

impl Snapshot {
    pub(crate) fn new(database: &Arc<Database>) -> Result<Self, StoreError> {
        let transaction = database.begin_read().map_err(StoreError::engine)?;
        Ok(Self {
            inner: Arc::new(SnapshotInner {
                tables: [const { OnceLock::new() }; TableId::COUNT],
                transaction,
                sequence: OnceLock::new(),
                _database: database.clone(),
            }),
        })
    }

    /// Sequence of the last batch that this snapshot has.
    pub fn sequence(&self) -> Result<u64, StoreError> {
        if let Some(sequence) = self.inner.sequence.get() {
            return Ok(*sequence);
        }
        let sequence = meta::read_sequence(self)?;
        Ok(*self.inner.sequence.get_or_init(|| sequence))
    }

    /// Entries of one table. The engine keeps count, so nothing is walked.
    pub fn len(&self, table: TableId) -> Result<u64, StoreError> {
        self.table(table)?.map_or(Ok(0), |table| table.len().map_err(StoreError::engine))
    }

    /// Bytes of one table in the file. Walks all of it.
    pub fn table_bytes(&self, table: TableId) -> Result<TableBytes, StoreError> {
        let Some(table) = self.table(table)? else { return Ok(TableBytes::default()) };
        let stats = table.stats().map_err(StoreError::engine)?;
        Ok(TableBytes {
            stored: stats.stored_bytes(),
            overhead: stats.metadata_bytes().saturating_add(stats.fragmented_bytes()),
        })
    }

    fn table(&self, table: TableId) -> Result<Option<&Table>, StoreError> {
        let slot = &self.inner.tables[table as usize];
        if let Some(open) = slot.get() {
            return Ok(open.as_ref());
        }
        let open = match self.inner.transaction.open_table(definition(table)) {
            Ok(open) => Some(open),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(StoreError::engine(error)),
        };
        Ok(slot.get_or_init(|| open).as_ref())
    }

    pub(crate) fn stored_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Result<Option<crate::range::StoredRange>, StoreError> {
        if is_empty_range(lower, upper) {
            return Ok(None);
        }
        self.table(table)?.map(|table| table.range::<&[u8]>((lower, upper)).map_err(StoreError::engine)).transpose()
    }
}

impl Reader for Snapshot {
    fn view(&self, table: TableId, key: &[u8]) -> Result<Option<View<'_>>, StoreError> {
        let Some(table) = self.table(table)? else { return Ok(None) };
        Ok(table.get(key).map_err(StoreError::engine)?.map(View::stored))
    }

    fn raw_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<RawRange<'_>, StoreError> {
        Ok(RawRange::new(direction, self.stored_range(table, lower, upper)?, None))
    }
}
