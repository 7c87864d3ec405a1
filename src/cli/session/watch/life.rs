//! Signs of life for the service manager: only while something goes forward, or there is nothing to do.

use crate::service::Notifier;
use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// What goes forward: folders that are passed, bytes that are read, answers that come.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse(Arc<Beats>);

#[derive(Debug, Default)]
struct Beats {
    count: AtomicU64,
    rests: AtomicBool,
}

impl Pulse {
    /// Something went forward.
    pub(super) fn beat(&self) {
        self.0.count.fetch_add(1, Relaxed);
    }

    /// There is nothing to do from now on, or there is again.
    pub(super) fn rests(&self, rests: bool) {
        self.0.rests.store(rests, Relaxed);
    }

    /// Whether there is life since the last time that `seen` was given.
    fn is_alive(&self, seen: &mut Option<u64>) -> bool {
        let count = self.0.count.load(Relaxed);
        seen.replace(count) != Some(count) || self.0.rests.load(Relaxed)
    }
}

/// Tells the manager as often as it asks for it, as long as there is life.
pub(super) async fn show_life(notifier: &Notifier, pulse: &Pulse) -> Infallible {
    let Some(watchdog) = notifier.watchdog() else { return pending().await };
    let mut seen = None;
    loop {
        if pulse.is_alive(&mut seen) {
            notifier.alive();
        }
        tokio::time::sleep(watchdog / 3).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_neither_works_nor_rests_shows_no_life() {
        let (pulse, mut seen) = (Pulse::default(), None);
        assert!(pulse.is_alive(&mut seen));
        assert!(!pulse.is_alive(&mut seen));
        pulse.beat();
        assert!(pulse.is_alive(&mut seen));
        pulse.rests(true);
        assert!(pulse.is_alive(&mut seen) && pulse.is_alive(&mut seen));
        pulse.rests(false);
        assert!(!pulse.is_alive(&mut seen));
    }
}
