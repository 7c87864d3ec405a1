//! A part: the keys of one stretch of the space, in order, in one row of about a page.
//!
//! Key of the row: the level (1), the place where the part begins. Value: the place where it ends, and then the keys; each
//! behind its length (2). A place is a key or the first bytes of one; as an end, no bytes are the end of the space.

use super::state::YOUNGEST;
use crate::{checksum, error::StoreError, tables::TableId};
use redb::{AccessGuard, ReadableTable};
use std::ops::Bound;

/// Bytes that a row may have in key and value: with the twelve that the engine needs for one row they make a page.
pub(super) const ROW_BYTES: usize = if cfg!(test) { 400 } else { 4_084 };

/// Bytes before a key or a place that say how long it is.
pub(super) const LENGTH_BYTES: usize = 2;

/// The table of the parts, read or written.
pub(super) trait Parts: ReadableTable<&'static [u8], &'static [u8]> {}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Parts for T {}

type Lent<'a> = AccessGuard<'a, &'static [u8]>;

/// Key of the row of a part.
pub(super) fn row_key(level: u8, start: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + start.len());
    key.push(level);
    key.extend_from_slice(start);
    key
}

/// Puts a key behind its length.
pub(super) fn push_key(out: &mut Vec<u8>, key: &[u8]) {
    // Keys are far from 64 KiB.
    out.extend_from_slice(&(key.len() as u16).to_be_bytes());
    out.extend_from_slice(key);
}

/// Takes what stands behind its length off the front.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (taken, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    *bytes = rest;
    Some(taken)
}

/// Keys that stand one after the other, each behind its length.
#[derive(Clone)]
pub(super) struct Keys<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Keys<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        take(&mut self.0)
    }
}

/// The shortest place that is above one key and not above the next.
pub(super) fn place_between<'a>(one: &[u8], next: &'a [u8]) -> &'a [u8] {
    let shared = one.iter().zip(next).take_while(|(one, next)| one == next).count();
    &next[..next.len().min(shared + 1)]
}

/// A part as it lies in its page, which is what was written there.
pub(super) struct Part<'a> {
    row_key: Lent<'a>,
    value: Lent<'a>,
    value_bytes: usize,
    end_bytes: usize,
    keys: usize,
    /// Bytes of each key, where all have the same number of them, as in an index by a hash.
    width: Option<usize>,
}

impl<'a> Part<'a> {
    /// Reads one from its row, whose key has a level.
    pub(super) fn read(table: TableId, (row_key, value): (Lent<'a>, Lent<'a>)) -> Result<Self, StoreError> {
        let value_bytes = checksum::part_bytes(table, row_key.value(), value.value())?;
        let mut rest = &value.value()[..value_bytes];
        let end_bytes = take(&mut rest).map(<[u8]>::len);
        let mut walk = Keys(rest);
        let first = walk.next().map(<[u8]>::len);
        let (mut keys, mut are_alike) = (1, true);
        for key in walk.by_ref() {
            keys += 1;
            are_alike &= Some(key.len()) == first;
        }
        match (end_bytes, first) {
            (Some(end_bytes), Some(width)) if walk.0.is_empty() => {
                let width = are_alike.then_some(width);
                Ok(Self { row_key, value, value_bytes, end_bytes, keys, width })
            }
            _ => Err(StoreError::damaged_row(table, row_key.value(), "it is no part of a level")),
        }
    }

    pub(super) fn row_key(&self) -> &[u8] {
        self.row_key.value()
    }

    /// Where it begins.
    pub(super) fn start(&self) -> &[u8] {
        &self.row_key.value()[1..]
    }

    /// Where it ends; nothing where that is the end of the space.
    pub(super) fn end(&self) -> &[u8] {
        &self.value.value()[LENGTH_BYTES..][..self.end_bytes]
    }

    /// Its keys, each behind its length.
    pub(super) fn key_bytes(&self) -> &[u8] {
        &self.value.value()[LENGTH_BYTES + self.end_bytes..self.value_bytes]
    }

    pub(super) fn keys(&self) -> Keys<'_> {
        Keys(self.key_bytes())
    }

    /// Bytes of its row in key and value.
    pub(super) fn row_bytes(&self) -> usize {
        self.row_key.value().len() + self.value.value().len()
    }

    /// Whether a key lies in its stretch.
    pub(super) fn covers(&self, key: &[u8]) -> bool {
        self.start() <= key && is_below(key, self.end())
    }

    /// How many keys it has: one at least.
    pub(super) fn len(&self) -> usize {
        self.keys
    }

    /// The key at a place in their order.
    pub(super) fn key(&self, place: usize) -> Option<&[u8]> {
        match self.width {
            Some(width) => {
                self.key_bytes().get(place * (LENGTH_BYTES + width)..)?.get(LENGTH_BYTES..LENGTH_BYTES + width)
            }
            None => self.keys().nth(place),
        }
    }

    /// How many of its keys come before the others, as `is_before` says.
    pub(super) fn count_before(&self, is_before: impl Fn(&[u8]) -> bool) -> usize {
        if self.width.is_none() {
            return self.keys().take_while(|key| is_before(key)).count();
        }
        let (mut low, mut high) = (0, self.keys);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.key(middle).is_some_and(&is_before) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.key(self.count_before(|found| found < key)) == Some(key)
    }
}

/// Whether a key is below the end of a stretch.
pub(super) fn is_below(key: &[u8], end: &[u8]) -> bool {
    end.is_empty() || key < end
}

/// The part of a level with entries that covers a key.
pub(super) fn part_at<'a>(
    table: TableId,
    parts: &'a impl Parts,
    level: u8,
    key: &[u8],
) -> Result<Part<'a>, StoreError> {
    let wanted = row_key(level, key);
    last_part(table, parts, level, Bound::Included(&wanted))?
        .filter(|part| part.covers(key))
        .ok_or_else(|| StoreError::damaged_row(table, &wanted, "no part of its level covers it"))
}

/// The part that begins where the one before it ends.
pub(super) fn part_after<'a>(
    table: TableId,
    parts: &'a impl Parts,
    level: u8,
    end: &[u8],
) -> Result<Part<'a>, StoreError> {
    let part = part_at(table, parts, level, end)?;
    if part.start() == end {
        return Ok(part);
    }
    Err(StoreError::damaged_row(table, part.row_key(), "the part before it ends elsewhere"))
}

/// The part that ends where the one before `start` has to end, which is not the first of its level.
pub(super) fn part_before<'a>(
    table: TableId,
    parts: &'a impl Parts,
    level: u8,
    start: &[u8],
) -> Result<Part<'a>, StoreError> {
    let wanted = row_key(level, start);
    last_part(table, parts, level, Bound::Excluded(&wanted))?
        .filter(|part| part.end() == start)
        .ok_or_else(|| StoreError::damaged_row(table, &wanted, "the part before it is missing"))
}

/// The last part of a level with entries.
pub(super) fn part_at_end(table: TableId, parts: &impl Parts, level: u8) -> Result<Part<'_>, StoreError> {
    let above = [level.saturating_add(1)];
    last_part(table, parts, level, Bound::Excluded(&above))?
        .filter(|part| part.end().is_empty())
        .ok_or_else(|| StoreError::damaged_row(table, &[level], "its last part is missing"))
}

/// The last part of a level up to a bound.
fn last_part<'a>(
    table: TableId,
    parts: &'a impl Parts,
    level: u8,
    bound: Bound<&[u8]>,
) -> Result<Option<Part<'a>>, StoreError> {
    debug_assert!(level >= YOUNGEST);
    let found = parts.upper_bound(bound).and_then(|mut cursor| cursor.prev()).map_err(StoreError::engine)?;
    let found = found.filter(|(key, _)| key.value().first() == Some(&level));
    found.map(|row| Part::read(table, row)).transpose()
}
