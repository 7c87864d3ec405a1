//! Who may connect: asked by the swarm before a handshake, and again once it is known who is there.
//!
//! The first question costs an attacker's connection nothing but a lookup: how many this address has, how fast it opens them,
//! how many are shaking hands. The second knows the peer: whether it is banned, and whether there is a place for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll},
    time::Instant,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
        THandlerInEvent, ToSwarm, behaviour::ConnectionEstablished, dummy,
    },
};

use super::{
    address::ip_of,
    limits::{
        MAX_CONNECTIONS_PER_PEER, MAX_COUNTED_ADDRESSES, MAX_PENDING_INBOUND, NEW_CONNECTIONS_PER_ADDRESS,
        OUTBOUND_SHARE,
    },
    rate::Bucket,
};

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("too many connections of this address")]
    Address,
    #[error("this address opens connections too fast")]
    Pace,
    #[error("too many connections are shaking hands")]
    Pending,
    #[error("the peer is banned")]
    Banned,
    #[error("the peer has connections enough")]
    Peer,
    #[error("all places are taken")]
    Full,
}

/// The doorkeeper: all that is connected or about to be, and who is kept out.
pub(super) struct Gate {
    max_peers: usize,
    max_per_address: usize,
    banned: BTreeSet<PeerId>,
    /// They have a place whoever else is there.
    statics: BTreeSet<PeerId>,
    /// Connections that peers opened, those still shaking hands included, and where from.
    inbound: BTreeMap<ConnectionId, Option<IpAddr>>,
    shaking: BTreeSet<ConnectionId>,
    /// Connections of each peer: all, and those that it opened.
    peers: BTreeMap<PeerId, (usize, usize)>,
    paces: BTreeMap<IpAddr, Bucket>,
    started: Instant,
}

impl Gate {
    pub(super) fn new(max_peers: u32, max_per_address: usize) -> Self {
        Self {
            max_peers: max_peers as usize,
            max_per_address,
            banned: BTreeSet::new(),
            statics: BTreeSet::new(),
            inbound: BTreeMap::new(),
            shaking: BTreeSet::new(),
            peers: BTreeMap::new(),
            paces: BTreeMap::new(),
            started: Instant::now(),
        }
    }

    /// Keeps a peer out, or lets it in again.
    pub(super) fn set_banned(&mut self, peer: PeerId, is_banned: bool) {
        if is_banned {
            self.banned.insert(peer)
        } else {
            self.banned.remove(&peer)
        };
    }

    /// Whom the operator named: they are let in also where all places are taken.
    pub(super) fn set_static(&mut self, peer: PeerId, is_static: bool) {
        if is_static {
            self.statics.insert(peer)
        } else {
            self.statics.remove(&peer)
        };
    }

    /// The question before the handshake.
    fn knock(&mut self, connection: ConnectionId, from: Option<IpAddr>, now_ms: u64) -> Result<(), Denied> {
        if self.shaking.len() >= MAX_PENDING_INBOUND {
            return Err(Denied::Pending);
        }
        if self.inbound.values().filter(|address| **address == from).count() >= self.max_per_address {
            return Err(Denied::Address);
        }
        if let Some(address) = from {
            self.keep_pace(address, now_ms)?;
        }
        self.inbound.insert(connection, from);
        self.shaking.insert(connection);
        Ok(())
    }

    fn keep_pace(&mut self, address: IpAddr, now_ms: u64) -> Result<(), Denied> {
        if !self.paces.contains_key(&address) && self.paces.len() >= MAX_COUNTED_ADDRESSES {
            self.paces.retain(|_, pace| !pace.is_full(now_ms));
            // All of them opened connections within a minute: whoever is new waits for one to be quiet.
            if self.paces.len() >= MAX_COUNTED_ADDRESSES {
                return Err(Denied::Pace);
            }
        }
        let new = || Bucket::new(NEW_CONNECTIONS_PER_ADDRESS, NEW_CONNECTIONS_PER_ADDRESS, now_ms);
        let pace = self.paces.entry(address).or_insert_with(new);
        if pace.take(1, now_ms) { Ok(()) } else { Err(Denied::Pace) }
    }

    /// The question once it is known who is there.
    fn enter(&self, peer: &PeerId, is_inbound: bool) -> Result<(), Denied> {
        if self.banned.contains(peer) {
            return Err(Denied::Banned);
        }
        match self.peers.get(peer) {
            Some((connections, _)) if *connections >= MAX_CONNECTIONS_PER_PEER => return Err(Denied::Peer),
            Some(_) => return Ok(()),
            None if self.statics.contains(peer) => return Ok(()),
            None => {}
        }
        let from_outside = self.peers.values().filter(|(all, inbound)| all == inbound).count();
        let kept = self.max_peers / OUTBOUND_SHARE as usize;
        let is_full = self.peers.len() >= self.max_peers || (is_inbound && from_outside >= self.max_peers - kept);
        if is_full { Err(Denied::Full) } else { Ok(()) }
    }

    fn opened(&mut self, peer: PeerId, connection: ConnectionId) {
        self.shaking.remove(&connection);
        let (all, inbound) = self.peers.entry(peer).or_default();
        *all += 1;
        *inbound += usize::from(self.inbound.contains_key(&connection));
    }

    fn closed(&mut self, peer: PeerId, connection: ConnectionId) {
        let was_inbound = self.inbound.remove(&connection).is_some();
        if let Some((all, inbound)) = self.peers.get_mut(&peer) {
            *all -= 1;
            *inbound -= usize::from(was_inbound);
            if *all == 0 {
                self.peers.remove(&peer);
            }
        }
    }

    fn failed(&mut self, connection: ConnectionId) {
        self.inbound.remove(&connection);
        self.shaking.remove(&connection);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let now_ms = self.now_ms();
        self.knock(connection, ip_of(from), now_ms).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.enter(&peer, true).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.enter(&peer, false).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, .. }) => {
                self.opened(peer_id, connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.closed(peer_id, connection_id);
            }
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => self.failed(connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(n.into()))
    }

    fn connection(n: usize) -> ConnectionId {
        ConnectionId::new_unchecked(n)
    }

    /// One more peer from outside, if it is let in.
    fn visit(gate: &mut Gate, n: usize, now_ms: u64) -> Result<PeerId, Denied> {
        let peer = PeerId::random();
        gate.knock(connection(n), address(n as u32), now_ms)?;
        if let Err(denied) = gate.enter(&peer, true) {
            gate.failed(connection(n));
            return Err(denied);
        }
        gate.opened(peer, connection(n));
        Ok(peer)
    }

    #[test]
    fn one_address_has_so_many_connections_and_others_are_let_in() {
        let mut gate = Gate::new(32, 8);
        let let_in = (0..200).filter(|n| gate.knock(connection(*n), address(1), 0).is_ok()).count();
        assert_eq!(let_in, 8);
        assert_eq!(gate.knock(connection(999), address(1), 0), Err(Denied::Address));
        assert!(gate.knock(connection(1_000), address(2), 0).is_ok());
        gate.failed(connection(0));
        assert!(gate.knock(connection(1_001), address(1), 0).is_ok(), "a place that was left");
    }

    #[test]
    fn an_address_that_comes_and_goes_is_held_to_a_pace() {
        let mut gate = Gate::new(32, 8);
        let tries = |gate: &mut Gate, now_ms| {
            let knocks = (0..1_000).map(|n| {
                let answer = gate.knock(connection(n), address(1), now_ms);
                gate.failed(connection(n));
                answer
            });
            knocks.filter(Result::is_ok).count() as u64
        };
        assert_eq!(tries(&mut gate, 0), NEW_CONNECTIONS_PER_ADDRESS);
        assert_eq!(tries(&mut gate, 30_000), NEW_CONNECTIONS_PER_ADDRESS / 2);
    }

    #[test]
    fn half_open_connections_are_bounded_over_all_addresses() {
        let mut gate = Gate::new(128, 8);
        let shaking = (0..200).filter(|n| gate.knock(connection(*n), address(*n as u32), 0).is_ok()).count();
        assert_eq!(shaking, MAX_PENDING_INBOUND);
    }

    #[test]
    fn counted_addresses_are_bounded_and_quiet_ones_make_room() {
        let mut gate = Gate::new(128, 8);
        let knocks = |gate: &mut Gate, now_ms| {
            let let_in = |n: &usize| {
                let answer = gate.knock(connection(*n), address(*n as u32 + now_ms as u32), now_ms);
                gate.failed(connection(*n));
                answer.is_ok()
            };
            (0..2 * MAX_COUNTED_ADDRESSES).filter(let_in).count()
        };
        assert_eq!(knocks(&mut gate, 0), MAX_COUNTED_ADDRESSES);
        assert_eq!(knocks(&mut gate, 600_000), MAX_COUNTED_ADDRESSES);
    }

    #[test]
    fn strangers_cannot_take_the_places_of_those_this_node_dials_or_was_told_to_know() {
        let mut gate = Gate::new(16, 8);
        let let_in = (0..100).filter(|n| visit(&mut gate, *n, 0).is_ok()).count();
        assert_eq!(let_in, 14);
        let (known, named) = (PeerId::random(), PeerId::random());
        gate.set_static(named, true);
        assert_eq!(gate.enter(&known, true), Err(Denied::Full));
        assert_eq!(gate.enter(&named, true), Ok(()));
        for n in 200..202 {
            assert_eq!(gate.enter(&known, false), Ok(()));
            gate.opened(PeerId::random(), connection(n));
        }
        assert_eq!(gate.enter(&known, false), Err(Denied::Full));
        assert_eq!(gate.enter(&named, false), Ok(()));
    }

    #[test]
    fn a_peer_has_two_connections_at_most_and_leaves_nothing_behind() {
        let mut gate = Gate::new(16, 8);
        let peer = visit(&mut gate, 1, 0).unwrap();
        assert_eq!(gate.enter(&peer, false), Ok(()));
        gate.opened(peer, connection(2));
        assert_eq!(gate.enter(&peer, true), Err(Denied::Peer));
        gate.closed(peer, connection(1));
        gate.closed(peer, connection(2));
        assert!(gate.peers.is_empty() && gate.inbound.is_empty() && gate.shaking.is_empty());
    }

    #[test]
    fn a_banned_peer_is_kept_out_also_where_it_is_static() {
        let mut gate = Gate::new(16, 8);
        let peer = PeerId::random();
        gate.set_static(peer, true);
        gate.set_banned(peer, true);
        assert_eq!(gate.enter(&peer, true), Err(Denied::Banned));
        gate.set_banned(peer, false);
        assert_eq!(gate.enter(&peer, true), Ok(()));
    }
}
