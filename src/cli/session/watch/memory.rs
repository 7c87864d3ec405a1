//! What the running watch knows of the folders that it has seen, in some bytes each: enough not to look at them again, and
//! never enough to do without what is on disk.

use alloy_primitives::B256;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    ops::Bound,
    os::unix::ffi::OsStrExt,
    time::{Duration, Instant},
};

/// Folders that are known at most, each with about 60 bytes. Those beyond are looked at anew each time.
const MAX_KNOWN: usize = 262_144;

/// How often all recordings that are anchored are held against the node and their folders again.
const ROUND: Duration = Duration::from_secs(3_600);

/// How many of them in one look, so that neither the disk nor the node notices.
const MAX_RECHECKS: usize = 16;

/// How soon a refused recording is looked at again though its folder has not changed, at first; twice as late each time.
const FIRST_DELAY_SECS: u32 = 30;

/// How late at most, where only its files can tell that it was put right: they are listed and not read.
const MAX_LIST_DELAY_SECS: u32 = 600;

/// How late at most, where it has to be read once more.
const MAX_READ_DELAY_SECS: u32 = 3_600;

/// A folder, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    pub(super) fn of(name: &OsStr) -> Self {
        Self(short(lucid_types::blake3([name.as_bytes()])))
    }
}

/// The first bytes of a hash, of which two that differ are the same once in 2^64.
pub(super) fn short(hash: B256) -> u64 {
    u64::from_be_bytes(hash.0.first_chunk().copied().unwrap_or_default())
}

/// What is known of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is anchored. What was told of a change since, as a number; 0 for nothing.
    Anchored { told: u64 },
    /// The node has it.
    UnderWay,
    /// It cannot be anchored as it is.
    Refused(Refused),
}

/// Why and until when a folder is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    /// The reason that was told, as a number.
    pub(super) told: u64,
    /// The chunks' names, sizes and times, as a number; none where they could not be listed.
    pub(super) stamp: Option<u64>,
    /// The folder's own times, as a number.
    pub(super) folder: u64,
    /// Whether it may go another time though nothing of it has changed.
    pub(super) retry: bool,
    /// When it is looked at again in any case.
    pub(super) until: Instant,
    delay_secs: u32,
}

impl Refused {
    /// A refusal that follows `before`, where there was one.
    pub(super) fn next(before: Option<Self>, told: u64, stamp: Option<u64>, retry: bool, now: Instant) -> Self {
        let most = if retry { MAX_READ_DELAY_SECS } else { MAX_LIST_DELAY_SECS };
        let again = before.filter(|before| before.told == told && before.stamp == stamp);
        let delay_secs = again.map_or(FIRST_DELAY_SECS, |before| before.delay_secs.saturating_mul(2)).min(most);
        let until = now + Duration::from_secs(delay_secs.into());
        Self { told, stamp, folder: 0, retry, until, delay_secs }
    }
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: BTreeMap<Key, Known>,
    round: Option<Round>,
}

/// A way through all that are known.
#[derive(Debug, Clone, Copy)]
struct Round {
    began: Instant,
    /// The last that was taken.
    last: Option<Key>,
    /// Whether it has come to the end.
    through: bool,
}

impl Memory {
    pub(super) fn get(&self, key: Key) -> Option<Known> {
        self.known.get(&key).copied()
    }

    /// The refusal of a folder.
    pub(super) fn refused(&self, key: Key) -> Option<Refused> {
        match self.get(key) {
            Some(Known::Refused(refused)) => Some(refused),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, key: Key, known: Known) {
        if self.known.len() < MAX_KNOWN || self.known.contains_key(&key) {
            self.known.insert(key, known);
        }
    }

    pub(super) fn forget(&mut self, key: Key) {
        self.known.remove(&key);
    }

    /// Has the next round begin at once.
    pub(super) const fn begin_round(&mut self) {
        self.round = None;
    }

    /// The next to be looked at again, of all that are known; none between two rounds.
    pub(super) fn next_rechecks(&mut self, now: Instant) -> BTreeSet<Key> {
        let round = match self.round {
            Some(round) if !round.through || now.saturating_duration_since(round.began) < ROUND => round,
            _ if self.known.is_empty() => return BTreeSet::new(),
            _ => Round { began: now, last: None, through: false },
        };
        if round.through {
            return BTreeSet::new();
        }
        let from = round.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next: BTreeSet<Key> =
            self.known.range((from, Bound::Unbounded)).take(MAX_RECHECKS).map(|(key, _)| *key).collect();
        let through = next.len() < MAX_RECHECKS;
        self.round = Some(Round { last: next.last().copied(), through, ..round });
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_comes_to_every_folder_once_in_small_steps_and_then_rests() {
        let mut memory = Memory::default();
        let now = Instant::now();
        for number in 0..100_u32 {
            memory.set(Key::of(OsStr::new(&number.to_string())), Known::Anchored { told: 0 });
        }
        let mut seen = BTreeSet::new();
        let mut looks = 0;
        loop {
            let next = memory.next_rechecks(now + Duration::from_secs(looks));
            if next.is_empty() {
                break;
            }
            assert!(next.len() <= MAX_RECHECKS && next.is_disjoint(&seen));
            seen.extend(next);
            looks += 1;
        }
        assert_eq!((seen.len(), looks), (100, 7));
        assert!(memory.next_rechecks(now + ROUND - Duration::from_secs(1)).is_empty());
        assert_eq!(memory.next_rechecks(now + ROUND).len(), MAX_RECHECKS);
        memory.begin_round();
        assert!(memory.next_rechecks(now + ROUND).is_subset(&seen));
    }

    #[test]
    fn what_is_refused_is_looked_at_more_and_more_seldom_until_it_changes() {
        let now = Instant::now();
        let mut refused = Refused::next(None, 1, Some(2), false, now);
        for expected in [30, 60, 120, 240, 480, 600, 600] {
            assert_eq!(refused.until - now, Duration::from_secs(expected));
            refused = Refused::next(Some(refused), 1, Some(2), false, now);
        }
        assert_eq!(Refused::next(Some(refused), 1, Some(3), false, now).until - now, Duration::from_secs(30));
        assert_eq!(Refused::next(Some(refused), 1, Some(2), true, now).until - now, Duration::from_secs(1_200));
    }

    #[test]
    fn more_folders_than_the_memory_has_room_for_are_not_remembered() {
        let mut memory = Memory::default();
        for number in 0..=MAX_KNOWN as u64 {
            memory.set(Key(number), Known::UnderWay);
        }
        assert_eq!(memory.get(Key(MAX_KNOWN as u64)), None);
        memory.set(Key(1), Known::Anchored { told: 0 });
        assert_eq!(memory.get(Key(1)), Some(Known::Anchored { told: 0 }));
    }
}
