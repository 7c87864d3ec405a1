//! The shard index: for each sharded collection, the ranges of its key space with the documents and bytes in each.
//!
//! It is kept in the batch that changes a row, and an in-order run of rows touches one range. A range that grows past a
//! bound is split between two shard keys, so rows of one shard key are never apart. One that has become empty becomes part of
//! its neighbour: what is removed in order would leave ever more of them. The rows of each source are divided by
//! themselves, beside the own ones, since they lie by themselves: a range is one scan of neighbours.

use crate::{
    batch::Batch,
    collection::{CollectionDef, Placement},
    error::StoreError,
    key::{StoreKey, successor},
    meta,
    range::Direction,
    reader::Reader,
    schema::{Schema, take_key_part},
    space::{RowSpace, split_prefix},
    tables::{COLLECTIONS, SCHEMAS, TableId},
};
use lucid_types::Document;
use std::{borrow::Cow, ops::Bound};

/// Documents of one range above which it is split: reading half of them, which a split does, takes a small machine some
/// hundredths of a second. Few in this crate's own tests, so that they split often.
pub const MAX_SHARD_DOCUMENTS: u64 = if cfg!(test) { 100 } else { 32_768 };

/// Bytes of one range above which it is split.
pub const MAX_SHARD_BYTES: u64 = 16 << 20;

/// A range of a collection's shard keys, up to the start of the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRange {
    /// Its first shard key, as bytes of a key; that of the first range stands for whatever is lowest.
    pub start: Vec<u8>,
    /// Documents in it.
    pub documents: u64,
    /// Bytes of their keys and rows.
    pub bytes: u64,
}

/// The range that a batch is writing to.
#[derive(Debug, Clone)]
pub(crate) struct OpenRange {
    def: &'static CollectionDef,
    range: ShardRange,
    /// Start of the next range, or of what is behind the rows of this space.
    end: Vec<u8>,
}

impl OpenRange {
    fn holds(&self, def: &CollectionDef, row_key: &[u8]) -> bool {
        self.def.table == def.table && *self.range.start <= *row_key && *row_key < *self.end
    }
}

/// What a write does to a row: the bytes of the old one and of the new one, each with its key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowChange {
    pub(crate) old_bytes: Option<usize>,
    pub(crate) new_bytes: Option<usize>,
}

impl Batch {
    /// Notes the change of a row of a sharded collection.
    pub(crate) fn note_shard(
        &mut self,
        def: &'static CollectionDef,
        row_key: &[u8],
        change: RowChange,
    ) -> Result<(), StoreError> {
        if !self.shard.as_ref().is_some_and(|open| open.holds(def, row_key)) {
            self.close_shard()?;
            self.shard = Some(open_range(self, def, row_key)?);
        }
        let Some(open) = &mut self.shard else { return Ok(()) };
        let range = &mut open.range;
        let added = |bytes: Option<usize>| bytes.map_or((0, 0), |bytes| (1, (row_key.len() + bytes) as u64));
        let (old, new) = (added(change.old_bytes), added(change.new_bytes));
        // Less than none is what damage would give, and `db verify` finds it.
        range.documents = (range.documents + new.0).saturating_sub(old.0);
        range.bytes = (range.bytes + new.1).saturating_sub(old.1);
        Ok(())
    }

    /// Writes the range that is open, and splits it as often as it has to be, or gives up one that is empty.
    pub(crate) fn close_shard(&mut self) -> Result<(), StoreError> {
        let Some(OpenRange { def, mut range, end }) = self.shard.take() else { return Ok(()) };
        // Damaged numbers may say so of one that is not.
        if range.documents == 0 && is_empty(self, def, &range.start, &end)? {
            return give_up_range(self, def, range, &end);
        }
        while is_too_large(&range) {
            let Some((left, right)) = split(self, def, &range, &end)? else { break };
            put_range(self, def, &left);
            range = right;
        }
        put_range(self, def, &range);
        Ok(())
    }
}

fn put_range(batch: &mut Batch, def: &CollectionDef, range: &ShardRange) {
    batch.raw_put(TableId::ShardRanges, range_key(def, &range.start), range_value(range));
}

fn range_value(range: &ShardRange) -> Vec<u8> {
    [range.documents.to_be_bytes(), range.bytes.to_be_bytes()].concat()
}

fn is_empty(reader: &Batch, def: &CollectionDef, start: &[u8], end: &[u8]) -> Result<bool, StoreError> {
    let mut rows = reader.raw_range(def.table, Bound::Included(start), Bound::Excluded(end), Direction::Forward)?;
    Ok(rows.next_view()?.is_none())
}

/// Gives the keys of an empty range to the one before it, or to the next one where it is the first. One alone stays.
fn give_up_range(batch: &mut Batch, def: &CollectionDef, empty: ShardRange, end: &[u8]) -> Result<(), StoreError> {
    let space = space_of(&empty.start).unwrap_or_default();
    if *empty.start != *space {
        batch.raw_remove(TableId::ShardRanges, range_key(def, &empty.start));
        return Ok(());
    }
    if successor(space).as_deref() == Some(end) {
        put_range(batch, def, &empty);
        return Ok(());
    }
    let next_key = range_key(def, end);
    let fault = || StoreError::damaged_row(TableId::ShardRanges, &next_key, "the range is not there");
    let next = read_range(def, &next_key, &batch.view(TableId::ShardRanges, &next_key)?.ok_or_else(fault)?)?;
    batch.raw_remove(TableId::ShardRanges, next_key);
    put_range(batch, def, &ShardRange { start: empty.start, ..next });
    Ok(())
}

/// Key of a range in the table: the collection's name, then where the range starts.
pub(crate) fn range_key(def: &CollectionDef, start: &[u8]) -> Vec<u8> {
    let mut key = def.name.to_owned().to_key_bytes();
    key.extend_from_slice(start);
    key
}

fn read_range(def: &CollectionDef, key: &[u8], value: &[u8]) -> Result<ShardRange, StoreError> {
    let fault = |what| StoreError::damaged_row(TableId::ShardRanges, key, what);
    let start = key.get(def.name.to_owned().to_key_bytes().len()..).ok_or_else(|| fault("its key is too short"))?;
    let (documents, bytes) = value.split_first_chunk().ok_or_else(|| fault("it is too short"))?;
    let bytes = bytes.try_into().map_err(|_| fault("it is not of 16 bytes"))?;
    Ok(ShardRange {
        start: start.to_vec(),
        documents: u64::from_be_bytes(*documents),
        bytes: u64::from_be_bytes(bytes),
    })
}

/// The range that a row lies in. Where a collection has none yet, one that holds everything.
fn open_range(reader: &Batch, def: &'static CollectionDef, row_key: &[u8]) -> Result<OpenRange, StoreError> {
    let fault = || StoreError::damaged_row(def.table, row_key, "its key is of no space of rows");
    let (space, _) = split_prefix(row_key).ok_or_else(fault)?;
    let (prefix, key) = (range_key(def, space), range_key(def, row_key));
    let at_or_below = reader
        .raw_range(TableId::ShardRanges, Bound::Included(&prefix), Bound::Included(&key), Direction::Reverse)?
        .next_view()?
        .map(|(key, value)| read_range(def, &key, &value))
        .transpose()?;
    let end = next_start(reader, def, row_key)?;
    let range = at_or_below.unwrap_or(ShardRange { start: space.to_vec(), documents: 0, bytes: 0 });
    Ok(OpenRange { def, range, end })
}

/// Where the first range of the same space starts that is above a key, or else where the space ends.
fn next_start(reader: &Batch, def: &CollectionDef, row_key: &[u8]) -> Result<Vec<u8>, StoreError> {
    let fault = || StoreError::damaged_row(def.table, row_key, "its key is of no space of rows");
    let space = space_of(row_key).ok_or_else(fault)?;
    let (prefix, key) = (range_key(def, space), range_key(def, row_key));
    let end = successor(&prefix);
    let above = (Bound::Excluded(key.as_slice()), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
    match reader.raw_range(TableId::ShardRanges, above.0, above.1, Direction::Forward)?.next_view()? {
        Some((key, _)) => Ok(key[range_key(def, &[]).len()..].to_vec()),
        None => successor(space).ok_or_else(fault),
    }
}

/// Whether a range is larger than one may be that can be split.
const fn is_too_large(range: &ShardRange) -> bool {
    range.documents > MAX_SHARD_DOCUMENTS || range.bytes > MAX_SHARD_BYTES
}

/// Divides a range where half of it is below: between two shard keys. `None` where all of it has one.
fn split(
    batch: &Batch,
    def: &'static CollectionDef,
    range: &ShardRange,
    end: &[u8],
) -> Result<Option<(ShardRange, ShardRange)>, StoreError> {
    let mut left = ShardRange { start: range.start.clone(), documents: 0, bytes: 0 };
    let mut last_shard_key = Vec::new();
    // Of one that is many times too large not half, or what is left of it would be too large still.
    let (documents, bytes) = (range.documents.min(MAX_SHARD_DOCUMENTS), range.bytes.min(MAX_SHARD_BYTES));
    let is_half = |left: &ShardRange| left.documents * 2 >= documents || left.bytes * 2 >= bytes;
    let (from, to) = (Bound::Included(&*range.start), Bound::Excluded(end));
    let mut rows = batch.raw_range(def.table, from, to, Direction::Forward)?;
    while let Some((key, row)) = rows.next_view()? {
        let shard_key = shard_key_of(def, &key)?;
        if left.documents > 0 && is_half(&left) && *shard_key != *last_shard_key {
            let right = ShardRange {
                start: shard_key.to_vec(),
                documents: range.documents.saturating_sub(left.documents),
                bytes: range.bytes.saturating_sub(left.bytes),
            };
            return Ok(Some((left, right)));
        }
        left.documents += 1;
        left.bytes += (key.len() + row.len()) as u64;
        last_shard_key.clear();
        last_shard_key.extend_from_slice(shard_key);
    }
    Ok(None)
}

/// The first part of a row's key: what the collection is sharded by.
fn shard_key_of<'a>(def: &CollectionDef, row_key: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let fault = || StoreError::damaged_row(def.table, row_key, "its key has no shard key");
    let schema = schema_of(def).ok_or_else(fault)?;
    let (_, mut rest) = split_prefix(row_key).ok_or_else(fault)?;
    for place in 0..shard_fields(def).len() {
        let field = schema.field(place).ok_or_else(fault)?;
        if take_key_part(&field.kind, &mut rest).is_none() {
            return Err(fault());
        }
    }
    Ok(&row_key[..row_key.len() - rest.len()])
}

fn schema_of(def: &CollectionDef) -> Option<&'static Schema> {
    SCHEMAS.iter().find(|schema| schema.def.table == def.table)
}

/// What a collection is sharded by; nothing where it is not.
pub const fn shard_fields(def: &CollectionDef) -> &'static [&'static str] {
    match def.placement {
        Placement::Sharded(fields) => fields,
        Placement::Replicated => &[],
    }
}

/// The shard key with which a range starts, as fields of a document; `None` for the first range, which starts before all.
pub fn shard_key_document(def: &CollectionDef, start: &[u8]) -> Option<Document> {
    let schema = schema_of(def)?;
    let (_, mut rest) = split_prefix(start)?;
    let fields = shard_fields(def).iter().enumerate().map(|(place, name)| {
        let value = take_key_part(&schema.field(place)?.kind, &mut rest)?;
        Some((Cow::Borrowed(*name), value))
    });
    fields.collect::<Option<_>>().map(Document)
}

/// The ranges of a sharded collection, in order, as the shard index has them for the rows of the reader's space. Together
/// they hold every shard key.
///
/// # Errors
///
/// The table cannot be read; [`StoreError::OlderFormat`] where the store's format has no ranges of all rows.
pub fn shard_ranges<R: Reader + ?Sized>(reader: &R, def: &CollectionDef) -> Result<Vec<ShardRange>, StoreError> {
    if !meta::has_ranges(&reader) {
        let found = meta::read(&reader)?.format_version;
        return Err(StoreError::OlderFormat { found, known: meta::FORMAT_VERSION });
    }
    ranges_behind(reader, def, reader.space().prefix())
}

/// The ranges whose first keys begin so.
fn ranges_behind<R: Reader + ?Sized>(
    reader: &R,
    def: &CollectionDef,
    prefix: &[u8],
) -> Result<Vec<ShardRange>, StoreError> {
    let mut ranges = Vec::new();
    let mut entries = reader.raw_prefix(TableId::ShardRanges, &range_key(def, prefix), Direction::Forward)?;
    while let Some((key, value)) = entries.next_view()? {
        ranges.push(read_range(def, &key, &value)?);
    }
    Ok(ranges)
}

fn space_of(row_key: &[u8]) -> Option<&[u8]> {
    split_prefix(row_key).map(|(prefix, _)| prefix)
}

/// A range that was counted anew.
pub(crate) struct MendedRange {
    /// Whether it was there.
    pub(crate) existed: bool,
    /// Whether it was there with other numbers, or not.
    pub(crate) changed: bool,
    /// Where the next one starts; nothing where it is the last one of its space.
    pub(crate) next: Option<Vec<u8>>,
    /// Whether that one was made of what was too much for one. Its numbers are to be counted yet.
    pub(crate) made_next: bool,
}

/// Counts the range that starts at `start`, as rows and ranges are by now. Where it is too large, the first part of it is
/// counted, and the rest becomes the next one.
pub(crate) fn mend_range(
    batch: &mut Batch,
    def: &'static CollectionDef,
    start: &[u8],
) -> Result<MendedRange, StoreError> {
    // Others may have written to the batch.
    batch.close_shard()?;
    let key = range_key(def, start);
    let old = batch.raw_get(TableId::ShardRanges, &key)?;
    let end = next_start(batch, def, start)?;
    let is_last = space_of(start).and_then(successor).as_ref() == Some(&end);
    let mut next = (!is_last).then(|| end.clone());
    let mut made_next = false;
    if old.is_none() && space_of(start) != Some(start) {
        // It was found empty and given up meanwhile: its rows, where it has any by now, are of the range before.
        return Ok(MendedRange { existed: false, changed: false, next, made_next });
    }
    let mut range = count_range(batch, def, start, &end, is_too_large)?;
    if is_too_large(&range) {
        if let Some((left, right)) = split(batch, def, &range, &end)? {
            put_range(batch, def, &ShardRange { documents: 0, bytes: 0, ..right.clone() });
            (range, next, made_next) = (left, Some(right.start), true);
        } else {
            range = count_range(batch, def, start, &end, |_| false)?;
        }
    }
    let changed = old.as_ref() != Some(&range_value(&range));
    if changed {
        put_range(batch, def, &range);
    }
    Ok(MendedRange { existed: old.is_some(), changed, next, made_next })
}

/// Counts the rows from `start` on, until `is_enough`.
fn count_range(
    reader: &Batch,
    def: &CollectionDef,
    start: &[u8],
    end: &[u8],
    is_enough: impl Fn(&ShardRange) -> bool,
) -> Result<ShardRange, StoreError> {
    let mut range = ShardRange { start: start.to_vec(), documents: 0, bytes: 0 };
    let mut rows = reader.raw_range(def.table, Bound::Included(start), Bound::Excluded(end), Direction::Forward)?;
    while !is_enough(&range)
        && let Some((key, row)) = rows.next_view()?
    {
        range.documents += 1;
        range.bytes += (key.len() + row.len()) as u64;
    }
    Ok(range)
}

/// Whether a key in the table is that of a range of some collection: it starts before all rows of a space, or with a shard
/// key.
pub(crate) fn is_range(key: &[u8]) -> bool {
    COLLECTIONS
        .iter()
        .filter(|def| !shard_fields(def).is_empty())
        .any(|def| key.strip_prefix(&range_key(def, &[])[..]).is_some_and(|start| is_start(def, start)))
}

fn is_start(def: &CollectionDef, start: &[u8]) -> bool {
    let Some((prefix, rest)) = split_prefix(start) else { return false };
    (def.importable || prefix == RowSpace::own().prefix())
        && (rest.is_empty() || shard_key_of(def, start).is_ok_and(|key| key == start))
}

/// Counts rows of all spaces, met in the order of their keys, by ranges whose starts are given.
pub(crate) struct ShardCounter {
    /// What the index has of each; nothing where that is no range's value.
    kept: Vec<Option<ShardRange>>,
    counted: Vec<ShardRange>,
    place: usize,
    /// Rows that no range has, as they are below the first one of their space, by spaces.
    outside: Vec<(Vec<u8>, u64)>,
}

impl ShardCounter {
    /// Begins to count by the ranges that a collection's index has.
    pub(crate) fn new<R: Reader + ?Sized>(reader: &R, def: &CollectionDef) -> Result<Self, StoreError> {
        let prefix = range_key(def, &[]);
        let (mut kept, mut counted) = (Vec::new(), Vec::new());
        let mut entries = reader.raw_prefix(TableId::ShardRanges, &prefix, Direction::Forward)?;
        while let Some((key, value)) = entries.next_view()? {
            if is_range(&key) {
                kept.push(read_range(def, &key, &value).ok());
                counted.push(ShardRange { start: key[prefix.len()..].to_vec(), documents: 0, bytes: 0 });
            }
        }
        Ok(Self { kept, counted, place: 0, outside: Vec::new() })
    }

    /// Takes one row in.
    pub(crate) fn take(&mut self, row_key: &[u8], row_bytes: usize) {
        while self.counted.get(self.place + 1).is_some_and(|next| *next.start <= *row_key) {
            self.place += 1;
        }
        match self.counted.get_mut(self.place) {
            Some(range) if *range.start <= *row_key && space_of(&range.start) == space_of(row_key) => {
                range.documents += 1;
                range.bytes += (row_key.len() + row_bytes) as u64;
            }
            _ => self.take_outside(space_of(row_key).unwrap_or_default()),
        }
    }

    fn take_outside(&mut self, space: &[u8]) {
        match self.outside.last_mut().filter(|(last, _)| last == space) {
            Some((_, rows)) => *rows += 1,
            None => self.outside.push((space.to_vec(), 1)),
        }
    }

    /// What the index has otherwise than the rows do, a sentence for each range.
    pub(crate) fn differences(&self) -> Vec<(Vec<u8>, String)> {
        let mut differences = Vec::new();
        let outside: u64 = self.outside.iter().map(|(_, rows)| rows).sum();
        if outside > 0 {
            differences.push((Vec::new(), format!("{outside} rows lie in no range")));
        }
        for (kept, counted) in self.kept.iter().zip(&self.counted) {
            if kept.as_ref() == Some(counted) {
                continue;
            }
            let there = format!("there are {} of {}", counted.documents, counted.bytes);
            let what = match kept {
                Some(kept) => format!("has {} documents of {} bytes, and {there}", kept.documents, kept.bytes),
                None => format!("has no two numbers, and {there}"),
            };
            differences.push((counted.start.clone(), what));
        }
        differences
    }

    /// Where the ranges start that are otherwise than the rows are, and where the next ones do.
    pub(crate) fn wrong_ranges(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let start = |place: usize| self.counted.get(place).map(|range| range.start.clone());
        // A key that says nothing of a space is a row's damage, which is told elsewhere.
        let spaces = self.outside.iter().map(|(space, _)| space).filter(|space| !space.is_empty());
        let outside = spaces.map(|space| {
            let next = self.counted.iter().find(|range| range.start > *space);
            (space.clone(), next.map(|range| range.start.clone()))
        });
        let differ = self.kept.iter().zip(&self.counted).enumerate();
        let differ = differ.filter(|(_, (kept, counted))| kept.as_ref() != Some(*counted));
        outside.chain(differ.map(|(place, (_, counted))| (counted.start.clone(), start(place + 1)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ChunkKey, ChunkRecord, Chunks, Collection, Meta, Options, Store, TaskProofs,
        samples::{Sample, address, hash},
    };
    use lucid_types::SessionId;
    use proptest::prelude::*;

    fn key(session: u8, idx: u16, account: u8) -> ChunkKey {
        let session_id = SessionId::from_bytes([session + 1; 16]).unwrap();
        ChunkKey { session_id, idx: idx.into(), account: address(account) }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, u16, u8, u8),
        /// So many rows one after the other.
        Run(u8, u16, u8),
        Remove(u8, u16, u8),
        Commit,
        Drop,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0u8..4, 0u16..200, 0u8..3, 0u8..30).prop_map(|(s, i, a, n)| Step::Put(s, i, a, n)),
            2 => (0u8..4, 0u16..200, 1u8..120).prop_map(|(s, i, n)| Step::Run(s, i, n)),
            2 => (0u8..4, 0u16..200, 0u8..3).prop_map(|(s, i, a)| Step::Remove(s, i, a)),
            1 => Just(Step::Commit),
            1 => Just(Step::Drop),
        ]
    }

    fn write(batch: &mut Batch, step: &Step) {
        let record = |len: u8| ChunkRecord { local_path: Some("p".repeat(len.into())), ..Sample::sample() };
        match *step {
            Step::Put(session, idx, account, len) => {
                batch.put::<Chunks>(&key(session, idx, account), &record(len)).unwrap();
            }
            Step::Run(session, idx, rows) => {
                for idx in idx..idx + u16::from(rows) {
                    batch.put::<Chunks>(&key(session, idx, 9), &record(1)).unwrap();
                }
            }
            Step::Remove(session, idx, account) => {
                batch.remove::<Chunks>(&key(session, idx, account)).unwrap();
            }
            Step::Commit | Step::Drop => {}
        }
    }

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    /// The ranges hold every row once, count as the rows do, and none is larger than it may be.
    fn holds(store: &Store) -> Result<(), TestCaseError> {
        let snapshot = store.snapshot().unwrap();
        let ranges = shard_ranges(&snapshot, &Chunks::DEF).unwrap();
        prop_assert!(ranges.windows(2).all(|pair| pair[0].start < pair[1].start));
        let mut counter = ShardCounter::new(&snapshot, &Chunks::DEF).unwrap();
        let mut rows = snapshot.raw_prefix(TableId::Chunks, &[], Direction::Forward).unwrap();
        let mut total = 0;
        while let Some((key, row)) = rows.next_view().unwrap() {
            counter.take(&key, row.len());
            total += 1;
        }
        prop_assert_eq!(counter.differences(), []);
        prop_assert_eq!(ranges.iter().map(|range| range.documents).sum::<u64>(), total);
        for range in &ranges {
            prop_assert!(range.documents <= MAX_SHARD_DOCUMENTS && range.bytes <= MAX_SHARD_BYTES, "{:?}", range);
        }
        prop_assert!(ranges.first().is_none_or(|first| *first.start == *RowSpace::own().prefix()));
        prop_assert!(ranges.len() < 2 || ranges.iter().all(|range| range.documents > 0), "{:?}", ranges);
        for range in ranges.iter().skip(1) {
            prop_assert_eq!(
                shard_key_of(&Chunks::DEF, &range.start).unwrap(),
                &range.start,
                "a split within a shard key"
            );
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_ranges_are_what_the_rows_say_after_any_writes(steps in prop::collection::vec(step(), 1..60)) {
            let (_folder, store) = new_store();
            let mut batch = store.begin().unwrap();
            for step in steps {
                write(&mut batch, &step);
                match step {
                    Step::Commit => {
                        store.commit(batch).unwrap();
                        holds(&store)?;
                        batch = store.begin().unwrap();
                    }
                    Step::Drop => batch = store.begin().unwrap(),
                    _ => {}
                }
            }
            store.commit(batch).unwrap();
            holds(&store)?;
            prop_assert_eq!(shard_ranges(&store.snapshot().unwrap(), &TaskProofs::DEF).unwrap(), []);
        }
    }

    /// One shard key with more documents than a range may have stays whole.
    #[test]
    fn documents_of_one_shard_key_stay_together() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        for account in 0..=200 {
            batch.put::<Chunks>(&key(1, 5, account), &Sample::sample()).unwrap();
        }
        batch.put::<Chunks>(&key(1, 6, 0), &Sample::sample()).unwrap();
        store.commit(batch).unwrap();
        let ranges = shard_ranges(&store.snapshot().unwrap(), &Chunks::DEF).unwrap();
        assert_eq!(ranges.iter().map(|range| range.documents).collect::<Vec<_>>(), [201, 1]);
    }
}
