//! An open batch: an ordered set of writes over a snapshot, kept in memory until the store commits it whole.

use crate::{
    changed::{self, sequence_key},
    codec::{self, Origin},
    collection::{Collection, Placement, WriteOrder},
    error::StoreError,
    key::StoreKey,
    range::{Direction, PendingTables, RawRange, View, is_empty_range},
    reader::{Reader, decode_row},
    shard::{OpenRange, RowChange},
    snapshot::{Gap, RowOrGap, Snapshot},
    space::RowSpace,
    tables::TableId,
};
use std::ops::Bound;

/// What a write did to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// There was none.
    Added,
    /// It was otherwise.
    Changed,
    /// It stayed as it was.
    Unchanged,
}

/// Writes that become visible and durable together, or not at all. Reads through a batch see its own writes.
///
/// A batch that is dropped leaves nothing. Each row's index entries change with it in the same batch.
pub struct Batch {
    base: Snapshot,
    began: u64,
    pending: PendingTables,
    /// Where the last row that was new has its place, so that those of a run are not each looked for.
    gap: Option<Gap>,
    /// Where records are encoded, so that what is kept of them takes no more memory than it has bytes.
    scratch: Vec<u8>,
    /// The range of the shard index that rows are being written to.
    pub(crate) shard: Option<OpenRange>,
}

impl Batch {
    pub(crate) fn new(base: Snapshot) -> Result<Self, StoreError> {
        let began = base.sequence()?;
        Ok(Self { base, began, pending: PendingTables::default(), gap: None, scratch: Vec::new(), shard: None })
    }

    /// The sequence that this batch writes into its records and that the store has after the commit.
    pub fn sequence(&self) -> u64 {
        self.began + 1
    }

    /// Sequence of the store that the batch was begun on.
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    /// All that is to be written.
    pub(crate) fn into_pending(mut self) -> Result<PendingTables, StoreError> {
        self.close_shard()?;
        Ok(self.pending)
    }

    /// Makes all of a change or none of it: where it fails, the batch is as it was before.
    pub fn attempt<T, E>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let shard = self.shard.clone();
        self.pending.begin_undo();
        let changed = change(self);
        self.pending.end_undo(changed.is_ok());
        if changed.is_err() {
            self.shard = shard;
        }
        changed
    }

    /// Whether nothing was written to the batch.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Writes the row, whether or not there is one under the key. A row that stays the same is not written again.
    pub fn put<C: Collection>(&mut self, key: &C::Key, record: &C::Record) -> Result<(), StoreError> {
        self.put_row::<C>(own_key(key), C::DEF.origin, key, record).map(drop)
    }

    /// Writes a row under its key as it lies in the table.
    pub(crate) fn put_row<C: Collection>(
        &mut self,
        row_key: Vec<u8>,
        origin: Origin,
        key: &C::Key,
        record: &C::Record,
    ) -> Result<Written, StoreError> {
        let value = self.encode::<C>(record, origin)?;
        let mut old_entries = Vec::new();
        let (mut old_sequence, mut old_bytes) = (None, None);
        if let Some(old) = self.old_row(C::DEF.table, &row_key)? {
            if codec::same_row(&old, &value) {
                return Ok(Written::Unchanged);
            }
            old_sequence = Some(sequence_of::<C>(&old)?);
            old_bytes = Some(old.len());
            if !C::INDEXES.is_empty() {
                let old = decode_row::<C>(&old)?.record;
                old_entries.extend(C::INDEXES.iter().map(|index| index.entry_key(key, &old, &row_key)));
            }
        }
        old_entries.resize_with(C::INDEXES.len(), || None);
        for (index, old) in C::INDEXES.iter().zip(old_entries) {
            let new = index.entry_key(key, record, &row_key);
            if new != old {
                if let Some(entry) = old {
                    self.raw_remove(index.table, entry);
                }
                if let Some(entry) = new {
                    self.pending.insert_new(index.table, entry);
                }
            }
        }
        if old_sequence != Some(self.sequence()) {
            if let (Some(table), Some(old)) = (C::DEF.by_sequence, old_sequence)
                && C::DEF.order != WriteOrder::Journaled
            {
                self.raw_remove(table, sequence_key(old, &row_key));
            }
            self.note_sequence::<C>(&row_key);
        }
        self.note_shard_of::<C>(&row_key, RowChange { old_bytes, new_bytes: Some(value.len()) })?;
        self.raw_put(C::DEF.table, row_key, value);
        Ok(if old_bytes.is_some() { Written::Changed } else { Written::Added })
    }

    /// Writes a row under a key that is new by construction, such as a block's height: no old row is looked for.
    pub fn append<C: Collection>(&mut self, key: &C::Key, record: &C::Record) -> Result<(), StoreError> {
        debug_assert!(!matches!(self.contains::<C>(key), Ok(true)), "{key:?} is already in {}", C::DEF.name);
        let row_key = own_key(key);
        let value = self.encode::<C>(record, C::DEF.origin)?;
        for index in C::INDEXES {
            if let Some(entry) = index.entry_key(key, record, &row_key) {
                self.pending.insert_new(index.table, entry);
            }
        }
        self.note_sequence::<C>(&row_key);
        self.note_shard_of::<C>(&row_key, RowChange { old_bytes: None, new_bytes: Some(value.len()) })?;
        self.raw_put(C::DEF.table, row_key, value);
        Ok(())
    }

    /// Writes a row of a collection without entries that would have to be taken back: it has no index, and no table from
    /// sequence to key or one that is a journal. The caller has seen the old row and knows that the new one differs, so
    /// the old one is not read again.
    pub fn overwrite<C: Collection>(&mut self, key: &C::Key, record: &C::Record) -> Result<(), StoreError> {
        const {
            assert!(
                C::INDEXES.is_empty()
                    && !matches!(C::DEF.order, WriteOrder::Any)
                    && matches!(C::DEF.placement, Placement::Replicated),
                "the old row's entries would stay"
            );
        };
        let row_key = own_key(key);
        let value = self.encode::<C>(record, C::DEF.origin)?;
        let pending = self.pending.get(C::DEF.table);
        let written_before = matches!(pending.and_then(|pending| pending.get(&row_key)), Some(Some(_)));
        if !written_before {
            self.note_sequence::<C>(&row_key);
        }
        self.raw_put(C::DEF.table, row_key, value);
        Ok(())
    }

    /// The row under a key that is written to.
    fn old_row(&mut self, table: TableId, key: &[u8]) -> Result<Option<View<'_>>, StoreError> {
        if let Some(pending) = self.pending.get(table).and_then(|pending| pending.get(key)) {
            return Ok(pending.as_deref().map(View::pending));
        }
        if self.gap.as_ref().is_some_and(|gap| gap.holds(table, key)) {
            return Ok(None);
        }
        match self.base.row_or_gap(table, key)? {
            RowOrGap::Row(row) => Ok(Some(row)),
            RowOrGap::Gap(gap) => {
                self.gap = gap;
                Ok(None)
            }
        }
    }

    /// Notes the change of a row in the shard index, where its collection is sharded.
    fn note_shard_of<C: Collection>(&mut self, row_key: &[u8], change: RowChange) -> Result<(), StoreError> {
        match C::DEF.placement {
            Placement::Sharded(_) => self.note_shard(const { &C::DEF }, row_key, change),
            Placement::Replicated => Ok(()),
        }
    }

    /// Makes the way from this batch's sequence to a row that it writes.
    fn note_sequence<C: Collection>(&mut self, row_key: &[u8]) {
        let Some(table) = C::DEF.by_sequence else { return };
        let sequence = self.sequence();
        if C::DEF.order == WriteOrder::Journaled {
            changed::note(&mut self.pending, table, sequence, row_key);
        } else {
            self.raw_put(table, sequence_key(sequence, row_key), Vec::new());
        }
    }

    /// Removes the row and says whether there was one.
    pub fn remove<C: Collection>(&mut self, key: &C::Key) -> Result<bool, StoreError> {
        self.remove_row::<C>(own_key(key), key)
    }

    /// Removes the row under its key as it lies in the table, and says whether there was one.
    pub(crate) fn remove_row<C: Collection>(&mut self, row_key: Vec<u8>, key: &C::Key) -> Result<bool, StoreError> {
        let Some(old) = self.view(C::DEF.table, &row_key)? else { return Ok(false) };
        let (old, old_bytes) = (decode_row::<C>(&old)?, Some(old.len()));
        for index in C::INDEXES {
            if let Some(entry) = index.entry_key(key, &old.record, &row_key) {
                self.raw_remove(index.table, entry);
            }
        }
        if let Some(table) = C::DEF.by_sequence
            && C::DEF.order != WriteOrder::Journaled
        {
            self.raw_remove(table, sequence_key(old.sequence, &row_key));
        }
        self.note_shard_of::<C>(&row_key, RowChange { old_bytes, new_bytes: None })?;
        self.raw_remove(C::DEF.table, row_key);
        Ok(true)
    }

    /// How many rows a table has as the batch leaves it. The engine keeps count of what is stored.
    pub(crate) fn rows_left(&self, table: TableId) -> Result<u64, StoreError> {
        let mut rows = self.base.len(table)?;
        for (key, value) in self.pending.get(table).into_iter().flatten() {
            let was_there = self.base.view(table, key)?.is_some();
            rows = (rows + u64::from(value.is_some())).saturating_sub(u64::from(was_there));
        }
        Ok(rows)
    }

    /// Writes an entry of an internal table.
    pub fn raw_put(&mut self, table: TableId, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.pending.insert(table, key.into(), Some(value.into()));
    }

    /// Puts an entry of an index that is not there, as the index of a new row is written.
    #[cfg(test)]
    pub(crate) fn put_new_entry(&mut self, table: TableId, key: Vec<u8>) {
        self.pending.insert_new(table, key);
    }

    /// Removes an entry of an internal table, whether or not there is one.
    pub fn raw_remove(&mut self, table: TableId, key: impl Into<Vec<u8>>) {
        self.pending.insert(table, key.into(), None);
    }

    fn encode<C: Collection>(&mut self, record: &C::Record, origin: Origin) -> Result<Vec<u8>, StoreError> {
        let sequence = self.sequence();
        codec::encode_into(&mut self.scratch, record, origin, sequence)
            .map_err(|source| StoreError::Record { collection: C::DEF.name, source })?;
        Ok(self.scratch.clone())
    }
}

/// The key of an own row as it lies in its table.
fn own_key<K: StoreKey>(key: &K) -> Vec<u8> {
    RowSpace::own().key(key)
}

fn sequence_of<C: Collection>(value: &[u8]) -> Result<u64, StoreError> {
    codec::sequence_of(value).map_err(|source| StoreError::Record { collection: C::DEF.name, source })
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
        let stored = self.base.stored_range(table, lower, upper, direction)?;
        let pending = match self.pending.get(table) {
            Some(pending) if !is_empty_range(lower, upper) => Some(pending.range::<[u8], _>((lower, upper))),
            _ => None,
        };
        Ok(RawRange::new(table, direction, stored, pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AccountRecord, Accounts, AnchoringStatus, ChainParams, Index, KeyPrefix, Meta, Options, ParamRecord,
        SessionAnchoringRecord, SessionAnchorings, SessionAnchoringsByStatus, SessionAnchoringsByUser, Store,
        samples::{Sample, address, anchoring, hash, session},
    };
    use lucid_types::AnchoringId;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    fn entries(reader: &impl Reader, table: TableId) -> BTreeSet<Vec<u8>> {
        let all = reader.raw_range(table, Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
        all.map(|entry| entry.unwrap().0).collect()
    }

    /// Rows are those of the model, and every index has exactly the entries that the rows ask for.
    fn holds(reader: &impl Reader, model: &Model) -> Result<(), TestCaseError> {
        let rows = reader.range::<SessionAnchorings>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
        let rows: BTreeMap<_, _> = rows.map(Result::unwrap).collect();
        let expected: BTreeMap<_, _> = model.iter().map(|(key, (record, _))| (*key, record.clone())).collect();
        prop_assert_eq!(rows, expected);
        for index in SessionAnchorings::INDEXES {
            let wanted = model.iter().filter_map(|(key, (record, _))| index.entry_key(key, record, &own_key(key)));
            prop_assert_eq!(entries(reader, index.table), wanted.collect());
        }
        let wanted = model.iter().map(|(key, (_, sequence))| sequence_key(*sequence, &own_key(key)));
        prop_assert_eq!(entries(reader, TableId::SessionAnchoringsBySequence), wanted.collect());
        Ok(())
    }

    type Model = BTreeMap<AnchoringId, (SessionAnchoringRecord, u64)>;

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, Box<SessionAnchoringRecord>),
        /// So many rows one after the other, among which there are some already.
        Run(u8, u8, Box<SessionAnchoringRecord>),
        Remove(u8),
        Commit,
        Drop,
    }

    fn record() -> impl Strategy<Value = SessionAnchoringRecord> {
        let status = prop::sample::select(AnchoringStatus::ALL);
        (0u8..3, status, prop::option::of("[ab]?"), prop::option::of(0u8..3)).prop_map(
            |(id, status, user_id, hash_byte)| {
                let transaction_id = hash_byte.map(hash);
                SessionAnchoringRecord { session_id: session(id), status, user_id, transaction_id, ..Sample::sample() }
            },
        )
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (1u8..6, record()).prop_map(|(key, record)| Step::Put(key, record.into())),
            2 => (1u8..12, 2u8..12, record()).prop_map(|(key, rows, record)| Step::Run(key, rows, record.into())),
            3 => (1u8..9).prop_map(Step::Remove),
            2 => Just(Step::Commit),
            1 => Just(Step::Drop),
        ]
    }

    fn put(batch: &mut Batch, model: &mut Model, key: u8, record: &SessionAnchoringRecord) {
        let key = anchoring(key);
        batch.put::<SessionAnchorings>(&key, record).unwrap();
        // A row that stays the same keeps its sequence.
        if model.get(&key).is_none_or(|(old, _)| old != record) {
            model.insert(key, (record.clone(), batch.sequence()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn indexes_are_what_the_rows_say_after_any_writes(steps in prop::collection::vec(step(), 1..40)) {
            let (_folder, store) = new_store();
            let mut committed = Model::new();
            let (mut batch, mut model) = (store.begin().unwrap(), Model::new());
            for step in steps {
                match step {
                    Step::Put(key, record) => put(&mut batch, &mut model, key, &record),
                    Step::Run(key, rows, record) => {
                        (key..key + rows).for_each(|key| put(&mut batch, &mut model, key, &record));
                    }
                    Step::Remove(key) => {
                        let key = anchoring(key);
                        let removed = batch.remove::<SessionAnchorings>(&key).unwrap();
                        prop_assert_eq!(removed, model.remove(&key).is_some());
                    }
                    Step::Commit => {
                        holds(&batch, &model)?;
                        store.commit(batch).unwrap();
                        committed = model.clone();
                        batch = store.begin().unwrap();
                    }
                    Step::Drop => {
                        batch = store.begin().unwrap();
                        model = committed.clone();
                    }
                }
            }
            holds(&batch, &model)?;
            holds(&store.snapshot().unwrap(), &committed)?;
        }
    }

    fn found<I: Index<Collection = SessionAnchorings>>(
        reader: &impl Reader,
        prefix: &impl KeyPrefix<I::Key>,
        direction: Direction,
    ) -> Vec<AnchoringId> {
        let keys = reader.keys_by_index::<I>(prefix, direction).unwrap().map(|entry| entry.unwrap().1).collect();
        let rows: Vec<_> = reader.by_index::<I>(prefix, direction).unwrap().map(|row| row.unwrap().0).collect();
        assert_eq!(rows, keys);
        keys
    }

    #[test]
    fn an_index_finds_rows_by_its_key_by_a_part_of_it_and_by_range() {
        use AnchoringStatus::{Confirmed, Failed, Pending};
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        let users = [("ann", Pending), ("ann", Failed), ("anna", Pending), ("ann", Pending)];
        for (n, (user, status)) in (1u8..).zip(users) {
            let record = SessionAnchoringRecord { user_id: Some(user.into()), status, ..Sample::sample() };
            batch.put::<SessionAnchorings>(&anchoring(n), &record).unwrap();
        }
        store.commit(batch).unwrap();
        let reader = store.snapshot().unwrap();
        let ids = |ns: &[u8]| ns.iter().map(|n| anchoring(*n)).collect::<Vec<_>>();
        let ann = "ann".to_owned();
        type ByUser = SessionAnchoringsByUser;
        assert_eq!(found::<ByUser>(&reader, &ann, Direction::Forward), ids(&[1, 4, 2]));
        assert_eq!(found::<ByUser>(&reader, &(ann.clone(), Pending), Direction::Reverse), ids(&[4, 1]));
        assert_eq!(found::<ByUser>(&reader, &(ann.clone(), Confirmed), Direction::Forward), ids(&[]));

        type ByStatus = SessionAnchoringsByStatus;
        let range = |from, to| -> Vec<_> {
            let keys = reader.keys_by_index_range::<ByStatus>(from, to, Direction::Forward).unwrap();
            keys.map(|entry| entry.unwrap().1).collect()
        };
        assert_eq!(range(Bound::Included(&Pending), Bound::Excluded(&Failed)), ids(&[1, 3, 4]));
        assert_eq!(range(Bound::Excluded(&Pending), Bound::Included(&Failed)), ids(&[2]));
        assert_eq!(range(Bound::Unbounded, Bound::Included(&Pending)), ids(&[1, 3, 4]));
        assert_eq!(range(Bound::Included(&Failed), Bound::Included(&Pending)), ids(&[]));
    }

    #[test]
    fn a_row_that_is_overwritten_has_the_new_record_and_the_new_sequence() {
        let (_folder, store) = new_store();
        let account = |nonce| AccountRecord { nonce, ..Sample::sample() };
        for nonce in 1..=2 {
            let mut batch = store.begin().unwrap();
            batch.overwrite::<Accounts>(&address(5), &account(nonce)).unwrap();
            store.commit(batch).unwrap();
        }
        let stored = store.snapshot().unwrap().get_stored::<Accounts>(&address(5)).unwrap().unwrap();
        assert_eq!((stored.record, stored.sequence), (account(2), 2));
    }

    #[test]
    fn imported_rows_are_met_by_no_walk_over_own_rows() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        batch.put::<ChainParams>(&"own".to_owned(), &ParamRecord::sample()).unwrap();
        for first in [0, 2] {
            let key = [vec![first], "own".to_owned().to_key_bytes()].concat();
            batch.raw_put(TableId::ChainParams, key, *b"not a record");
        }
        let rows: Vec<_> =
            batch.range::<ChainParams>(Bound::Unbounded, Bound::Unbounded, Direction::Reverse).unwrap().collect();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].as_ref().unwrap().0, "own");
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "is already in params")]
    fn appending_over_a_row_is_a_mistake_of_the_caller() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        batch.append::<ChainParams>(&"key".to_owned(), &ParamRecord::sample()).unwrap();
        batch.append::<ChainParams>(&"key".to_owned(), &ParamRecord::sample()).unwrap();
    }
}
