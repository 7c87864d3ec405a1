//! Changes of a layered table in a transaction of the engine.

use super::{
    merge::Cutter,
    part::{Part, is_below, part_after, part_at, part_before, push_key, row_key},
    state::{STATE_KEY, State, YOUNGEST, YOUNGEST_ENTRIES, capacity},
};
use crate::{
    checksum,
    error::StoreError,
    range::{Pending, Puts},
    snapshot::layers_definition,
    tables::TableId,
};
use redb::{CursorError, ReadableTableMetadata, WriteTransaction};
use std::ops::Bound;

/// Entries that are taken at once out of a level, so that they need less memory than the youngest level has on disk,
/// however many a commit has.
const MOST_TAKEN: u64 = YOUNGEST_ENTRIES;

/// Parts that are replaced together at most: with what takes their place half a megabyte.
const RUN_PARTS: usize = if cfg!(test) { 3 } else { 64 };

type RawTable<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;

/// A layered table that is written to.
pub(super) struct Levels<'a> {
    table: TableId,
    parts: RawTable<'a>,
    pub(super) state: State,
    /// Where rows are put together.
    value: Vec<u8>,
    closed: Vec<u8>,
    /// Rows of parts that follow each other, and what takes their place.
    run: Run,
}

/// Rows that are replaced together: for the engine one after the other is as much work as it is to look for each.
#[derive(Default)]
struct Run {
    /// The first and the last row that goes.
    old: Option<(Vec<u8>, Vec<u8>)>,
    /// How many go.
    parts: usize,
    new: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Applies changes in a transaction.
///
/// # Errors
/// The engine's, and damage that was met.
pub(crate) fn write_layers(
    transaction: &WriteTransaction,
    table: TableId,
    pending: &Pending,
    puts: Puts,
) -> Result<(), StoreError> {
    let mut levels = Levels::open(transaction, table)?;
    let mut gone = Vec::new();
    let mut new = Vec::new();
    for (key, value) in pending {
        match value {
            None => gone.push(key.as_slice()),
            Some(value) => {
                debug_assert!(value.is_empty(), "an entry of {} has no value", table.name());
                debug_assert!(puts == Puts::Any || !levels.holds(key)?, "an entry of {} is put twice", table.name());
                if puts == Puts::New || !levels.is_held_once(key)? {
                    push_key(&mut new, key);
                }
            }
        }
    }
    for level in levels.state.levels() {
        levels.take_out(level, &gone)?;
    }
    levels.merge(YOUNGEST, &new)?;
    levels.settle()?;
    levels.close()
}

impl<'a> Levels<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction, table: TableId) -> Result<Self, StoreError> {
        let definition = layers_definition(table);
        let parts = transaction.open_table(definition).map_err(StoreError::engine)?;
        let is_new = parts.is_empty().map_err(StoreError::engine)?;
        let state = if is_new { State::default() } else { State::read(table, &parts)? };
        Ok(Self { table, parts, state, value: Vec::new(), closed: Vec::new(), run: Run::default() })
    }

    /// Notes what the levels have now.
    pub(super) fn close(mut self) -> Result<(), StoreError> {
        self.put_row(&STATE_KEY, &self.state.encode())
    }

    fn put_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        checksum::close_part_into(&mut self.closed, self.table, key, value);
        self.parts.insert(key, self.closed.as_slice()).map(drop).map_err(StoreError::engine)
    }

    pub(super) fn put_part(&mut self, level: u8, start: &[u8], end: &[u8], keys: &[u8]) -> Result<(), StoreError> {
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        push_key(&mut value, end);
        value.extend_from_slice(keys);
        let key = row_key(level, start);
        let put = if self.run.old.is_some() {
            let mut closed = Vec::new();
            checksum::close_part_into(&mut closed, self.table, &key, &value);
            self.run.new.push((key, closed));
            Ok(())
        } else {
            self.put_row(&key, &value)
        };
        self.value = value;
        put
    }

    /// Takes a part into the run of those that are replaced, which it follows. What is put from here on takes their place.
    pub(super) fn replace_part(&mut self, level: u8, start: &[u8]) -> Result<(), StoreError> {
        if self.run.parts >= RUN_PARTS {
            self.end_run()?;
        }
        let key = row_key(level, start);
        self.run.parts += 1;
        match &mut self.run.old {
            Some((_, last)) => *last = key,
            None => self.run.old = Some((key.clone(), key)),
        }
        Ok(())
    }

    /// Puts what was put for the parts of the run in their place.
    pub(super) fn end_run(&mut self) -> Result<(), StoreError> {
        let Run { old, parts, new } = std::mem::take(&mut self.run);
        let Some((first, last)) = old else { return Ok(()) };
        let mut new = new.into_iter().peekable();
        // Where the first one begins as it did, it is written over, and no page beside it changes.
        let written_over = new.next_if(|(key, _)| *key == first);
        let bound = match written_over {
            Some(_) => Bound::Excluded(first.as_slice()),
            None => Bound::Included(first.as_slice()),
        };
        if let Some((key, value)) = &written_over {
            self.parts.insert(key.as_slice(), value.as_slice()).map_err(StoreError::engine)?;
        }
        if parts > 1 || written_over.is_none() {
            let gone = (bound, Bound::Included(last.as_slice()));
            self.parts.retain_in::<&[u8], _>(gone, |_, _| false).map_err(StoreError::engine)?;
        }
        if new.peek().is_none() {
            return Ok(());
        }
        let mut cursor = self.parts.lower_bound_mut(bound).map_err(StoreError::engine)?;
        for (key, value) in new {
            cursor.insert_before(key.as_slice(), value.as_slice()).map_err(|error| match error {
                CursorError::UnorderedKey => StoreError::damaged_row(self.table, &key, "parts overlap"),
                error => StoreError::engine(error),
            })?;
        }
        cursor.close().map_err(StoreError::engine)
    }

    pub(super) fn remove_part(&mut self, level: u8, start: &[u8]) -> Result<(), StoreError> {
        self.parts.remove(row_key(level, start).as_slice()).map(drop).map_err(StoreError::engine)
    }

    pub(super) fn part_at(&self, level: u8, key: &[u8]) -> Result<Part<'_>, StoreError> {
        part_at(self.table, &self.parts, level, key)
    }

    fn holds(&self, key: &[u8]) -> Result<bool, StoreError> {
        for level in self.state.filled() {
            if self.part_at(level, key)?.contains(key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The part after one that ends so.
    pub(super) fn part_after(&self, level: u8, end: &[u8]) -> Result<Part<'_>, StoreError> {
        part_after(self.table, &self.parts, level, end)
    }

    /// Whether a key is there, and then in one level alone: where it is in more, it is taken out of the older ones.
    fn is_held_once(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        let mut is_held = false;
        for level in self.state.levels() {
            if self.state.entries_of(level) > 0 && self.part_at(level, key)?.contains(key) {
                if is_held {
                    self.take_out(level, &[key])?;
                }
                is_held = true;
            }
        }
        Ok(is_held)
    }

    /// Takes keys out of a level, those that it has, in order.
    fn take_out(&mut self, level: u8, keys: &[&[u8]]) -> Result<(), StoreError> {
        let mut keys = keys.iter().copied().peekable();
        while let Some(first) = keys.peek()
            && self.state.entries_of(level) > 0
        {
            let part = self.part_at(level, first)?;
            let (start, end) = (part.start().to_vec(), part.end().to_vec());
            let mut left = Cutter::new(level, &start);
            let mut taken = 0;
            for key in part.keys() {
                while keys.next_if(|gone| *gone < key).is_some() {}
                match keys.next_if(|gone| *gone == key) {
                    Some(_) => taken += 1,
                    None => left.push(key),
                }
            }
            while keys.next_if(|gone| is_below(gone, &end)).is_some() {}
            drop(part);
            if taken == 0 {
                continue;
            }
            if left.is_empty() {
                self.remove_part(level, &start)?;
                self.close_gap(level, &start, &end)?;
            } else {
                left.finish(self, &end)?;
            }
            self.state.level_mut(level).entries -= taken;
        }
        Ok(())
    }

    /// Gives the stretch of parts that were removed to the part before it, or where it was the first to the one after it.
    fn close_gap(&mut self, level: u8, start: &[u8], end: &[u8]) -> Result<(), StoreError> {
        let (part, is_before) = if !start.is_empty() {
            (part_before(self.table, &self.parts, level, start)?, true)
        } else if !end.is_empty() {
            (part_at(self.table, &self.parts, level, end)?, false)
        } else {
            return Ok(());
        };
        let (old_start, old_end) = (part.start().to_vec(), part.end().to_vec());
        let (start, end) = if is_before { (&old_start[..], end) } else { (start, &old_end[..]) };
        let mut wider = Cutter::new(level, start);
        part.keys().for_each(|key| wider.push(key));
        drop(part);
        if !is_before {
            self.remove_part(level, &old_start)?;
        }
        wider.finish(self, end)
    }

    /// Lets what a level has beyond its capacity go down, from the youngest on.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        let mut level = YOUNGEST;
        while level < YOUNGEST + self.state.levels().count() as u8 {
            while let beyond @ 1.. = self.state.entries_of(level).saturating_sub(capacity(level)) {
                let moved = self.take_stretch(level, beyond.min(MOST_TAKEN))?;
                self.merge(level + 1, &moved)?;
            }
            level += 1;
        }
        Ok(())
    }

    /// Takes parts with so many keys or a few more out of a level, those from its cursor on. Ends earlier at the end of the
    /// space.
    fn take_stretch(&mut self, level: u8, keys: u64) -> Result<Vec<u8>, StoreError> {
        let cursor = std::mem::take(&mut self.state.level_mut(level).cursor);
        let mut taken = Vec::new();
        let mut count = 0;
        let (mut start, mut at) = (None, cursor);
        loop {
            let part = if start.is_none() { self.part_at(level, &at)? } else { self.part_after(level, &at)? };
            let this = part.start().to_vec();
            at = part.end().to_vec();
            taken.extend_from_slice(part.key_bytes());
            count += part.keys().count() as u64;
            drop(part);
            self.remove_part(level, &this)?;
            start.get_or_insert(this);
            if count >= keys || at.is_empty() {
                break;
            }
        }
        self.close_gap(level, &start.unwrap_or_default(), &at)?;
        let level = self.state.level_mut(level);
        level.entries -= count;
        level.cursor = at;
        Ok(taken)
    }

    pub(super) fn is_empty(&self, level: u8) -> bool {
        self.state.entries_of(level) == 0
    }
}
