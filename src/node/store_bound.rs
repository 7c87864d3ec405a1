//! How much of its disk the store's file may take: `storage.max-size-mib`.
//!
//! What counts is what the file takes, and not how long it is: the engine lengthens it in large steps, long before it fills
//! it. It fills pages that are free inside before it takes new ones, so a file that has taken all that it may is no full
//! one yet; one that had to take more, although little was left, is. From then on nothing is taken in. What is left is a
//! reserve, so that what was taken in before comes into a block; and should that be too little, the store itself refuses to
//! write beyond the bound.

use super::{datadir::taken_bytes, guards::SealingStop, state::Node};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tracing::warn;

/// The reserve, where the bound is not small: what a full block writes.
const MAX_RESERVE_BYTES: u64 = 64 << 20;

/// The part of a small bound that is the reserve.
const RESERVE_PART: u64 = 16;

/// Part of the bound, in hundredths, from which on it is warned.
const WARN_PERCENT: u64 = 90;

/// How long nothing is written once the file is full, unless it becomes smaller. Pages become free meanwhile where somebody
/// held an old snapshot, such as a backup.
const FULL_PAUSE: Duration = Duration::from_secs(3_600);

/// How often a warning is repeated.
const WARN_AGAIN: Duration = Duration::from_secs(24 * 3_600);

/// The bound of one store.
#[derive(Debug)]
pub(super) struct StoreBound {
    path: PathBuf,
    max_bytes: u64,
    seen: Mutex<Seen>,
}

/// What was seen of the file.
#[derive(Debug, Default)]
struct Seen {
    /// Bytes that it took.
    taken: Option<u64>,
    /// When it was found full.
    full: Option<Instant>,
    warned: Option<Instant>,
}

impl StoreBound {
    pub(super) fn new(path: &Path, max_bytes: u64) -> Self {
        Self { path: path.to_owned(), max_bytes, seen: Mutex::default() }
    }

    pub(super) const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Why nothing may be written now, where that is so.
    pub(super) fn stop(&self) -> Option<SealingStop> {
        let taken = taken_bytes(&self.path)?;
        let reserve = (self.max_bytes / RESERVE_PART).min(MAX_RESERVE_BYTES);
        let mut seen = self.seen();
        // Where nothing was seen before it may have free pages, and the next write shows whether.
        let before = seen.taken.replace(taken).unwrap_or(taken);
        if taken > before && taken > self.max_bytes - reserve {
            seen.full = Some(Instant::now());
        } else if taken < before {
            // It was written anew.
            seen.full = None;
        }
        let is_full = seen.full.is_some_and(|since| since.elapsed() < FULL_PAUSE);
        is_full.then(|| SealingStop::StoreFull { taken_mib: taken.div_ceil(1 << 20), max_mib: self.max_bytes >> 20 })
    }

    /// The store has refused to write beyond the bound.
    pub(super) fn note_refused(&self) {
        self.seen().full = Some(Instant::now());
    }

    /// Bytes that the file takes, where that is most of what it may.
    fn nearly_full(&self) -> Option<u64> {
        taken_bytes(&self.path).filter(|taken| *taken >= self.max_bytes / 100 * WARN_PERCENT)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Warns once a day while the store's file takes most of what it may.
    pub(super) fn note_store_bound(&self) {
        let Some(bound) = &self.guards.store_bound else { return };
        let Some(taken) = bound.nearly_full() else { return };
        let mut seen = bound.seen();
        if seen.warned.is_none_or(|warned| warned.elapsed() >= WARN_AGAIN) {
            seen.warned = Some(Instant::now());
            let (taken_mib, max_mib) = (taken >> 20, bound.max_bytes >> 20);
            warn!(taken_mib, max_mib, "the store's file takes most of what storage.max-size-mib allows");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::OpenOptions, io::Write};

    const MAX: u64 = 32 << 20;

    /// Adds so many bytes to a file.
    fn grow(path: &Path, bytes: usize) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(&vec![1; bytes]).unwrap();
        file.sync_all().unwrap();
    }

    #[test]
    fn a_file_is_full_when_it_has_to_grow_into_the_reserve() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        grow(&path, 20 << 20);
        // Longer than it may be, and nothing of that is taken.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(64 << 20).unwrap();
        let bound = StoreBound::new(&path, MAX);
        assert_eq!((bound.stop(), bound.nearly_full()), (None, None));
        grow(&path, 9 << 20);
        assert_eq!(bound.stop(), None, "the reserve is not touched");
        assert!(bound.nearly_full().is_some());
        grow(&path, 2 << 20);
        let stop = bound.stop().unwrap();
        assert!(matches!(stop, SealingStop::StoreFull { taken_mib: 31..=32, max_mib: 32 }), "{stop}");
        assert!(bound.stop().is_some(), "it stays so");
        assert!(stop.to_string().contains("storage.max-size-mib") && stop.to_string().contains("db compact"), "{stop}");
    }

    #[test]
    fn a_file_in_the_reserve_that_does_not_grow_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        grow(&path, 31 << 20);
        let bound = StoreBound::new(&path, MAX);
        assert_eq!([bound.stop(), bound.stop()], [None, None]);
        bound.note_refused();
        assert!(bound.stop().is_some());
        assert_eq!(StoreBound::new(&path, 2 * MAX).stop(), None);
        assert_eq!(StoreBound::new(&folder.path().join("gone"), MAX).stop(), None);
    }
}
