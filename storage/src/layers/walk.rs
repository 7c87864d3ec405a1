//! A walk over the entries of a layered table: a walk over each level, of which the first key comes next.

use super::{
    part::{Part, part_after, part_at, part_at_end, part_before},
    read::Layers,
};
use crate::{error::StoreError, range::Direction};
use std::ops::{Bound, Range};

/// Entries within bounds, in key order or against it. Nothing is loaded before it is asked for.
pub(crate) struct LayeredRange<'a> {
    layers: &'a Layers,
    bounds: Bounds,
    levels: Vec<LevelWalk<'a>>,
}

struct Bounds {
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    direction: Direction,
}

impl Bounds {
    fn is_above_lower(&self, key: &[u8]) -> bool {
        match &self.lower {
            Bound::Unbounded => true,
            Bound::Included(lower) => lower.as_slice() <= key,
            Bound::Excluded(lower) => lower.as_slice() < key,
        }
    }

    /// Whether no key below this place is within the bounds.
    fn is_below_lower(&self, place: &[u8]) -> bool {
        match &self.lower {
            Bound::Unbounded => false,
            Bound::Included(lower) | Bound::Excluded(lower) => place <= lower.as_slice(),
        }
    }

    fn is_below_upper(&self, key: &[u8]) -> bool {
        match &self.upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => key <= upper.as_slice(),
            Bound::Excluded(upper) => key < upper.as_slice(),
        }
    }

    /// Whether the walk has not gone beyond its end with this key.
    fn is_within_end(&self, key: &[u8]) -> bool {
        match self.direction {
            Direction::Forward => self.is_below_upper(key),
            Direction::Reverse => self.is_above_lower(key),
        }
    }
}

impl<'a> LayeredRange<'a> {
    pub(super) fn new(layers: &'a Layers, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> Self {
        let bounds = Bounds { lower: lower.map(<[u8]>::to_vec), upper: upper.map(<[u8]>::to_vec), direction };
        let levels = layers.state.filled().map(|level| LevelWalk::new(level, direction)).collect();
        Self { layers, bounds, levels }
    }

    /// The next key.
    pub(crate) fn next_key(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        for level in &mut self.levels {
            level.settle(self.layers, &self.bounds)?;
        }
        self.levels.retain(|level| level.stage != Stage::Ended);
        let heads = self.levels.iter().filter_map(LevelWalk::head);
        let first = match self.bounds.direction {
            Direction::Forward => heads.min(),
            Direction::Reverse => heads.max(),
        };
        let Some(first) = first.map(<[u8]>::to_vec) else { return Ok(None) };
        for level in &mut self.levels {
            if level.head() == Some(&first) {
                level.step();
            }
        }
        Ok(Some(first))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    /// The head is within the bounds.
    Ready,
    /// What comes next is yet to be looked at.
    Moved,
    Ended,
}

/// A walk over one level.
struct LevelWalk<'a> {
    level: u8,
    stage: Stage,
    direction: Direction,
    open: Option<OpenPart<'a>>,
}

impl<'a> LevelWalk<'a> {
    const fn new(level: u8, direction: Direction) -> Self {
        Self { level, stage: Stage::Begins, direction, open: None }
    }

    /// The next key, where it was looked at.
    fn head(&self) -> Option<&[u8]> {
        self.open.as_ref().filter(|_| self.stage == Stage::Ready)?.head(self.direction)
    }

    /// Goes beyond the head.
    fn step(&mut self) {
        if let Some(open) = &mut self.open {
            match self.direction {
                Direction::Forward => open.left.start += 1,
                Direction::Reverse => open.left.end -= 1,
            }
            self.stage = Stage::Moved;
        }
    }

    /// Looks at what comes next, until it is a key within the bounds or there is none.
    fn settle(&mut self, layers: &'a Layers, bounds: &Bounds) -> Result<(), StoreError> {
        while matches!(self.stage, Stage::Begins | Stage::Moved) {
            let Some(open) = &self.open else {
                self.begin(layers, bounds)?;
                continue;
            };
            if let Some(head) = open.head(self.direction) {
                self.stage = if bounds.is_within_end(head) { Stage::Ready } else { Stage::Ended };
            } else {
                self.turn(layers, bounds)?;
            }
        }
        Ok(())
    }

    /// Opens the part in which the walk begins.
    fn begin(&mut self, layers: &'a Layers, bounds: &Bounds) -> Result<(), StoreError> {
        let (table, parts) = (layers.table, &layers.parts);
        let (bound, is_forward) = match self.direction {
            Direction::Forward => (&bounds.lower, true),
            Direction::Reverse => (&bounds.upper, false),
        };
        let part = match bound {
            Bound::Included(key) | Bound::Excluded(key) => part_at(table, parts, self.level, key)?,
            Bound::Unbounded if is_forward => part_at(table, parts, self.level, &[])?,
            Bound::Unbounded => part_at_end(table, parts, self.level)?,
        };
        let mut open = OpenPart::new(part);
        match self.direction {
            Direction::Forward => open.left.start = open.part.count_before(|key| !bounds.is_above_lower(key)),
            Direction::Reverse => open.left.end = open.part.count_before(|key| bounds.is_below_upper(key)),
        }
        (self.open, self.stage) = (Some(open), Stage::Moved);
        Ok(())
    }

    /// Opens the next part, which has to begin or end where the present one ends or begins.
    fn turn(&mut self, layers: &'a Layers, bounds: &Bounds) -> Result<(), StoreError> {
        let Some(OpenPart { part, .. }) = &self.open else { return Ok(()) };
        let (place, is_within) = match self.direction {
            // What follows is not below the place, and what comes before is.
            Direction::Forward => (part.end(), bounds.is_below_upper(part.end())),
            Direction::Reverse => (part.start(), !bounds.is_below_lower(part.start())),
        };
        if place.is_empty() || !is_within {
            self.stage = Stage::Ended;
            return Ok(());
        }
        let (table, parts) = (layers.table, &layers.parts);
        let next = match self.direction {
            Direction::Forward => part_after(table, parts, self.level, place)?,
            Direction::Reverse => part_before(table, parts, self.level, place)?,
        };
        self.open = Some(OpenPart::new(next));
        Ok(())
    }
}

/// A part with the places of its keys that are yet to come.
struct OpenPart<'a> {
    part: Part<'a>,
    left: Range<usize>,
}

impl<'a> OpenPart<'a> {
    fn new(part: Part<'a>) -> Self {
        let left = 0..part.len();
        Self { part, left }
    }

    fn head(&self, direction: Direction) -> Option<&[u8]> {
        if self.left.is_empty() {
            return None;
        }
        self.part.key(match direction {
            Direction::Forward => self.left.start,
            Direction::Reverse => self.left.end - 1,
        })
    }
}
