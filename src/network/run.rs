//! The network itself: a future that the node's task runs until it is stopped.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_channel::Receiver;
use futures_timer::Delay;
use libp2p::{
    Swarm,
    futures::{FutureExt, StreamExt, select},
    gossipsub::{MessageAcceptance, MessageId as GossipId, TopicHash},
    identity::Keypair,
};
use lucid_storage::PeerRecord;
use zeroize::Zeroizing;

use super::{
    address::{PeerAddress, PeerId},
    behaviour::{Behaviour, chain_protocol, swarm},
    config::NetworkConfig,
    counts::{Counted, NetworkCounts},
    error::{NetworkError, Refused, RequestError},
    handle::{BanInfo, Command, NetworkHandle, NetworkSnapshot, PeerInfo, Verdict, handle},
    inbox::{Inbox, MessageId, NetworkEvents, RequestId, inbox},
    judging::Judging,
    limits::TICK_MS,
    noise::Traffic,
    offence::Offence,
    rates::PeerRates,
    requests::{Answer, Requests},
    table::Table,
    topic::Topic,
};

/// The network of a node: its connections, and what is known of peers.
pub struct Network {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) genesis: [u8; 32],
    /// What a peer of this chain says that it speaks.
    pub(super) chain: String,
    pub(super) topics: [TopicHash; 4],
    pub(super) table: Table,
    pub(super) rates: BTreeMap<libp2p::PeerId, PeerRates>,
    pub(super) judging: Judging,
    pub(super) requests: Requests,
    pub(super) inbox: Inbox,
    pub(super) traffic: Traffic,
    commands: Pin<Box<Receiver<Command>>>,
    counted: Arc<Counted>,
    clock: Clock,
}

/// The wall clock at the start, and since then a clock that never jumps.
struct Clock {
    start_ms: u64,
    started: Instant,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Clock {
    fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start_ms: millis(since_epoch), started: Instant::now() }
    }

    fn now_ms(&self) -> u64 {
        self.start_ms.saturating_add(millis(self.started.elapsed()))
    }
}

/// The name that a node with this secret has among peers.
pub(super) fn identity(secret: &[u8; 32]) -> Result<Keypair, NetworkError> {
    let mut bytes = Zeroizing::new(*secret);
    Keypair::ed25519_from_bytes(bytes.as_mut_slice()).map_err(|error| NetworkError::Channel(error.to_string()))
}

impl Network {
    /// Sets the network of a chain up: `secret` is this node's own for it and no other's, `rows` are those that an earlier
    /// run left. It listens at once, and answers and dials when it [runs](Self::run).
    ///
    /// Within a runtime of tokio.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn new(
        config: &NetworkConfig,
        genesis: [u8; 32],
        secret: &[u8; 32],
        rows: &[(String, PeerRecord)],
    ) -> Result<(Self, NetworkHandle, NetworkEvents), NetworkError> {
        let traffic = Traffic::default();
        let mut swarm = swarm(&identity(secret)?, &genesis, config, traffic.clone())?;
        let own = *swarm.local_peer_id();
        let clock = Clock::new();
        let (mut named, others) = (config.peers.clone(), rows.iter().filter(|(id, _)| *id != own.to_string()));
        named.retain(|address| address.peer.0 != own);
        let table = Table::new(&others.cloned().collect::<Vec<_>>(), &named, config.max_peers, clock.now_ms());
        let gate = &mut swarm.behaviour_mut().gate;
        table.bans().for_each(|(peer, _)| gate.set_banned(*peer, true));
        table.statics().for_each(|peer| gate.set_static(*peer, true));
        let (inbox, events) = inbox();
        let counted = Arc::<Counted>::default();
        let (handle, commands) = handle(PeerId(own), Arc::clone(&counted));
        let network = Self {
            swarm,
            chain: chain_protocol(&genesis),
            topics: Topic::ALL.map(|topic| topic.of_chain(&genesis).hash()),
            genesis,
            table,
            rates: BTreeMap::new(),
            judging: Judging::default(),
            requests: Requests::default(),
            inbox,
            traffic,
            commands: Box::pin(commands),
            counted,
            clock,
        };
        Ok((network, handle, events))
    }

    /// The name that a node with this secret has among peers.
    ///
    /// # Errors
    /// [`NetworkError::Channel`] if the secret is none.
    pub fn id_of(secret: &[u8; 32]) -> Result<PeerId, NetworkError> {
        Ok(PeerId(identity(secret)?.public().to_peer_id()))
    }

    /// Runs until a handle stops it or all handles are gone.
    pub async fn run(mut self) {
        let mut tick = Delay::new(Duration::ZERO).fuse();
        loop {
            select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.next() => match command {
                    Some(Command::Stop(answer)) => {
                        // Who asked may be gone.
                        let _ = answer.send(self.table.changes(true, self.now_ms()));
                        return;
                    }
                    Some(command) => self.on_command(command),
                    None => return,
                },
                () = tick => {
                    self.tick();
                    tick = Delay::new(Duration::from_millis(TICK_MS)).fuse();
                }
            }
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn on_command(&mut self, command: Command) {
        let now_ms = self.now_ms();
        match command {
            Command::Publish(topic, data) => self.publish(topic, data),
            Command::Report(id, verdict) => self.judge(id, verdict),
            Command::Offence(peer, offence) => self.charge(peer.0, offence),
            Command::Request(peer, data, answer) => self.ask(peer.0, data, answer),
            Command::Respond(id, data) => self.respond(id, data),
            Command::AddPeer(address) => self.add_peer(&address),
            Command::RemovePeer(peer) => {
                self.table.remove(&peer.0);
                self.swarm.behaviour_mut().gate.set_static(peer.0, false);
                self.hang_up(peer.0);
            }
            Command::Ban(peer, for_ms, reason) => {
                self.table.ban(peer.0, for_ms, reason, now_ms);
                self.keep_out(peer.0);
            }
            Command::Pardon(peer) => {
                self.table.pardon(&peer.0, now_ms);
                self.swarm.behaviour_mut().gate.set_banned(peer.0, false);
                self.count();
            }
            Command::ToldHead(peer, head) => self.table.told_head(&peer.0, head),
            Command::Snapshot(answer) => {
                // Who asked may be gone.
                let _ = answer.send(self.snapshot());
            }
            // `run` ends with it.
            Command::Stop(_) => {}
        }
    }

    /// Notes how many peers there are, for who asks without waiting.
    pub(super) fn count(&self) {
        let (connected, banned) = (self.table.links().count(), self.table.bans().count());
        self.counted.note(NetworkCounts { connected, banned });
    }

    fn add_peer(&mut self, address: &PeerAddress) {
        if address.peer.0 != *self.swarm.local_peer_id() {
            let now_ms = self.now_ms();
            self.table.add_static(address, now_ms);
            self.swarm.behaviour_mut().gate.set_static(address.peer.0, true);
        }
    }

    fn publish(&mut self, topic: Topic, data: Vec<u8>) {
        let hash = self.topics[topic.index()].clone();
        if let Err(error) = self.swarm.behaviour_mut().gossip.publish(hash, data) {
            tracing::debug!(topic = topic.name(), %error, "a message of this node went to nobody");
        }
    }

    fn judge(&mut self, id: MessageId, verdict: Verdict) {
        let Some(sender) = self.judging.end(&id) else { return };
        self.settle(id, sender, verdict);
        if verdict == Verdict::Reject {
            self.charge(sender, Offence::InvalidMessage);
        }
    }

    /// Tells gossip what becomes of a message.
    pub(super) fn settle(&mut self, id: MessageId, sender: libp2p::PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&GossipId(id.0.to_vec()), &sender, acceptance);
    }

    fn ask(&mut self, peer: libp2p::PeerId, data: Vec<u8>, answer: Answer) {
        let error = if !self.table.is_connected(&peer) {
            RequestError::NotConnected
        } else if !self.requests.may_ask(&peer) {
            RequestError::Busy
        } else {
            let id = self.swarm.behaviour_mut().sync.send_request(&peer, data);
            return self.requests.asked(id, peer, answer);
        };
        // Who asked may be gone.
        let _ = answer.send(Err(error));
    }

    fn respond(&mut self, id: RequestId, data: Option<Vec<u8>>) {
        let bytes = data.as_ref().map_or(0, Vec::len);
        // A channel that is dropped tells the peer that it gets no answer.
        if let (Some(channel), Some(data)) = (self.requests.answered(id, bytes), data) {
            // The peer may be gone, which an event says.
            let _ = self.swarm.behaviour_mut().sync.send_response(channel, data);
        }
    }

    fn snapshot(&self) -> NetworkSnapshot {
        let now_ms = self.now_ms();
        let listens = self.swarm.behaviour().gossip.all_peers();
        let listens: BTreeMap<_, _> = listens.map(|(peer, topics)| (*peer, topics.len())).collect();
        let peer = |(id, known): (&libp2p::PeerId, &super::table::Known)| {
            let link = known.link.as_ref()?;
            let (received_bytes, sent_bytes) = self.traffic.of(id);
            Some(PeerInfo {
                id: PeerId(*id),
                address: link.address.to_string(),
                is_outbound: link.outbound,
                is_static: known.is_static(),
                agent: link.agent.clone(),
                is_listening: listens.get(id) == Some(&self.topics.len()),
                score: known.score(now_ms),
                connected_since: link.since_ms / 1_000,
                received_bytes,
                sent_bytes,
                head: link.head,
            })
        };
        let ban = |(id, ban): (&libp2p::PeerId, &super::table::Ban)| BanInfo {
            id: PeerId(*id),
            until: ban.until_ms.div_ceil(1_000),
            reason: ban.reason.clone(),
        };
        NetworkSnapshot {
            listening: self.swarm.listeners().map(|address| address.to_string()).collect(),
            peers: self.table.links().filter_map(peer).collect(),
            bans: self.table.bans().map(ban).collect(),
            known: self.table.len(),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.counted.note(NetworkCounts::default());
        // What is in the channel lives as long as a handle does: who waits for an answer would wait for ever.
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Request(_, _, answer) = command {
                let _ = answer.send(Err(Refused::Stopped.into()));
            }
        }
    }
}
