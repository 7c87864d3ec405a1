//! One moment of the store.

use crate::{
    checksum,
    error::StoreError,
    layers::Layers,
    meta,
    range::{Direction, RawRange, Stored, StoredRows, View, is_empty_range},
    reader::Reader,
    tables::TableId,
};
use redb::{
    AccessGuard, Database, MultimapTableHandle, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageError, TableDefinition, TableError, TableHandle,
};
use std::{
    ops::Bound,
    sync::{Arc, OnceLock},
};

pub(crate) type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

pub(crate) const fn definition(table: TableId) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// The table of the parts of one that is layered.
pub(crate) const fn layers_definition(table: TableId) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    match table.layers_name() {
        Some(name) => TableDefinition::new(name),
        None => definition(table),
    }
}

/// How the file has a table.
enum Opened {
    /// An entry in each row.
    Rows(Table),
    /// Levels.
    Layers(Layers),
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
    tables: [OnceLock<Option<Opened>>; TableId::COUNT],
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

    /// Entries of one table. They are counted as they are written, so nothing is walked.
    pub fn len(&self, table: TableId) -> Result<u64, StoreError> {
        match self.opened(table)? {
            None => Ok(0),
            Some(Opened::Rows(rows)) => rows.len().map_err(StoreError::engine),
            Some(Opened::Layers(layers)) => Ok(layers.len()),
        }
    }

    /// Bytes of one table in the file. Walks all of it.
    pub fn table_bytes(&self, table: TableId) -> Result<TableBytes, StoreError> {
        let rows = match self.opened(table)? {
            None => return Ok(TableBytes::default()),
            Some(Opened::Rows(rows)) => rows,
            Some(Opened::Layers(layers)) => layers.rows(),
        };
        let stats = rows.stats().map_err(StoreError::engine)?;
        Ok(TableBytes {
            stored: stats.stored_bytes(),
            overhead: stats.metadata_bytes().saturating_add(stats.fragmented_bytes()),
        })
    }

    /// The levels of a table that has some.
    pub(crate) fn layers(&self, table: TableId) -> Result<Option<&Layers>, StoreError> {
        Ok(match self.opened(table)? {
            Some(Opened::Layers(layers)) => Some(layers),
            _ => None,
        })
    }

    /// Whether the file has the table.
    pub(crate) fn is_there(&self, table: TableId) -> Result<bool, StoreError> {
        Ok(self.opened(table)?.is_some())
    }

    fn opened(&self, table: TableId) -> Result<Option<&Opened>, StoreError> {
        let slot = &self.inner.tables[table as usize];
        if let Some(open) = slot.get() {
            return Ok(open.as_ref());
        }
        // One that is to be layered has its entries in rows as long as an older format's are there.
        let mut open = self.open(definition(table))?.map(Opened::Rows);
        if open.is_none() && table.is_layered() {
            open = match self.open(layers_definition(table))? {
                Some(parts) => Some(Opened::Layers(Layers::open(table, parts)?)),
                None => None,
            };
        }
        if open.is_none() {
            self.check_names()?;
        }
        Ok(slot.get_or_init(|| open).as_ref())
    }

    fn open(&self, table: TableDefinition<'_, &'static [u8], &'static [u8]>) -> Result<Option<Table>, StoreError> {
        match self.inner.transaction.open_table(table) {
            Ok(open) => Ok(Some(open)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(StoreError::engine(error)),
        }
    }

    /// Holds the names of the file's tables against ours: where one was changed, a table that is not there need not be one
    /// that was never written to.
    pub(crate) fn check_names(&self) -> Result<(), StoreError> {
        match self.table_names()?.into_iter().find(|name| !is_own_name(name)) {
            Some(name) => Err(StoreError::DamagedPages(format!("no table has the name {name:?}"))),
            None => Ok(()),
        }
    }

    /// How many of the file's tables have names of ours.
    pub(crate) fn own_tables(&self) -> Result<usize, StoreError> {
        Ok(self.table_names()?.iter().filter(|name| is_own_name(name)).count())
    }

    /// Names of the tables that the file has.
    fn table_names(&self) -> Result<Vec<String>, StoreError> {
        let transaction = &self.inner.transaction;
        let tables = transaction.list_tables().map_err(StoreError::engine)?.map(|table| table.name().to_owned());
        let multimaps = transaction.list_multimap_tables().map_err(StoreError::engine)?;
        Ok(tables.chain(multimaps.map(|table| table.name().to_owned())).collect())
    }

    /// Whether a table has a row under one of these keys, whatever it holds.
    pub(crate) fn has_any(&self, table: TableId, keys: &[&str]) -> Result<bool, StoreError> {
        let Some(Opened::Rows(rows)) = self.opened(table)? else { return Ok(false) };
        for key in keys {
            if rows.get(key.as_bytes()).map_err(StoreError::engine)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The row under `key`, or the keys around it that have none either.
    pub(crate) fn row_or_gap(&self, table: TableId, key: &[u8]) -> Result<RowOrGap<'_>, StoreError> {
        let rows = match self.opened(table)? {
            Some(Opened::Rows(rows)) => rows,
            Some(Opened::Layers(_)) => return Ok(self.view(table, key)?.map_or(RowOrGap::Gap(None), RowOrGap::Row)),
            None => return Ok(RowOrGap::Gap(None)),
        };
        if let Some(value) = rows.get(key).map_err(StoreError::engine)? {
            return View::value(table, key, value).map(RowOrGap::Row);
        }
        let to_vec = |found: Option<Lent<'_>>| found.map(|found| found.value().to_vec());
        let place = check_absent(table, rows, key)?;
        let gap = place.map(|Place { before, after }| Gap { table, before: to_vec(before), after: to_vec(after) });
        Ok(RowOrGap::Gap(gap))
    }

    pub(crate) fn stored_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<Option<Stored<'_>>, StoreError> {
        if is_empty_range(lower, upper) {
            return Ok(None);
        }
        let rows = match self.opened(table)? {
            Some(Opened::Rows(rows)) => rows,
            Some(Opened::Layers(layers)) => return Ok(Some(Stored::Layers(layers.range(lower, upper, direction)))),
            None => return Ok(None),
        };
        for bound in [lower, upper] {
            if let Bound::Included(key) | Bound::Excluded(key) = bound {
                check_place(table, rows, key)?;
            }
        }
        let range = rows.range::<&[u8]>((lower, upper)).map_err(StoreError::engine)?;
        let ends = RangeEnds { table, rows, lower: lower.map(<[u8]>::to_vec), upper: upper.map(<[u8]>::to_vec) };
        Ok(Some(Stored::Rows(StoredRows { range, ends })))
    }
}

/// Where a walk over a table ends: at these bounds, and not where damage lets it end.
pub(crate) struct RangeEnds<'a> {
    table: TableId,
    rows: &'a Table,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
}

impl RangeEnds<'_> {
    /// Holds the last row that a walk gave, or where it gave none the bound that it began at, against the other bound: no row
    /// lies between.
    pub(crate) fn check(&self, direction: Direction, last: Option<&[u8]>) -> Result<(), StoreError> {
        let (begin, end) = match direction {
            Direction::Forward => (&self.lower, &self.upper),
            Direction::Reverse => (&self.upper, &self.lower),
        };
        let after = last.map_or_else(|| begin.as_ref().map(Vec::as_slice), Bound::Excluded);
        let found = match direction {
            Direction::Forward => row_above(self.table, self.rows, after)?,
            Direction::Reverse => row_below(self.table, self.rows, after)?,
        };
        let Some(found) = found else { return Ok(()) };
        let key = found.value();
        let is_within = match (direction, end) {
            (_, Bound::Unbounded) => true,
            (Direction::Forward, Bound::Included(end)) => key <= end.as_slice(),
            (Direction::Forward, Bound::Excluded(end)) => key < end.as_slice(),
            (Direction::Reverse, Bound::Included(end)) => key >= end.as_slice(),
            (Direction::Reverse, Bound::Excluded(end)) => key > end.as_slice(),
        };
        match is_within {
            true => Err(StoreError::damaged_row(self.table, key, "a walk over its table ends before it")),
            false => Ok(()),
        }
    }
}

fn is_own_name(name: &str) -> bool {
    TableId::ALL.iter().any(|table| table.name() == name || table.layers_name() == Some(name))
}

/// Whether a row that is wrongly taken for absent is found out elsewhere. A leaf of the account trie has no row and is made
/// through `accounts_by_hash`: that is done for each account of a block, and what comes of it is held against the hash that
/// the parent has. The root has no parent.
fn is_held_by_hashes(table: TableId, key: &[u8]) -> bool {
    match table {
        TableId::AccountTrie => key != ROOT_KEY,
        TableId::AccountsByHash => true,
        _ => false,
    }
}

/// Key of the root in the account trie: no nibbles, and that there are none.
const ROOT_KEY: [u8; 1] = [0];

/// The rows around the place of a key, of which each is the other's neighbour: nothing is stored between them.
struct Place<'a> {
    /// The last row below the key; `None` where there is none.
    before: Option<Lent<'a>>,
    /// The first row that is not below it.
    after: Option<Lent<'a>>,
}

/// Holds the two rows around the place of `key` against their checksums, against it, and against each other. A search that
/// damage led astray ends beside a key that is not what was written, or between rows that do not lie around what was looked
/// for, or, where a page number leads to another page of the table, between rows of which one has another neighbour when it
/// is looked for itself. So a row is not believed to be absent, nor a range to begin or end, because of what lies above it.
///
/// Says nothing of a table whose rows are held by hashes.
fn check_place<'a>(table: TableId, rows: &'a Table, key: &[u8]) -> Result<Option<Place<'a>>, StoreError> {
    use Bound::{Excluded, Included};
    if is_held_by_hashes(table, key) {
        return Ok(None);
    }
    let below = |bound| row_below(table, rows, bound);
    let above = |bound| row_above(table, rows, bound);
    let (before, after) = (below(Excluded(key))?, above(Included(key))?);
    let in_order = before.as_ref().is_none_or(|found| found.value() < key)
        && after.as_ref().is_none_or(|found| found.value() >= key);
    let same = |a: &Option<Lent<'_>>, b: &Option<Lent<'_>>| a.as_ref().map(Lent::value) == b.as_ref().map(Lent::value);
    let beside_each_other = match (&before, &after) {
        (Some(lower), Some(upper)) => {
            same(&above(Excluded(lower.value()))?, &after) && same(&below(Excluded(upper.value()))?, &before)
        }
        (Some(lower), None) => above(Excluded(lower.value()))?.is_none(),
        (None, Some(upper)) => below(Excluded(upper.value()))?.is_none(),
        (None, None) => rows.is_empty().map_err(StoreError::engine)?,
    };
    if in_order && beside_each_other {
        return Ok(Some(Place { before, after }));
    }
    Err(StoreError::damaged_row(table, key, "the rows around its place are not in order"))
}

/// As [`check_place`], for a key that was looked for and not found.
fn check_absent<'a>(table: TableId, rows: &'a Table, key: &[u8]) -> Result<Option<Place<'a>>, StoreError> {
    let place = check_place(table, rows, key)?;
    if place.as_ref().and_then(|place| place.after.as_ref()).is_some_and(|found| found.value() == key) {
        return Err(StoreError::damaged_row(table, key, "it is there, and is not found by its key"));
    }
    Ok(place)
}

/// What was found under a key.
pub(crate) enum RowOrGap<'a> {
    Row(View<'a>),
    /// No row. `None` where it is not known how far that goes.
    Gap(Option<Gap>),
}

/// Keys of one table between which a snapshot has no row, as two rows said that are each other's neighbours.
pub(crate) struct Gap {
    table: TableId,
    /// The row below it; `None` where it begins with the table.
    before: Option<Vec<u8>>,
    /// The row above it; `None` where it ends with the table.
    after: Option<Vec<u8>>,
}

impl Gap {
    pub(crate) fn holds(&self, table: TableId, key: &[u8]) -> bool {
        self.table == table
            && self.before.as_deref().is_none_or(|before| before < key)
            && self.after.as_deref().is_none_or(|after| key < after)
    }
}

/// Bytes of a row in a page of the file.
type Lent<'a> = AccessGuard<'a, &'static [u8]>;

/// Key of the last row below a bound, if the row is what was written. A cursor goes down the tree once; a range would do so
/// for each of its ends.
fn row_below<'a>(table: TableId, rows: &'a Table, bound: Bound<&[u8]>) -> Result<Option<Lent<'a>>, StoreError> {
    checked_key(table, rows.upper_bound(bound).and_then(|mut cursor| cursor.prev()))
}

/// Key of the first row above a bound, if the row is what was written.
fn row_above<'a>(table: TableId, rows: &'a Table, bound: Bound<&[u8]>) -> Result<Option<Lent<'a>>, StoreError> {
    checked_key(table, rows.lower_bound(bound).and_then(|mut cursor| cursor.next()))
}

fn checked_key<'a>(
    table: TableId,
    found: Result<Option<(Lent<'a>, Lent<'a>)>, StorageError>,
) -> Result<Option<Lent<'a>>, StoreError> {
    let Some((key, value)) = found.map_err(StoreError::engine)? else { return Ok(None) };
    checksum::value_bytes(table, key.value(), value.value())?;
    Ok(Some(key))
}

impl Reader for Snapshot {
    fn table_len(&self, table: TableId) -> Result<Option<u64>, StoreError> {
        self.len(table).map(Some)
    }

    fn view(&self, table: TableId, key: &[u8]) -> Result<Option<View<'_>>, StoreError> {
        let rows = match self.opened(table)? {
            Some(Opened::Rows(rows)) => rows,
            Some(Opened::Layers(layers)) => return Ok(layers.contains(key)?.then(View::nothing)),
            None => return Ok(None),
        };
        match rows.get(key).map_err(StoreError::engine)? {
            Some(value) => View::value(table, key, value).map(Some),
            None => check_absent(table, rows, key).map(|_| None),
        }
    }

    fn raw_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<RawRange<'_>, StoreError> {
        Ok(RawRange::new(table, direction, self.stored_range(table, lower, upper, direction)?, None))
    }

    fn raw_first_key(&self, table: TableId, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = match self.opened(table)? {
            Some(Opened::Rows(rows)) => rows,
            Some(Opened::Layers(layers)) => return layers.first_key(prefix),
            None => return Ok(None),
        };
        match row_above(table, rows, Bound::Included(prefix))? {
            Some(key) if key.value().starts_with(prefix) => Ok(Some(key.value().to_vec())),
            // That there is none is not believed at once.
            _ => Ok(self.raw_prefix(table, prefix, Direction::Forward)?.next_view()?.map(|(key, _)| key.to_vec())),
        }
    }
}
