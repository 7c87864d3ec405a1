//! Peers by the numbers that the machine knows them by.

use crate::{consensus::bft::Peer, network::PeerId};
use std::collections::BTreeMap;

/// Peers that are numbered at most; more than a node is connected to, for those that are gone and were not told so.
const MAX_NUMBERED: usize = 1_024;

/// Who has which number. A peer that comes again has a new one.
#[derive(Debug, Default)]
pub(super) struct PeerNumbers {
    numbers: BTreeMap<PeerId, Peer>,
    peers: BTreeMap<Peer, PeerId>,
    last: u64,
}

impl PeerNumbers {
    /// The number of a peer, and one that has to give way where there are too many.
    pub(super) fn number_of(&mut self, peer: PeerId) -> (Peer, Option<Peer>) {
        if let Some(known) = self.numbers.get(&peer) {
            return (*known, None);
        }
        self.last += 1;
        let number = Peer(self.last);
        self.numbers.insert(peer, number);
        self.peers.insert(number, peer);
        let oldest = (self.peers.len() > MAX_NUMBERED).then(|| self.peers.pop_first()).flatten();
        let gone = oldest.map(|(number, peer)| {
            self.numbers.remove(&peer);
            number
        });
        (number, gone)
    }

    /// Who has a number.
    pub(super) fn peer_of(&self, number: Peer) -> Option<PeerId> {
        self.peers.get(&number).copied()
    }

    /// All numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = Peer> {
        self.peers.keys().copied()
    }

    /// A peer is gone; its number, where it had one.
    pub(super) fn remove(&mut self, peer: PeerId) -> Option<Peer> {
        let number = self.numbers.remove(&peer)?;
        self.peers.remove(&number);
        Some(number)
    }
}
