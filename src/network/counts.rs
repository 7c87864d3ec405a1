//! How many peers there are, for those who cannot wait until the network says so.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many peers there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkCounts {
    /// Connected ones.
    pub connected: usize,
    /// Those that are kept out for a time.
    pub banned: usize,
}

/// The counts as the network noted them last; zeros before it runs and once it has stopped.
#[derive(Debug, Default)]
pub(super) struct Counted {
    connected: AtomicUsize,
    banned: AtomicUsize,
}

impl Counted {
    pub(super) fn note(&self, counts: NetworkCounts) {
        self.connected.store(counts.connected, Relaxed);
        self.banned.store(counts.banned, Relaxed);
    }

    pub(super) fn counts(&self) -> NetworkCounts {
        NetworkCounts { connected: self.connected.load(Relaxed), banned: self.banned.load(Relaxed) }
    }
}
