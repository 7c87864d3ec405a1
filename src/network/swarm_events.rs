//! What comes from libp2p, and what the network makes of it.

use std::{io, num::NonZeroU32};

use libp2p::{
    PeerId as Peer, gossipsub, identify, mdns, ping,
    request_response::{self as requests, InboundFailure, OutboundFailure},
    swarm::{ConnectionError, DialError, SwarmEvent},
};

use super::{
    address::{PeerId, without_peer},
    behaviour::BehaviourEvent,
    error::RequestError,
    gossip::id_of,
    handle::Verdict,
    inbox::{Message, NetworkEvent, Request},
    limits::MAX_AGENT_BYTES,
    offence::Offence,
    rates::Pace,
    run::Network,
    topic::Topic,
};

impl Network {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Sync(event)) => self.on_sync(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.on_identify(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.on_ping(&event),
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(event)) => self.on_mdns(event),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, num_established: NonZeroU32::MIN, .. } => {
                let (now_ms, address) = (self.now_ms(), endpoint.get_remote_address().clone());
                self.table.connected(peer_id, without_peer(address), endpoint.is_dialer(), now_ms);
                self.rates_of(peer_id);
                self.count();
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => self.on_gone(peer_id, cause),
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.on_dial_failed(&peer, &error)
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not let in");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                let address = format!("{address}/p2p/{}", self.swarm.local_peer_id());
                self.inbox.event(NetworkEvent::Listening { address });
            }
            SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                tracing::error!(?addresses, %error, "peers cannot connect any longer");
            }
            SwarmEvent::ListenerError { error, .. } => tracing::debug!(%error, "a connection could not be taken up"),
            _ => {}
        }
    }

    fn on_gone(&mut self, peer: Peer, cause: Option<ConnectionError>) {
        if let Some(cause) = cause {
            tracing::debug!(%peer, %cause, "a connection broke");
        }
        self.rates.remove(&peer);
        let now_ms = self.now_ms();
        let was_told = self.table.disconnected(&peer, now_ms);
        self.count();
        if was_told {
            self.inbox.event(NetworkEvent::Disconnected { peer: PeerId(peer) });
        }
    }

    fn on_dial_failed(&mut self, peer: &Peer, error: &DialError) {
        if let DialError::WrongPeerId { obtained, .. } = error {
            tracing::info!(%peer, %obtained, "another node answers where a peer should be");
        } else {
            tracing::debug!(%peer, %error, "a peer cannot be reached");
        }
        let now_ms = self.now_ms();
        self.table.dial_failed(peer, now_ms);
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source: sender, message, .. } => self.on_message(sender, message),
            gossipsub::Event::SlowPeer { peer_id, .. } => self.charge(peer_id, Offence::SlowReader),
            _ => {}
        }
    }

    fn on_message(&mut self, sender: Peer, message: gossipsub::Message) {
        let id = id_of(&message.topic, &message.data);
        let now_ms = self.now_ms();
        // Gossip was set up to take in these only.
        let Some(topic) = Topic::named(&message.topic, &self.genesis) else { return };
        let pace = self.rates_of(sender).message(topic, now_ms);
        if pace != Pace::Good {
            self.settle(id, sender, Verdict::Ignore);
            if pace == Pace::Flood {
                self.charge(sender, Offence::Flood);
            }
            return;
        }
        if !self.inbox.message(Message { id, topic, from: PeerId(sender), data: message.data }) {
            self.settle(id, sender, Verdict::Ignore);
            return self.charge(sender, Offence::Overrun);
        }
        if let Some((oldest, its_sender)) = self.judging.begin(id, sender, now_ms) {
            self.settle(oldest, its_sender, Verdict::Ignore);
        }
    }

    fn on_sync(&mut self, event: requests::Event<Vec<u8>, Vec<u8>>) {
        use requests::{Event, Message};
        match event {
            Event::Message { peer, message: Message::Request { request_id, request, channel }, .. } => {
                let now_ms = self.now_ms();
                if self.rates_of(peer).request(now_ms) != Pace::Good {
                    return self.charge(peer, Offence::Flood);
                }
                if let Some(id) = self.requests.opened(peer, request_id, channel) {
                    self.inbox.request(Request { id, from: PeerId(peer), data: request });
                }
            }
            Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                self.rates_of(peer).asked_for(response.len());
                self.requests.settled(request_id, Ok(response));
            }
            Event::OutboundFailure { peer, request_id, error, .. } => {
                let (result, offence) = judge_failure(&error);
                self.requests.settled(request_id, Err(result));
                if let Some(offence) = offence {
                    self.charge(peer, offence);
                }
            }
            Event::InboundFailure { peer, request_id, error, .. } => {
                self.requests.closed(request_id);
                if matches!(&error, InboundFailure::Io(error) if error.kind() == io::ErrorKind::InvalidData) {
                    self.charge(peer, Offence::Malformed);
                }
            }
            Event::ResponseSent { request_id, .. } => self.requests.closed(request_id),
        }
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id: peer, info, .. } = event else { return };
        let now_ms = self.now_ms();
        if self.rates_of(peer).identify(now_ms) != Pace::Good {
            return self.charge(peer, Offence::Flood);
        }
        if info.protocol_version != self.chain {
            return self.charge(peer, Offence::WrongChain);
        }
        if self.table.identified(&peer, short(&info.agent_version), &info.listen_addrs) {
            self.inbox.event(NetworkEvent::Connected { peer: PeerId(peer) });
        }
    }

    fn on_ping(&mut self, event: &ping::Event) {
        if let Err(ping::Failure::Timeout | ping::Failure::Other { .. }) = event.result {
            self.charge(event.peer, Offence::Silent);
            self.swarm.close_connection(event.connection);
        }
    }

    fn on_mdns(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else { return };
        let now_ms = self.now_ms();
        for (peer, address) in found {
            self.table.found(peer, address, now_ms);
        }
    }
}

/// What a request that got no response means for who asked and for who was asked.
fn judge_failure(error: &OutboundFailure) -> (RequestError, Option<Offence>) {
    match error {
        OutboundFailure::DialFailure | OutboundFailure::ConnectionClosed => (RequestError::NotConnected, None),
        OutboundFailure::Timeout => (RequestError::Timeout, Some(Offence::NoAnswer)),
        OutboundFailure::UnsupportedProtocols => (RequestError::Failed, Some(Offence::BadResponse)),
        OutboundFailure::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            (RequestError::Failed, Some(Offence::BadResponse))
        }
        // A refusal looks like this too, and is no offence.
        OutboundFailure::Io(_) => (RequestError::Failed, None),
    }
}

/// The name of a program, fit to be shown: short, and without anything that moves a cursor.
fn short(agent: &str) -> String {
    let mut text = String::new();
    for c in agent.chars().map(|c| if c.is_control() { '?' } else { c }) {
        if text.len() + c.len_utf8() > MAX_AGENT_BYTES {
            break;
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_is_cut_and_cannot_move_a_cursor() {
        assert_eq!(short("lucid-node/1.0"), "lucid-node/1.0");
        assert_eq!(short("a\x1b[2Jb\n"), "a?[2Jb?");
        assert!(short(&"ü".repeat(1_000)).len() <= MAX_AGENT_BYTES);
    }
}
