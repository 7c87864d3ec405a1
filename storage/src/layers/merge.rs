//! Keys that come into a level: the parts that get some are written anew, full ones.

use super::{
    part::{Keys, LENGTH_BYTES, ROW_BYTES, is_below, place_between, push_key},
    write::Levels,
};
use crate::{checksum::CHECKSUM_BYTES, error::StoreError};

impl Levels<'_> {
    /// Puts keys into a level, which are in order and stand each behind its length. One that is there already is not put a
    /// second time.
    pub(super) fn merge(&mut self, level: u8, keys: &[u8]) -> Result<(), StoreError> {
        let mut keys = Keys(keys).peekable();
        while let Some(first) = keys.peek() {
            let mut added = 0;
            if self.is_empty(level) {
                let mut run = Cutter::new(level, &[]);
                for key in keys.by_ref() {
                    run.push(key);
                    run.cut(self)?;
                    added += 1;
                }
                run.finish(self, &[])?;
            } else {
                let first = first.to_vec();
                added = self.merge_run(level, &first, &mut keys)?;
            }
            self.state.level_mut(level).entries += added;
        }
        Ok(())
    }

    /// Puts keys into parts of which each follows the one before it, from the one that covers the first key on, as long as
    /// there is one for each. Says how many were new.
    fn merge_run<'k>(
        &mut self,
        level: u8,
        first: &[u8],
        keys: &mut std::iter::Peekable<Keys<'k>>,
    ) -> Result<u64, StoreError> {
        let mut part = self.part_at(level, first)?;
        let mut run = Cutter::new(level, part.start());
        let mut added = 0;
        loop {
            let (start, end) = (part.start().to_vec(), part.end().to_vec());
            for old in part.keys() {
                while let Some(key) = keys.next_if(|key| *key < old) {
                    run.push(key);
                    added += 1;
                }
                keys.next_if(|key| *key == old);
                run.push(old);
            }
            drop(part);
            while let Some(key) = keys.next_if(|key| is_below(key, &end)) {
                run.push(key);
                added += 1;
            }
            self.replace_part(level, &start)?;
            run.cut(self)?;
            let follows = match keys.peek() {
                Some(key) => self.part_after(level, &end)?.covers(key),
                None => false,
            };
            if !follows {
                run.finish(self, &end)?;
                return self.end_run().map(|()| added);
            }
            part = self.part_after(level, &end)?;
        }
    }
}

/// Cuts a run of keys into parts of about a page.
pub(super) struct Cutter {
    level: u8,
    /// Where the next part begins.
    start: Vec<u8>,
    /// Keys that are in no part yet, each behind its length.
    keys: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Cutter {
    pub(super) fn new(level: u8, start: &[u8]) -> Self {
        let (keys, ends) = (Vec::with_capacity(3 * ROW_BYTES), Vec::with_capacity(ROW_BYTES / 16));
        Self { level, start: start.to_vec(), keys, ends }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn push(&mut self, key: &[u8]) {
        push_key(&mut self.keys, key);
        self.ends.push(self.keys.len());
    }

    /// Writes full parts, as long as more than two of them are left.
    pub(super) fn cut(&mut self, levels: &mut Levels<'_>) -> Result<(), StoreError> {
        while self.keys.len() > 2 * ROW_BYTES {
            self.put_first(levels, self.keys.len())?;
        }
        Ok(())
    }

    /// Writes the rest in parts of one size, the last of which ends at `end`.
    pub(super) fn finish(mut self, levels: &mut Levels<'_>, end: &[u8]) -> Result<(), StoreError> {
        loop {
            let room = self.room(end);
            if self.keys.len() <= room || self.ends.len() == 1 {
                return levels.put_part(self.level, &self.start, end, &self.keys);
            }
            let parts = self.keys.len().div_ceil(room.max(1));
            self.put_first(levels, self.keys.len().div_ceil(parts))?;
        }
    }

    /// Bytes of keys that the next part may have if it ends at `end`.
    fn room(&self, end: &[u8]) -> usize {
        ROW_BYTES.saturating_sub(1 + self.start.len() + LENGTH_BYTES + end.len() + CHECKSUM_BYTES)
    }

    /// Writes a part of as many of the first keys as fit, in so many bytes or a key more. There are keys behind it.
    fn put_first(&mut self, levels: &mut Levels<'_>, bytes: usize) -> Result<(), StoreError> {
        let wanted = self.ends.partition_point(|end| *end < bytes) + 1;
        let mut count = wanted.min(self.ends.partition_point(|end| *end <= ROW_BYTES)).clamp(1, self.ends.len() - 1);
        let end = loop {
            let end = place_between(self.key(count - 1), self.key(count));
            if count == 1 || self.ends[count - 1] <= self.room(end) {
                break end.to_vec();
            }
            count -= 1;
        };
        let cut = self.ends[count - 1];
        levels.put_part(self.level, &self.start, &end, &self.keys[..cut])?;
        self.start = end;
        self.keys.drain(..cut);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end -= cut);
        Ok(())
    }

    fn key(&self, place: usize) -> &[u8] {
        let begin = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[begin + LENGTH_BYTES..self.ends[place]]
    }
}
