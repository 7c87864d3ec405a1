//! A layered table as a snapshot sees it.

use super::{
    part::{Part, part_after, part_at},
    state::State,
    walk::LayeredRange,
};
use crate::{error::StoreError, range::Direction, snapshot::Table, tables::TableId};
use std::ops::Bound;

/// The levels of one table.
pub(crate) struct Layers {
    pub(super) table: TableId,
    pub(super) parts: Table,
    pub(super) state: State,
}

impl Layers {
    pub(crate) fn open(table: TableId, parts: Table) -> Result<Self, StoreError> {
        let state = State::read(table, &parts)?;
        Ok(Self { table, parts, state })
    }

    /// The rows in which they lie.
    pub(crate) fn rows(&self) -> &Table {
        &self.parts
    }

    /// Entries, as they are counted when they are written.
    pub(crate) fn len(&self) -> u64 {
        self.state.entries()
    }

    pub(crate) fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        for level in self.state.filled() {
            if self.part_at(level, key)?.contains(key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first key that begins so.
    pub(crate) fn first_key(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut first: Option<Vec<u8>> = None;
        for level in self.state.filled() {
            let mut part = self.part_at(level, prefix)?;
            let mut place = part.count_before(|key| key < prefix);
            if place == part.len() && part.end().starts_with(prefix) && !part.end().is_empty() {
                part = part_after(self.table, &self.parts, level, part.end())?;
                place = 0;
            }
            let found = part.key(place).filter(|key| key.starts_with(prefix));
            if let Some(key) = found.filter(|key| first.as_deref().is_none_or(|first| *key < first)) {
                first = Some(key.to_vec());
            }
        }
        Ok(first)
    }

    pub(super) fn part_at(&self, level: u8, key: &[u8]) -> Result<Part<'_>, StoreError> {
        part_at(self.table, &self.parts, level, key)
    }

    /// A walk over the entries within the bounds.
    pub(crate) fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> LayeredRange<'_> {
        LayeredRange::new(self, lower, upper, direction)
    }
}
