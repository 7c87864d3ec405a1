//! How many entries each level has, and where the next stretch of it is taken from: one row, before all parts.

use super::part::Parts;
use crate::{checksum, error::StoreError, tables::TableId};

/// Entries that the youngest level may have. Each commit of a thousand writes it as a whole, which is some 160 pages.
pub(super) const YOUNGEST_ENTRIES: u64 = if cfg!(test) { 24 } else { 8_192 };

/// How many times as many entries the next level may have. More of it makes a key cost more on its way down, which is in
/// proportion to it for each level; less makes more levels, each of which a read asks. docs/storage.md has what both cost.
pub(super) const GROWTH: u64 = if cfg!(test) { 3 } else { 16 };

/// The row's key; parts begin with the number of their level.
pub(super) const STATE_KEY: [u8; 1] = [0];

/// The youngest level.
pub(super) const YOUNGEST: u8 = 1;

/// One level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) entries: u64,
    /// A key in the part with which the next stretch begins that goes down.
    pub(super) cursor: Vec<u8>,
}

/// What a layered table says of its levels, from the youngest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    levels: Vec<Level>,
}

impl State {
    /// Reads it from the table of the parts, which has it if it is there at all.
    pub(super) fn read(table: TableId, parts: &impl Parts) -> Result<Self, StoreError> {
        let damaged = |what| StoreError::damaged_row(table, &STATE_KEY, what);
        let stored = parts.get(STATE_KEY.as_slice()).map_err(StoreError::engine)?;
        let stored = stored.ok_or_else(|| damaged("it has parts, and nothing says how many entries"))?;
        let bytes = checksum::part_bytes(table, &STATE_KEY, stored.value())?;
        Self::decode(&stored.value()[..bytes]).ok_or_else(|| damaged("it does not say what levels have"))
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut levels = Vec::new();
        while !bytes.is_empty() {
            let (entries, rest) = bytes.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (cursor, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
            levels.push(Level { entries: u64::from_be_bytes(*entries), cursor: cursor.to_vec() });
            bytes = rest;
        }
        (levels.len() < usize::from(u8::MAX)).then_some(Self { levels })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for level in &self.levels {
            bytes.extend_from_slice(&level.entries.to_be_bytes());
            // A place in the space is no longer than a key, and keys are far from 64 KiB.
            bytes.extend_from_slice(&(level.cursor.len() as u16).to_be_bytes());
            bytes.extend_from_slice(&level.cursor);
        }
        bytes
    }

    /// Entries of all levels.
    pub(super) fn entries(&self) -> u64 {
        self.levels.iter().map(|level| level.entries).sum()
    }

    /// Entries of one level.
    pub(super) fn entries_of(&self, level: u8) -> u64 {
        self.levels.get(place(level)).map_or(0, |level| level.entries)
    }

    /// As [`State::entries_of`], of a number that may be none of a level.
    pub(super) fn entries_of_any(&self, level: u8) -> u64 {
        if level < YOUNGEST { 0 } else { self.entries_of(level) }
    }

    /// All levels that there were, with numbers; those without entries as well.
    pub(super) fn levels(&self) -> impl Iterator<Item = u8> + use<> {
        YOUNGEST..YOUNGEST + self.levels.len() as u8
    }

    /// Levels with entries.
    pub(super) fn filled(&self) -> impl Iterator<Item = u8> {
        (YOUNGEST..).zip(&self.levels).filter(|(_, level)| level.entries > 0).map(|(number, _)| number)
    }

    pub(super) fn level_mut(&mut self, level: u8) -> &mut Level {
        let place = place(level);
        if self.levels.len() <= place {
            self.levels.resize_with(place + 1, Level::default);
        }
        &mut self.levels[place]
    }
}

fn place(level: u8) -> usize {
    usize::from(level - YOUNGEST)
}

/// Entries that a level may have.
pub(super) fn capacity(level: u8) -> u64 {
    YOUNGEST_ENTRIES.saturating_mul(GROWTH.saturating_pow(u32::from(level - YOUNGEST)))
}

/// The first level that may have so many entries.
pub(super) fn level_for(entries: u64) -> u8 {
    (YOUNGEST..u8::MAX).find(|level| capacity(*level) >= entries).unwrap_or(u8::MAX)
}
