//! What is new in a collection, in pages and without its types: what an export to another server is made of.
//!
//! A page begins at a position, which is bytes that only this file reads: the key of the last entry that was looked at, in
//! the table that leads from sequences to keys; of a collection whose rows are appended, the key of the last row; of a single
//! row, its sequence.

use crate::{
    codec,
    collection::WriteOrder,
    error::StoreError,
    import::{import_sources, is_shadowed},
    pages::{MAX_PAGE_BYTES, MAX_PAGE_ROWS},
    range::{Direction, RawRange},
    reader::Reader,
    schema::Schema,
    tables::TableId,
};
use std::{cmp::Ordering, ops::Bound};

/// Most entries that are looked at for a page: a journal has many that are stale, of rows that are written all the time, and
/// many may be of rows of another space.
pub const MAX_PAGE_NOTES: usize = if cfg!(test) { 50 } else { 16_384 };

/// Some rows of a collection, in the order in which they were last written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangePage {
    /// Keys and rows as they lie in the table.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the next page begins; nothing where there was never a change.
    pub position: Option<Vec<u8>>,
    /// Whether more follow.
    pub more: bool,
}

/// Rows of a collection, of the reader's space, that were written by the batch of `up_to` or before, after the position `after` of a page before:
/// as many as a page holds. A row that a later batch has written again is not among them, but after its new place.
///
/// # Errors
///
/// The tables cannot be read.
pub fn change_page<R: Reader + ?Sized>(
    reader: &R,
    schema: &Schema,
    after: Option<&[u8]>,
    up_to: u64,
) -> Result<ChangePage, StoreError> {
    let mut page = Page { page: ChangePage { position: after.map(<[u8]>::to_vec), ..ChangePage::default() }, bytes: 0 };
    match (schema.def.by_sequence, schema.def.order) {
        (Some(table), WriteOrder::Journaled) => page.read_journal(reader, schema, table, up_to)?,
        (Some(table), _) => page.read_entries(reader, schema, table, up_to)?,
        (None, order) => page.read_rows(reader, schema, order, up_to)?,
    }
    Ok(page.page)
}

/// As [`change_page`], without the rows of a source that an own row or one of an earlier source stands for in an export.
///
/// # Errors
///
/// As those of [`change_page`].
pub fn export_changes<R: Reader + ?Sized>(
    reader: &R,
    schema: &Schema,
    after: Option<&[u8]>,
    up_to: u64,
) -> Result<ChangePage, StoreError> {
    let mut page = change_page(reader, schema, after, up_to)?;
    if reader.space().source().is_some() {
        let sources = import_sources(reader)?;
        let mut rows = Vec::with_capacity(page.rows.len());
        for (key, row) in page.rows {
            if !is_shadowed(reader, &schema.def, &sources, &key)? {
                rows.push((key, row));
            }
        }
        page.rows = rows;
    }
    Ok(page)
}

/// A page that is being read.
struct Page {
    page: ChangePage,
    bytes: usize,
}

impl Page {
    /// Says so, too, where there is no room for another row.
    fn is_full(&mut self) -> bool {
        self.page.more = self.page.rows.len() >= MAX_PAGE_ROWS || self.bytes > MAX_PAGE_BYTES;
        self.page.more
    }

    fn push(&mut self, key: &[u8], row: &[u8]) {
        self.bytes += key.len() + row.len();
        self.page.rows.push((key.to_vec(), row.to_vec()));
    }

    /// Entries of a table from sequences to keys, after the position.
    fn entries<'a, R: Reader + ?Sized>(
        &self,
        reader: &'a R,
        table: TableId,
        up_to: u64,
    ) -> Result<RawRange<'a>, StoreError> {
        let lower = self.page.position.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let end = up_to.checked_add(1).map(u64::to_be_bytes);
        let upper = end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(&end[..]));
        reader.raw_range(table, lower, upper, Direction::Forward)
    }

    fn read_entries<R: Reader + ?Sized>(
        &mut self,
        reader: &R,
        schema: &Schema,
        table: TableId,
        up_to: u64,
    ) -> Result<(), StoreError> {
        let dangling = || StoreError::DanglingEntry { index: table.name() };
        let (mut entries, mut looked_at) = (self.entries(reader, table, up_to)?, 0);
        while let Some((entry, _)) = entries.next_view()? {
            if self.is_full() || looked_at >= MAX_PAGE_NOTES {
                self.page.more = true;
                break;
            }
            looked_at += 1;
            let (sequence, row_key) = entry.split_first_chunk().ok_or_else(dangling)?;
            if row_key.starts_with(reader.space().prefix()) {
                let row = reader.view(schema.def.table, row_key)?.ok_or_else(dangling)?;
                if sequence_of(schema, &row)? != u64::from_be_bytes(*sequence) {
                    return Err(dangling());
                }
                self.push(row_key, &row);
            }
            self.page.position = Some(entry.to_vec());
        }
        Ok(())
    }

    /// A part of a journal is read whole or not at all: it is about a page of the file.
    fn read_journal<R: Reader + ?Sized>(
        &mut self,
        reader: &R,
        schema: &Schema,
        journal: TableId,
        up_to: u64,
    ) -> Result<(), StoreError> {
        let dangling = || StoreError::DanglingEntry { index: journal.name() };
        let (mut parts, mut notes) = (self.entries(reader, journal, up_to)?, 0);
        while let Some((part, keys)) = parts.next_view()? {
            if self.is_full() || notes >= MAX_PAGE_NOTES {
                self.page.more = true;
                break;
            }
            let (sequence, _) = part.split_first_chunk().ok_or_else(dangling)?;
            let sequence = u64::from_be_bytes(*sequence);
            let mut rest: &[u8] = &keys;
            while !rest.is_empty() {
                let row_key = schema.first_row_key(reader.space(), rest).ok_or_else(dangling)?;
                rest = &rest[row_key.len()..];
                notes += 1;
                let Some(row) = reader.view(schema.def.table, row_key)? else { continue };
                match sequence_of(schema, &row)?.cmp(&sequence) {
                    Ordering::Equal => self.push(row_key, &row),
                    // Written again: another note leads to it.
                    Ordering::Greater => {}
                    Ordering::Less => return Err(dangling()),
                }
            }
            self.page.position = Some(part.to_vec());
        }
        Ok(())
    }

    /// Rows that are new where no key is below an older one; and the one row of a collection that has no other.
    fn read_rows<R: Reader + ?Sized>(
        &mut self,
        reader: &R,
        schema: &Schema,
        order: WriteOrder,
        up_to: u64,
    ) -> Result<(), StoreError> {
        let (first, end) = (reader.space().prefix(), reader.space().end());
        let is_single = order == WriteOrder::SingleRow;
        let after = self.page.position.clone().filter(|after| !is_single && after[..] >= *first);
        let lower = after.as_deref().map_or(Bound::Included(first), Bound::Excluded);
        let mut rows = reader.raw_range(schema.def.table, lower, Bound::Excluded(&end), Direction::Forward)?;
        while let Some((key, row)) = rows.next_view()? {
            if self.is_full() {
                break;
            }
            let sequence = sequence_of(schema, &row)?;
            if sequence > up_to {
                break;
            }
            let position = if is_single { sequence.to_be_bytes().to_vec() } else { key.to_vec() };
            if is_single && self.page.position.as_ref().is_some_and(|seen| position <= *seen) {
                break;
            }
            self.push(&key, &row);
            self.page.position = Some(position);
        }
        Ok(())
    }
}

fn sequence_of(schema: &Schema, row: &[u8]) -> Result<u64, StoreError> {
    codec::sequence_of(row).map_err(|source| StoreError::Record { collection: schema.def.name, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AccountRecord, Accounts, Batch, BlockchainState, BlockchainStateRecord, ChainParams, ChunkKey, Chunks,
        Collection, Current, LeaderSchedule, LeaderScheduleRecord, Meta, Options, ParamRecord, SCHEMAS, Store,
        samples::{Sample, address, hash, session},
        space::RowSpace,
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    fn schema<C: Collection>() -> &'static Schema {
        SCHEMAS.iter().find(|schema| schema.def.table == C::DEF.table).unwrap()
    }

    /// All pages from a position on.
    fn changes<C: Collection>(
        reader: &impl Reader,
        position: &mut Option<Vec<u8>>,
        up_to: u64,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        loop {
            let page = change_page(reader, schema::<C>(), position.as_deref(), up_to).unwrap();
            rows.extend(page.rows);
            assert!(page.position.is_some() || !page.more);
            assert!(!page.more || page.position != *position, "a page that does not get on");
            *position = page.position;
            if !page.more {
                return rows;
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, u8),
        Remove(u8),
        /// As many accounts as fill some parts of a journal.
        Many(u8),
        Height(u8),
        Commit,
        Read(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => (1u8..9, 0u8..4).prop_map(|(key, value)| Step::Put(key, value)),
            2 => (1u8..9).prop_map(Step::Remove),
            1 => (0u8..3).prop_map(Step::Many),
            2 => (1u8..4).prop_map(Step::Height),
            4 => Just(Step::Commit),
            3 => (0u64..3).prop_map(Step::Read),
        ]
    }

    fn write(batch: &mut Batch, step: &Step, height: &mut u64) {
        match step {
            Step::Put(key, value) => {
                let account = AccountRecord { nonce: (*value).into(), ..Sample::sample() };
                batch.put::<Accounts>(&address(*key), &account).unwrap();
                batch.put::<ChainParams>(&key.to_string(), &ParamRecord { value: value.to_string() }).unwrap();
            }
            Step::Remove(key) => {
                batch.remove::<Accounts>(&address(*key)).unwrap();
                batch.remove::<ChainParams>(&key.to_string()).unwrap();
            }
            Step::Many(nonce) => {
                for number in 0..400u32 {
                    let key = alloy_primitives::Address::left_padding_from(&(number + 1_000).to_be_bytes());
                    let account = AccountRecord { nonce: (*nonce).into(), ..Sample::sample() };
                    batch.put::<Accounts>(&key, &account).unwrap();
                }
            }
            Step::Height(count) => {
                for _ in 0..*count {
                    *height += 1;
                    batch.append::<LeaderSchedule>(height, &LeaderScheduleRecord::sample()).unwrap();
                }
                let head = BlockchainStateRecord { height: *height, ..Sample::sample() };
                batch.put::<BlockchainState>(&Current, &head).unwrap();
            }
            Step::Commit | Step::Read(_) => {}
        }
    }

    /// What somebody has who takes over every change, and how far he has come.
    #[derive(Default)]
    struct Copy {
        rows: BTreeMap<Vec<u8>, Vec<u8>>,
        position: Option<Vec<u8>>,
    }

    impl Copy {
        /// Follows up to a batch. What it then has of that batch and before is what the store has.
        fn follow<C: Collection>(&mut self, store: &Store, up_to: u64) -> Result<(), TestCaseError> {
            let snapshot = store.snapshot().unwrap();
            self.rows.extend(changes::<C>(&snapshot, &mut self.position, up_to));
            let mut all = snapshot.raw_prefix(C::DEF.table, snapshot.space().prefix(), Direction::Forward).unwrap();
            while let Some((key, row)) = all.next_view().unwrap() {
                match sequence_of(schema::<C>(), &row).unwrap() <= up_to {
                    true => prop_assert_eq!(self.rows.get(&*key).map(Vec::as_slice), Some(&*row), "{}", C::DEF.name),
                    false => prop_assert_ne!(self.rows.get(&*key).map(Vec::as_slice), Some(&*row), "{}", C::DEF.name),
                }
            }
            prop_assert_eq!(changes::<C>(&snapshot, &mut self.position.clone(), up_to), [], "{} again", C::DEF.name);
            Ok(())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn who_follows_the_changes_has_what_the_store_has(steps in prop::collection::vec(step(), 1..60)) {
            let (_folder, store) = new_store();
            let (mut batch, mut height) = (store.begin().unwrap(), 0);
            let (mut accounts, mut params, mut schedule, mut state) =
                (Copy::default(), Copy::default(), Copy::default(), Copy::default());
            let mut followed = 0;
            for step in steps.into_iter().chain([Step::Commit, Step::Read(0)]) {
                write(&mut batch, &step, &mut height);
                if let Step::Commit = step {
                    store.commit(batch).unwrap();
                    batch = store.begin().unwrap();
                }
                if let Step::Read(behind) = step {
                    // Never back: who follows asks with a sequence that the store has or had.
                    followed = followed.max(store.snapshot().unwrap().sequence().unwrap().saturating_sub(behind));
                    accounts.follow::<Accounts>(&store, followed)?;
                    params.follow::<ChainParams>(&store, followed)?;
                    schedule.follow::<LeaderSchedule>(&store, followed)?;
                    state.follow::<BlockchainState>(&store, followed)?;
                }
            }
        }
    }

    #[test]
    fn stale_notes_of_a_journal_do_not_make_a_page_long() {
        let (_folder, store) = new_store();
        for nonce in 0..200 {
            let mut batch = store.begin().unwrap();
            let account = AccountRecord { nonce, ..Sample::sample() };
            batch.put::<Accounts>(&address(1), &account).unwrap();
            store.commit(batch).unwrap();
        }
        let (snapshot, mut position) = (store.snapshot().unwrap(), None);
        let page = change_page(&snapshot, schema::<Accounts>(), None, u64::MAX).unwrap();
        assert!(page.more && page.rows.is_empty() && page.position.is_some());
        assert_eq!(changes::<Accounts>(&snapshot, &mut position, u64::MAX).len(), 1);
    }

    /// Each space is followed by itself, however many entries of the others lie between, and an export has one row of each key.
    #[test]
    fn imported_rows_are_followed_apart_and_those_that_another_stands_for_are_left_out() {
        let (_folder, store) = new_store();
        let sources = ["a", "b"].map(|name| name.parse().unwrap());
        let key = |idx: u32| ChunkKey { session_id: session(1), idx, account: address(1) };
        let mut batch = store.begin().unwrap();
        for idx in 0..200 {
            batch.import::<Chunks>(&sources[0], &key(idx), &Sample::sample(), None).unwrap();
        }
        for idx in 190..210 {
            batch.import::<Chunks>(&sources[1], &key(idx), &Sample::sample(), None).unwrap();
        }
        batch.put::<Chunks>(&key(0), &Sample::sample()).unwrap();
        batch.put::<Chunks>(&key(205), &Sample::sample()).unwrap();
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().unwrap();
        let told = |space: &RowSpace| {
            let (rows, mut position, mut told, mut pages) = (snapshot.rows_of(space), None::<Vec<u8>>, 0, 0);
            loop {
                let page = export_changes(&rows, schema::<Chunks>(), position.as_deref(), u64::MAX).unwrap();
                (position, told, pages) = (page.position, told + page.rows.len(), pages + 1);
                if !page.more {
                    return (told, pages);
                }
            }
        };
        let (own, pages) = told(RowSpace::own());
        assert_eq!(own, 2);
        assert!(pages > 2, "what is looked at for a page is bounded");
        assert_eq!(sources.each_ref().map(|source| told(&RowSpace::of_source(source)).0), [199, 9]);
    }

    /// Whoever asks over the network sends what it likes.
    #[test]
    fn any_bytes_are_a_position() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        let mut height = 0;
        for step in [Step::Put(1, 1), Step::Height(3)] {
            write(&mut batch, &step, &mut height);
        }
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().unwrap();
        for position in [&[][..], &[0], &[1], &[2], &[0xff; 100]] {
            for schema in SCHEMAS {
                change_page(&snapshot, schema, Some(position), u64::MAX).unwrap();
            }
        }
    }
}
