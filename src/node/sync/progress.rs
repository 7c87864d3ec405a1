//! How far a node that catches up has come, for whoever asks and for the log.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A catching-up that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) struct CatchUp {
    /// Height at which it began.
    pub(in crate::node) starting: u64,
    /// Height of the last block that a peer tells of.
    pub(in crate::node) highest: u64,
    began: Instant,
}

/// Where it is noted.
#[derive(Debug, Default)]
pub(in crate::node) struct Progress(Mutex<Option<CatchUp>>);

impl Progress {
    /// The one that is under way.
    pub(in crate::node) fn get(&self) -> Option<CatchUp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It began or goes on, towards a height.
    pub(super) fn set(&self, current: u64, highest: u64) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get_or_insert(CatchUp { starting: current, highest, began: Instant::now() }).highest = highest;
    }

    /// It is over.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl CatchUp {
    /// Blocks a second so far, and the seconds left at that rate; `None` before there is a rate.
    pub(in crate::node) fn estimate(&self, current: u64) -> Option<(u64, u64)> {
        estimate(self.starting, current, self.highest, self.began.elapsed())
    }
}

/// Blocks a second, rounded down, and seconds left, rounded up.
fn estimate(starting: u64, current: u64, highest: u64, took: Duration) -> Option<(u64, u64)> {
    let (done, took_ms) = (current.saturating_sub(starting), u64::try_from(took.as_millis()).ok()?.max(1));
    let left_ms = highest.saturating_sub(current).saturating_mul(took_ms).checked_div(done)?;
    Some((done.saturating_mul(1_000) / took_ms, left_ms.div_ceil(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_goes_by_the_rate_so_far() {
        assert_eq!(estimate(100, 300, 1_300, Duration::from_secs(2)), Some((100, 10)));
        assert_eq!(estimate(100, 300, 250, Duration::from_secs(2)), Some((100, 0)));
        assert_eq!(estimate(100, 100, 1_300, Duration::from_secs(2)), None);
        assert_eq!(estimate(0, u64::MAX, 0, Duration::ZERO), Some((u64::MAX, 0)));
    }
}
