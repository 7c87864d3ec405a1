//! A walk over one table: what is stored, with what a batch has pending laid over it. Nothing is loaded ahead.

use crate::{checksum, error::StoreError, layers::LayeredRange, snapshot::RangeEnds, tables::TableId};
use redb::AccessGuard;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map},
    ops::{Bound, Deref},
};

/// Which way a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest key up.
    Forward,
    /// From the highest key down.
    Reverse,
}

pub(crate) type Guard = AccessGuard<'static, &'static [u8]>;
pub(crate) type StoredRange = redb::Range<'static, &'static [u8], &'static [u8]>;
/// What a batch would change in one table: new values, and `None` for what it removes.
pub(crate) type Pending = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Bytes of the store, where they lie: in a page of the file or in a batch.
pub struct View<'a>(ViewBytes<'a>);

enum ViewBytes<'a> {
    Key(Guard),
    /// With its length before the checksum.
    Value(Guard, usize),
    Pending(&'a [u8]),
    /// A key of a layered table, out of its part.
    Copied(Vec<u8>),
}

impl View<'_> {
    /// The value of an entry of a layered table.
    pub(crate) fn nothing() -> Self {
        Self(ViewBytes::Pending(&[]))
    }

    fn key(guard: Guard) -> Self {
        Self(ViewBytes::Key(guard))
    }

    /// The value that the file has under `key`, if it is what was written there.
    pub(crate) fn value(table: TableId, key: &[u8], guard: Guard) -> Result<Self, StoreError> {
        let bytes = checksum::value_bytes(table, key, guard.value())?;
        Ok(Self(ViewBytes::Value(guard, bytes)))
    }
}

impl<'a> View<'a> {
    pub(crate) fn pending(bytes: &'a [u8]) -> Self {
        Self(ViewBytes::Pending(bytes))
    }
}

impl Deref for View<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            ViewBytes::Key(guard) => guard.value(),
            ViewBytes::Value(guard, bytes) => &guard.value()[..*bytes],
            ViewBytes::Pending(bytes) => bytes,
            ViewBytes::Copied(bytes) => bytes,
        }
    }
}

/// Whether no key lies within the bounds. Both kinds of map panic when asked for some such ranges.
pub(crate) fn is_empty_range(lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> bool {
    match (lower, upper) {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
        _ => false,
    }
}

/// What is stored of a table within bounds.
pub(crate) struct StoredRows<'a> {
    pub(crate) range: StoredRange,
    /// Where it ends on both sides.
    pub(crate) ends: RangeEnds<'a>,
}

/// As [`StoredRows`], of either kind of table.
#[expect(clippy::large_enum_variant, reason = "each walk has one, and hardly any is over levels")]
pub(crate) enum Stored<'a> {
    Rows(StoredRows<'a>),
    Layers(LayeredRange<'a>),
}

/// An entry of the file.
enum Head {
    Row(Guard, Guard),
    Key(Vec<u8>),
}

impl Head {
    fn key(&self) -> &[u8] {
        match self {
            Self::Row(key, _) => key.value(),
            Self::Key(key) => key,
        }
    }
}

/// Entries of one table within bounds, in key order or against it. The iterator copies each entry.
pub struct RawRange<'a> {
    table: TableId,
    direction: Direction,
    stored: Option<Stored<'a>>,
    stored_head: Option<Head>,
    /// Key of the last entry that the file gave; nothing at the beginning.
    last: Option<Vec<u8>>,
    pending: Option<btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>>,
    pending_head: Option<(&'a [u8], Option<&'a [u8]>)>,
}

impl<'a> RawRange<'a> {
    pub(crate) fn new(
        table: TableId,
        direction: Direction,
        stored: Option<Stored<'a>>,
        pending: Option<btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>>,
    ) -> Self {
        Self { table, direction, stored, stored_head: None, last: None, pending, pending_head: None }
    }

    /// The next entry, where it lies.
    pub fn next_view(&mut self) -> Result<Option<(View<'a>, View<'a>)>, StoreError> {
        loop {
            self.fill_heads()?;
            match self.first_head() {
                None => return Ok(None),
                Some(Ordering::Less) => {
                    return match self.stored_head.take() {
                        None => Ok(None),
                        Some(Head::Key(key)) => Ok(Some((View(ViewBytes::Copied(key)), View::nothing()))),
                        Some(Head::Row(key, value)) => {
                            let value = View::value(self.table, key.value(), value)?;
                            Ok(Some((View::key(key), value)))
                        }
                    };
                }
                Some(pending_first) => {
                    // The pending entry replaces the stored one of the same key.
                    if pending_first == Ordering::Equal {
                        self.stored_head = None;
                    }
                    if let Some((key, Some(value))) = self.pending_head.take() {
                        return Ok(Some((View::pending(key), View::pending(value))));
                    }
                }
            }
        }
    }

    /// Which head comes first: less is the stored one, greater the pending one, equal both.
    fn first_head(&self) -> Option<Ordering> {
        match (&self.stored_head, &self.pending_head) {
            (None, None) => None,
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some(stored), Some((pending, _))) => Some(match self.direction {
                Direction::Forward => stored.key().cmp(pending),
                Direction::Reverse => stored.key().cmp(pending).reverse(),
            }),
        }
    }

    /// Each entry of the file comes after the one before it, or a page number leads to a page that is not the next one.
    fn check_order(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let in_order = match (self.direction, self.last.as_deref()) {
            (_, None) => true,
            (Direction::Forward, Some(last)) => last < key,
            (Direction::Reverse, Some(last)) => last > key,
        };
        if !in_order {
            (self.stored, self.pending) = (None, None);
            return Err(StoreError::damaged_row(self.table, key, "it is not in the order of its table"));
        }
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        Ok(())
    }

    /// The next entry of the file, if there is one.
    fn next_stored(&mut self) -> Result<Option<Head>, StoreError> {
        match &mut self.stored {
            None => Ok(None),
            Some(Stored::Layers(keys)) => Ok(keys.next_key()?.map(Head::Key)),
            Some(Stored::Rows(StoredRows { range, ends })) => {
                let next = match self.direction {
                    Direction::Forward => range.next(),
                    Direction::Reverse => range.next_back(),
                };
                let next = next.transpose().map_err(StoreError::engine)?;
                if next.is_none() {
                    // No row is believed to be the last before its neighbour was looked at.
                    ends.check(self.direction, self.last.as_deref())?;
                }
                Ok(next.map(|(key, value)| Head::Row(key, value)))
            }
        }
    }

    fn fill_heads(&mut self) -> Result<(), StoreError> {
        if self.stored_head.is_none() && self.stored.is_some() {
            // At the end, and after an error, the range is let go so that it is not asked again.
            match self.next_stored() {
                Ok(Some(head)) => {
                    self.check_order(head.key())?;
                    self.stored_head = Some(head);
                }
                Ok(None) => self.stored = None,
                Err(error) => {
                    (self.stored, self.pending) = (None, None);
                    return Err(error);
                }
            }
        }
        if self.pending_head.is_none()
            && let Some(range) = &mut self.pending
        {
            let next = match self.direction {
                Direction::Forward => range.next(),
                Direction::Reverse => range.next_back(),
            };
            self.pending_head = next.map(|(key, value)| (key.as_slice(), value.as_deref()));
            if self.pending_head.is_none() {
                self.pending = None;
            }
        }
        Ok(())
    }
}

impl Iterator for RawRange<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_view().map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec()))).transpose()
    }
}

/// What is known of the keys that are put into layered tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Puts {
    /// None of them is there.
    #[default]
    New,
    /// Some may be there already.
    Any,
}

/// What a batch would change, by table.
#[derive(Clone, Default)]
pub(crate) struct PendingTables {
    tables: Vec<Pending>,
    puts: Puts,
    /// What stood there before each change since the savepoint; `None` where there is none.
    undo: Option<Vec<Undo>>,
}

/// A table and a key, and what was pending under it.
type Undo = (TableId, Vec<u8>, Option<Option<Vec<u8>>>);

impl PendingTables {
    pub(crate) fn get(&self, table: TableId) -> Option<&Pending> {
        self.tables.get(table as usize)
    }

    /// Sets what is pending under a key: a value, or that it goes.
    pub(crate) fn insert(&mut self, table: TableId, key: Vec<u8>, value: Option<Vec<u8>>) {
        if table.is_layered() && value.is_some() {
            self.puts = Puts::Any;
        }
        self.set(table, key, value);
    }

    /// Sets that an entry without a value is put that the store does not have, as no row asks for it there.
    pub(crate) fn insert_new(&mut self, table: TableId, key: Vec<u8>) {
        // What was to go is there.
        if self.set(table, key, Some(Vec::new())) {
            self.puts = Puts::Any;
        }
    }

    /// Says whether the key was to go before.
    fn set(&mut self, table: TableId, key: Vec<u8>, value: Option<Vec<u8>>) -> bool {
        let pending = table_mut(&mut self.tables, table);
        match &mut self.undo {
            Some(undo) => {
                let old = pending.insert(key.clone(), value);
                let was_going = old == Some(None);
                undo.push((table, key, old));
                was_going
            }
            None => pending.insert(key, value) == Some(None),
        }
    }

    /// What is known of the keys that are put into layered tables.
    pub(crate) fn puts(&self) -> Puts {
        self.puts
    }

    /// The last key of a table up to `upper` and what is pending under it, to be changed where it stands.
    pub(crate) fn last_mut(&mut self, table: TableId, upper: &[u8]) -> Option<(&[u8], &mut Option<Vec<u8>>)> {
        let pending = table_mut(&mut self.tables, table);
        let (key, value) = pending.range_mut::<[u8], _>((Bound::Unbounded, Bound::Included(upper))).next_back()?;
        if let Some(undo) = &mut self.undo {
            undo.push((table, key.clone(), Some(value.clone())));
        }
        Some((key, value))
    }

    /// From here on changes can be taken back.
    pub(crate) fn begin_undo(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// Keeps the changes since then, or takes them back.
    pub(crate) fn end_undo(&mut self, keep: bool) {
        let Some(undo) = self.undo.take().filter(|_| !keep) else { return };
        for (table, key, old) in undo.into_iter().rev() {
            let table = table_mut(&mut self.tables, table);
            match old {
                Some(old) => table.insert(key, old),
                None => table.remove(&key),
            };
        }
    }

    /// Whether no table would change.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.iter().all(Pending::is_empty)
    }

    /// Every key that changes, with its table.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (TableId, &[u8])> {
        let tables = TableId::ALL.into_iter().zip(&self.tables);
        tables.flat_map(|(table, pending)| pending.keys().map(move |key| (table, key.as_slice())))
    }

    /// Tables that change.
    pub(crate) fn into_changed(self) -> impl Iterator<Item = (TableId, Pending)> {
        TableId::ALL.into_iter().zip(self.tables).filter(|(_, pending)| !pending.is_empty())
    }
}

fn table_mut(tables: &mut Vec<Pending>, table: TableId) -> &mut Pending {
    if tables.is_empty() {
        tables.resize_with(TableId::COUNT, Pending::new);
    }
    &mut tables[table as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Meta, Options, Reader, Store};
    use alloy_primitives::B256;
    use proptest::prelude::*;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Keys that are near each other, so that pending and stored ones meet.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0u8..3, 0..3)
    }

    fn writes() -> impl Strategy<Value = Vec<(Vec<u8>, Option<u8>)>> {
        prop::collection::vec((key(), prop::option::weighted(0.7, any::<u8>())), 0..12)
    }

    fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
        prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
    }

    fn apply(batch: &mut crate::Batch, model: &mut Model, writes: Vec<(Vec<u8>, Option<u8>)>) {
        for (key, value) in writes {
            match value {
                Some(value) => {
                    batch.raw_put(TableId::Code, key.clone(), [value]);
                    model.insert(key, vec![value]);
                }
                None => {
                    batch.raw_remove(TableId::Code, key.clone());
                    model.remove(&key);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_walk_over_a_batch_is_a_walk_over_what_the_store_will_hold(
            stored in writes(), pending in writes(), bounds in prop::collection::vec((bound(), bound()), 1..6)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let meta = Meta::new(vec![], B256::ZERO);
            let store = Store::create(folder.path().join("s"), &meta, &Options::default()).unwrap();
            let mut model = Model::new();
            let mut batch = store.begin().unwrap();
            apply(&mut batch, &mut model, stored);
            store.commit(batch).unwrap();
            let before = model.clone();
            let mut batch = store.begin().unwrap();
            apply(&mut batch, &mut model, pending);
            let snapshot = store.snapshot().unwrap();
            for (lower, upper) in &bounds {
                let (lower, upper) = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
                agrees(&batch, &model, lower, upper)?;
                agrees(&snapshot, &before, lower, upper)?;
            }
            store.commit(batch).unwrap();
            agrees(&store.snapshot().unwrap(), &model, Bound::Unbounded, Bound::Unbounded)?;
        }
    }

    fn agrees(
        reader: &impl Reader,
        model: &Model,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Result<(), TestCaseError> {
        let mut expected: Vec<_> = model.clone().into_iter().filter(|(key, _)| within(key, lower, upper)).collect();
        for direction in [Direction::Forward, Direction::Reverse] {
            let walked = reader.raw_range(TableId::Code, lower, upper, direction).unwrap();
            prop_assert_eq!(&walked.map(Result::unwrap).collect::<Vec<_>>(), &expected);
            expected.reverse();
        }
        for (key, value) in &expected {
            let found = reader.raw_get(TableId::Code, key).unwrap();
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        Ok(())
    }

    fn within(key: &[u8], lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> bool {
        let above = match lower {
            Bound::Included(bound) => key >= bound,
            Bound::Excluded(bound) => key > bound,
            Bound::Unbounded => true,
        };
        let below = match upper {
            Bound::Included(bound) => key <= bound,
            Bound::Excluded(bound) => key < bound,
            Bound::Unbounded => true,
        };
        above && below
    }
}
