//! How many bytes each peer has sent and was sent, counted at its sockets: what a peer costs, whatever it says with it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use libp2p::PeerId;

/// Bytes of one peer, over all its connections that are open.
#[derive(Debug, Default)]
pub(in crate::network) struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Counters {
    pub(super) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The counters of all who are connected. A connection holds its counters, and they go with the last one.
#[derive(Debug, Clone, Default)]
pub(in crate::network) struct Traffic(Arc<Mutex<BTreeMap<PeerId, Weak<Counters>>>>);

impl Traffic {
    /// The counters of a peer, for one more connection with it.
    pub(super) fn counters(&self, peer: PeerId) -> Arc<Counters> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = peers.entry(peer).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let counters = Arc::default();
            *slot = Arc::downgrade(&counters);
            counters
        })
    }

    /// Bytes received from a peer and sent to it since its oldest connection that is open.
    pub(in crate::network) fn of(&self, peer: &PeerId) -> (u64, u64) {
        let peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = peers.get(peer).and_then(Weak::upgrade);
        counters.map_or((0, 0), |c| (c.received.load(Ordering::Relaxed), c.sent.load(Ordering::Relaxed)))
    }

    /// Forgets who is gone. Who was turned away after the handshake is here too.
    pub(in crate::network) fn forget_gone(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, counters| counters.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_connections_of_a_peer_add_up_and_go_with_the_last() {
        let (traffic, peer) = (Traffic::default(), PeerId::random());
        let (first, second) = (traffic.counters(peer), traffic.counters(peer));
        first.add_received(3);
        second.add_received(4);
        second.add_sent(5);
        assert_eq!(traffic.of(&peer), (7, 5));
        drop(first);
        traffic.forget_gone();
        assert_eq!(traffic.of(&peer), (7, 5));
        drop(second);
        assert_eq!(traffic.of(&peer), (0, 0));
        traffic.forget_gone();
        assert!(traffic.0.lock().unwrap().is_empty());
    }
}
