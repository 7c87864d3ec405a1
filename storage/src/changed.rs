//! What is new: rows of a collection that were written after some sequence, found through its table from sequence to
//! key. The table has an entry `sequence (8) ‖ row key` without a value for each row, or is a journal: parts
//! `sequence (8) ‖ number (4)`, each with row keys one after the other. docs/storage-format.md says what each means.

use crate::{
    batch::Batch,
    codec::Stored,
    collection::{Collection, WriteOrder},
    error::StoreError,
    key::StoreKey,
    range::{Direction, PendingTables, RawRange, View},
    reader::{Reader, decode_key, decode_row},
    space::OWN_ROWS,
    tables::TableId,
};
use std::{cmp::Ordering, marker::PhantomData, ops::Bound};

/// Bytes of an entry's key before the row's.
pub(crate) const SEQUENCE_BYTES: usize = 8;

/// Key of an entry in the table from sequence to key.
pub(crate) fn sequence_key(sequence: u64, row_key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(SEQUENCE_BYTES + row_key.len());
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(row_key);
    out
}

/// Bytes of a part of a journal: about a page of the file.
const MAX_PART_BYTES: usize = 4_000;

/// Notes in a journal that the batch of `sequence` writes a row. An entry of its own for each would cost more than the
/// row does.
pub(crate) fn note(pending: &mut PendingTables, journal: TableId, sequence: u64, row_key: &[u8]) {
    let mut number = 0;
    if let Some((key, last)) = pending.last_mut(journal, &sequence_key(sequence, &[u8::MAX; 4])) {
        // Where the journal is mended there are parts of earlier batches too.
        let is_own = key.starts_with(&sequence.to_be_bytes());
        if let Some(part) = last
            && is_own
            && part.len() + row_key.len() <= MAX_PART_BYTES
        {
            part.extend_from_slice(row_key);
            return;
        }
        if is_own {
            number = key.last_chunk().map_or(0, |number| u32::from_be_bytes(*number)) + 1;
        }
    }
    let mut part = Vec::with_capacity(MAX_PART_BYTES / 8);
    part.extend_from_slice(row_key);
    pending.insert(journal, sequence_key(sequence, &number.to_be_bytes()), Some(part));
}

/// Notes in a journal what an earlier batch should have noted.
pub(crate) fn note_afterwards(
    batch: &mut Batch,
    journal: TableId,
    sequence: u64,
    row_key: &[u8],
) -> Result<(), StoreError> {
    let last = batch.raw_prefix(journal, &sequence.to_be_bytes(), Direction::Reverse)?.next().transpose()?;
    let (key, part) = match last {
        Some((key, part)) if part.len() + row_key.len() <= MAX_PART_BYTES => (key, [&part[..], row_key].concat()),
        last => {
            let last = last.and_then(|(key, _)| key.last_chunk().map(|number| u32::from_be_bytes(*number)));
            let number = last.map_or(0, |number| number + 1);
            (sequence_key(sequence, &number.to_be_bytes()), row_key.to_vec())
        }
    };
    batch.raw_put(journal, key, part);
    Ok(())
}

/// The sequence of a part of a journal; nothing where it is no key of one.
pub(crate) fn sequence_of_part(key: &[u8]) -> Option<u64> {
    let (sequence, number) = key.split_first_chunk()?;
    (number.len() == size_of::<u32>()).then(|| u64::from_be_bytes(*sequence))
}

/// A row with what its envelope says: key and stored record.
pub type StoredRow<C> = (<C as Collection>::Key, Stored<<C as Collection>::Record>);

/// Rows that were written after some sequence, read as they are asked for. Made by [`Reader::changed_since`].
pub struct ChangedRows<'a, R, C> {
    /// Nothing where no sequence is above the one asked for.
    entries: Option<RawRange<'a>>,
    /// Of a journal, the part that is being read.
    part: Option<Part<'a>>,
    table: TableId,
    reader: &'a R,
    collection: PhantomData<C>,
}

/// Part of a journal.
struct Part<'a> {
    sequence: u64,
    keys: View<'a>,
    /// Bytes of it that were read.
    read: usize,
}

impl<'a, R: Reader, C: Collection> ChangedRows<'a, R, C> {
    const JOURNALED: bool = matches!(C::DEF.order, WriteOrder::Journaled);

    pub(crate) fn new(reader: &'a R, sequence: u64) -> Result<Self, StoreError> {
        let table = const { C::DEF.by_sequence.expect("only collections with a table from sequence to key") };
        Self::through(reader, table, sequence)
    }

    /// Through `table`, which is the collection's from sequence to key.
    pub(crate) fn through(reader: &'a R, table: TableId, sequence: u64) -> Result<Self, StoreError> {
        let entries = match sequence.checked_add(1) {
            Some(first) => {
                let lower = first.to_be_bytes();
                Some(reader.raw_range(table, Bound::Included(&lower), Bound::Unbounded, Direction::Forward)?)
            }
            None => None,
        };
        Ok(Self { entries, part: None, table, reader, collection: PhantomData })
    }

    fn dangling(&self) -> StoreError {
        StoreError::DanglingEntry { index: self.table.name() }
    }

    /// The row of the next entry or of the next key in a journal; the inner option is nothing for one that leads to no
    /// row that is to be told of.
    fn next_row(&mut self) -> Result<Option<Option<StoredRow<C>>>, StoreError> {
        if let Some(part) = &mut self.part {
            let mut rest = part.keys.get(part.read..).unwrap_or_default();
            if let Some((space, key)) = rest.split_first() {
                // What is imported is in no journal.
                if *space != OWN_ROWS {
                    return Err(self.dangling());
                }
                rest = key;
                let key = C::Key::decode_from(&mut rest)
                    .map_err(|source| StoreError::Key { table: self.table.name(), source })?;
                part.read = part.keys.len() - rest.len();
                let sequence = part.sequence;
                return self.row(sequence, key).map(Some);
            }
        }
        let Some(entries) = &mut self.entries else { return Ok(None) };
        let Some((entry, keys)) = entries.next_view()? else { return Ok(None) };
        let (sequence, row_key) = entry.split_first_chunk().ok_or_else(|| self.dangling())?;
        let sequence = u64::from_be_bytes(*sequence);
        if Self::JOURNALED {
            self.part = Some(Part { sequence, keys, read: 0 });
            return Ok(Some(None));
        }
        if !row_key.starts_with(self.reader.space().prefix()) {
            return Ok(Some(None));
        }
        self.row(sequence, decode_key::<C>(row_key)?).map(Some)
    }

    /// The row under `key` as the batch of `sequence` wrote it; nothing where a journal's note of it is stale.
    fn row(&self, sequence: u64, key: C::Key) -> Result<Option<StoredRow<C>>, StoreError> {
        let row = match self.reader.view(C::DEF.table, &self.reader.space().key(&key))? {
            Some(row) => decode_row::<C>(&row)?,
            None if Self::JOURNALED => return Ok(None),
            None => return Err(self.dangling()),
        };
        match row.sequence.cmp(&sequence) {
            Ordering::Equal => Ok(Some((key, row))),
            Ordering::Greater if Self::JOURNALED => Ok(None),
            _ => Err(self.dangling()),
        }
    }
}

impl<R: Reader, C: Collection> Iterator for ChangedRows<'_, R, C> {
    type Item = Result<StoredRow<C>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_row() {
                Ok(Some(None)) => {}
                Ok(Some(Some(row))) => return Some(Ok(row)),
                Ok(None) => return None,
                Err(error) => {
                    // What follows damage is not to be trusted, and a caller that goes on has to come to an end.
                    (self.part, self.entries) = (None, None);
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AccountRecord, Accounts, Batch, ChainParams, Meta, Options, ParamRecord, Store,
        samples::{Sample, address, hash},
        space::RowSpace,
    };
    use proptest::prelude::*;

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, u8),
        Overwrite(u8, u8),
        Remove(u8),
        Commit,
        Drop,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1u8..8, 0u8..3).prop_map(|(key, value)| Step::Put(key, value)),
            4 => (1u8..8, 0u8..3).prop_map(|(key, value)| Step::Overwrite(key, value)),
            3 => (1u8..8).prop_map(Step::Remove),
            4 => Just(Step::Commit),
            1 => Just(Step::Drop),
        ]
    }

    fn account(nonce: u8) -> AccountRecord {
        AccountRecord { nonce: nonce.into(), ..Sample::sample() }
    }

    fn param(value: u8) -> ParamRecord {
        ParamRecord { value: value.to_string() }
    }

    /// One of each kind: `accounts` is a journal, `params` is not.
    fn write(batch: &mut Batch, step: &Step) {
        match step {
            Step::Put(key, value) => batch.put::<Accounts>(&address(*key), &account(*value)).unwrap(),
            Step::Overwrite(key, value) => {
                // As its contract has it: the row is another one.
                if batch.get::<Accounts>(&address(*key)).unwrap() != Some(account(*value)) {
                    batch.overwrite::<Accounts>(&address(*key), &account(*value)).unwrap();
                }
            }
            Step::Remove(key) => {
                batch.remove::<Accounts>(&address(*key)).unwrap();
                batch.remove::<ChainParams>(&key.to_string()).unwrap();
            }
            Step::Commit | Step::Drop => {}
        }
        if let Step::Put(key, value) | Step::Overwrite(key, value) = step {
            batch.put::<ChainParams>(&key.to_string(), &param(*value)).unwrap();
        }
    }

    /// What a scan of all rows finds above `sequence`, in order of sequence and key.
    fn scanned<C: Collection>(reader: &impl Reader, sequence: u64) -> Vec<(u64, Vec<u8>, Vec<u8>)> {
        let all = reader.raw_range(C::DEF.table, Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
        let all = all.map(Result::unwrap).map(|(key, row)| (decode_row::<C>(&row).unwrap().sequence, key, row));
        let mut above: Vec<_> = all.filter(|(written, ..)| *written > sequence).collect();
        above.sort();
        above
    }

    fn agrees<C: Collection>(reader: &impl Reader, newest: u64) -> Result<(), TestCaseError> {
        for sequence in (0..=newest + 1).chain([u64::MAX]) {
            let changed = reader.changed_since::<C>(sequence).unwrap().map(Result::unwrap);
            let mut changed: Vec<_> =
                changed.map(|(key, row)| (row.sequence, RowSpace::own().key(&key), row.to_bytes().unwrap())).collect();
            if C::DEF.order == WriteOrder::Journaled {
                // Within a batch it has the order of writing, and a row that was removed and made anew twice.
                prop_assert!(changed.is_sorted_by_key(|(sequence, ..)| *sequence));
                changed.sort();
                changed.dedup();
            }
            prop_assert_eq!(changed, scanned::<C>(reader, sequence), "{} since {}", C::DEF.name, sequence);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn what_changed_since_any_sequence_is_what_a_scan_of_all_rows_finds(
            steps in prop::collection::vec(step(), 1..60)
        ) {
            let (_folder, store) = new_store();
            let mut batch = store.begin().unwrap();
            for step in steps {
                write(&mut batch, &step);
                match step {
                    Step::Commit => {
                        store.commit(batch).unwrap();
                        batch = store.begin().unwrap();
                    }
                    Step::Drop => batch = store.begin().unwrap(),
                    _ => {}
                }
            }
            let newest = batch.sequence();
            agrees::<Accounts>(&batch, newest)?;
            agrees::<ChainParams>(&batch, newest)?;
            let snapshot = store.snapshot().unwrap();
            agrees::<Accounts>(&snapshot, newest)?;
            agrees::<ChainParams>(&snapshot, newest)?;
        }
    }

    #[test]
    fn a_journal_keeps_its_entries_and_gives_each_row_once() {
        let (_folder, store) = new_store();
        for nonce in 1..=3 {
            let mut batch = store.begin().unwrap();
            batch.overwrite::<Accounts>(&address(5), &account(nonce)).unwrap();
            store.commit(batch).unwrap();
        }
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.raw_prefix(TableId::AccountsBySequence, &[], Direction::Forward).unwrap().count(), 3);
        let changed: Vec<_> = snapshot.changed_since::<Accounts>(0).unwrap().map(Result::unwrap).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!((changed[0].0, changed[0].1.sequence, changed[0].1.record), (address(5), 3, account(3)));
    }

    #[test]
    fn a_journal_goes_on_in_another_part_when_one_is_full() {
        let (_folder, store) = new_store();
        let many: Vec<_> =
            (0..1_000u16).map(|n| alloy_primitives::Address::left_padding_from(&n.to_be_bytes())).collect();
        let mut batch = store.begin().unwrap();
        for address in &many {
            batch.overwrite::<Accounts>(address, &account(1)).unwrap();
            batch.overwrite::<Accounts>(address, &account(2)).unwrap();
        }
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().unwrap();
        let parts = snapshot.raw_prefix(TableId::AccountsBySequence, &[], Direction::Forward).unwrap();
        let parts: Vec<_> = parts.map(|part| part.unwrap().1.len()).collect();
        assert_eq!(parts.iter().sum::<usize>(), 1_000 * 21, "a row that is written twice is noted once");
        assert_eq!(parts.len(), 1_000_usize.div_ceil(MAX_PART_BYTES / 21));
        let changed: Vec<_> = snapshot.changed_since::<Accounts>(0).unwrap().map(|row| row.unwrap().0).collect();
        assert_eq!(changed, many);
    }

    #[test]
    fn an_entry_that_no_write_leaves_behind_is_an_error() {
        let (_folder, store) = new_store();
        let first = |batch: &Batch| batch.changed_since::<Accounts>(0).unwrap().next();
        let dangling = |row| matches!(row, Some(Err(StoreError::DanglingEntry { index: "accounts.by_sequence" })));
        let mut batch = store.begin().unwrap();
        batch.raw_put(TableId::AccountsBySequence, *b"shorter", []);
        assert!(dangling(first(&batch)));

        let mut batch = store.begin().unwrap();
        batch.put::<Accounts>(&address(5), &account(1)).unwrap();
        let mut rows = batch.changed_since::<Accounts>(0).unwrap();
        assert!(rows.next().unwrap().is_ok() && rows.next().is_none());
        drop(rows);
        let own_key = RowSpace::own().key(&address(5));
        let part = |sequence| sequence_key(sequence, &0u32.to_be_bytes());
        batch.raw_remove(TableId::AccountsBySequence, part(1));
        batch.raw_put(TableId::AccountsBySequence, part(2), own_key.clone());
        assert!(dangling(first(&batch)), "a note from after the row's last write");
        for damaged in [&own_key[1..], &[&own_key[..], b"\x02"].concat()] {
            batch.raw_put(TableId::AccountsBySequence, part(2), []);
            batch.raw_put(TableId::AccountsBySequence, part(1), damaged);
            let rows = batch.changed_since::<Accounts>(0).unwrap();
            assert!(dangling(rows.last()), "a key that is not one of this node's");
        }
        batch.raw_put(TableId::AccountsBySequence, part(1), &own_key[..9]);
        assert!(matches!(first(&batch), Some(Err(StoreError::Key { table: "accounts.by_sequence", .. }))));

        let mut batch = store.begin().unwrap();
        batch.raw_put(TableId::ChainParamsBySequence, sequence_key(1, &RowSpace::own().key(&"gone".to_owned())), []);
        let lost = batch.changed_since::<ChainParams>(0).unwrap().next();
        assert!(matches!(lost, Some(Err(StoreError::DanglingEntry { .. }))), "only a journal has stale entries");
    }

    #[test]
    fn imported_rows_are_passed_over() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        batch.put::<ChainParams>(&"own".to_owned(), &param(1)).unwrap();
        let imported = [&[OWN_ROWS + 1][..], b"elsewhere"].concat();
        batch.raw_put(TableId::ChainParamsBySequence, sequence_key(1, &imported), []);
        let keys: Vec<_> = batch.changed_since::<ChainParams>(0).unwrap().map(|row| row.unwrap().0).collect();
        assert_eq!(keys, ["own"]);
    }
}
