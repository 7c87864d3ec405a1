//! What the network does by itself, each second and after an offence: whom it dials, drops, keeps out and forgets.

use libp2p::{
    PeerId,
    swarm::dial_opts::{DialOpts, PeerCondition},
};

use super::{
    handle::Verdict,
    inbox::NetworkEvent,
    offence::Offence,
    rates::{Pace, PeerRates},
    run::Network,
};

impl Network {
    /// Once a second.
    pub(super) fn tick(&mut self) {
        let now_ms = self.now_ms();
        for peer in self.table.end_bans(now_ms) {
            self.swarm.behaviour_mut().gate.set_banned(peer, false);
        }
        while let Some((id, sender)) = self.judging.expired(now_ms) {
            self.settle(id, sender, Verdict::Ignore);
        }
        self.weigh_traffic(now_ms);
        for peer in self.table.overdue(now_ms) {
            self.charge(peer, Offence::Silent);
            self.hang_up(peer);
        }
        for (peer, addresses) in self.table.next_dials(now_ms) {
            let condition = PeerCondition::DisconnectedAndNotDialing;
            // From a port of its own. Two that dial each other at the same moment, each from where it listens, have one
            // connection between them that both have opened. Neither answers a handshake there, and both try again together.
            let dial = DialOpts::peer_id(peer).addresses(addresses).condition(condition).allocate_new_port().build();
            if let Err(error) = self.swarm.dial(dial) {
                tracing::debug!(%peer, %error, "cannot dial");
                self.table.dial_failed(&peer, now_ms);
            }
        }
        // Bans that have ended, and those that an earlier run left.
        self.count();
        let changes = self.table.changes(false, now_ms);
        if !changes.is_empty() {
            self.inbox.event(NetworkEvent::Rows(changes));
        }
    }

    /// Finds who sends more bytes than one peer may.
    fn weigh_traffic(&mut self, now_ms: u64) {
        self.traffic.forget_gone();
        // What a peer said before it went may be heard after.
        self.rates.retain(|peer, _| self.table.is_connected(peer));
        let mut loud = Vec::new();
        for (peer, rates) in &mut self.rates {
            if rates.bytes(self.traffic.of(peer).0, now_ms) != Pace::Good {
                loud.push(*peer);
            }
        }
        for peer in loud {
            self.charge(peer, Offence::Overload);
        }
    }

    /// What a connected peer may still send.
    pub(super) fn rates_of(&mut self, peer: PeerId) -> &mut PeerRates {
        let now_ms = self.now_ms();
        self.rates.entry(peer).or_insert_with(|| PeerRates::new(now_ms))
    }

    /// Takes points off a peer, and keeps it out where it has too few left.
    pub(super) fn charge(&mut self, peer: PeerId, offence: Offence) {
        let now_ms = self.now_ms();
        tracing::debug!(%peer, points = offence.weight(), "a peer {}", offence.name());
        if self.table.charge(&peer, offence, now_ms) {
            tracing::info!(%peer, "a peer {}: kept out for a time", offence.name());
            self.keep_out(peer);
        }
    }

    /// Hangs up on a peer that is banned and lets it in no more.
    pub(super) fn keep_out(&mut self, peer: PeerId) {
        self.swarm.behaviour_mut().gate.set_banned(peer, true);
        self.count();
        self.hang_up(peer);
    }

    /// Hangs up on a peer, if it is there.
    pub(super) fn hang_up(&mut self, peer: PeerId) {
        // An error says that it is not.
        let _ = self.swarm.disconnect_peer_id(peer);
    }
}
