//! A layered table as a snapshot sees it.

use super::{
    part::{Part, part_at},
    state::State,
    walk::LayeredRange,
};
use crate::{
    error::StoreError,
    range::Direction,
    snapshot::Table,
    tables::TableId,
};
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
        let mut keys = self.range(Bound::Included(prefix), Bound::Unbounded, Direction::Forward);
        Ok(keys.next_key()?.filter(|key| key.starts_with(prefix)))
    }

    pub(super) fn part_at(&self, level: u8, key: &[u8]) -> Result<Part<'_>, StoreError> {
        part_at(self.table, &self.parts, level, key)
    }

    /// A walk over the entries within the bounds.
    pub(crate) fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> LayeredRange<'_> {
        LayeredRange::new(self, lower, upper, direction)
    }
}
