//! The thread that drives consensus: tells the machine what happens, and does what it asks for, in that order.

use super::{
    clockwork::Clockwork,
    heard::Heard,
    inbox::{Outbox, Told},
    notes::RoundNotes,
    open_height::OpenHeight,
    part::Standing,
    passed_on::PassedOn,
    peers::PeerNumbers,
    wire::Wire,
};
use crate::{
    consensus::{
        bft::{
            Decision, Effect, HeightFacts, Input, LogEntry, Machine, MachineConfig, Message, Peer, Recipient,
            SignedVote, SigningGuard, Timeouts, Verifier,
        },
        poot::Schedule,
    },
    keys::HighestSigned,
    network::{MessageId, PeerId, RequestId, Verdict},
    node::{
        clock::unix_now,
        error::NodeError,
        state::Node,
        sync::{CertifiedBlock, FAR_BLOCKS, one_write},
    },
};
use alloy_primitives::B256;
use lucid_storage::Batch;
use lucid_types::ValidatorSet;
use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::RecvTimeoutError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};
use tracing::{debug, info, warn};

/// How long after the first transaction that waits a height is opened, so that those sent with it come into one block.
const PROPOSE_DELAY: Duration = Duration::from_secs(2);

/// How long is waited while the disk has no room: nothing can be signed that cannot be written down first.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);

/// Drives consensus until it is told to stop.
///
/// # Errors
/// The node has to end: the store, the keys' folder or the machine failed.
pub(in crate::node) fn drive(mut driver: Driver, told: &Outbox) -> Result<(), NodeError> {
    driver.begin()?;
    loop {
        if let Some(part) = driver.node.part.get() {
            part.note_alive();
        }
        if let Some(stop) = driver.node.guards.disk_full() {
            debug!(%stop, "no room to vote");
            if told.pass_over(NO_ROOM_PAUSE) {
                continue;
            }
            return Ok(());
        }
        match told.next(driver.wait()) {
            Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(told) => driver.take(told)?,
            Err(RecvTimeoutError::Timeout) => {}
        }
        driver.tick()?;
    }
}

/// A node that takes part.
pub(in crate::node) struct Driver {
    node: Arc<Node>,
    machine: Machine,
    guard: SigningGuard,
    wire: Wire,
    clockwork: Clockwork,
    peers: PeerNumbers,
    /// What the machine has still to be told.
    inputs: VecDeque<Input>,
    /// The height after the head.
    open: OpenHeight,
    /// What an earlier run left of it, until the machine has been told.
    log: Vec<LogEntry>,
    rounds: RoundNotes,
    heard: Heard,
    /// Whose message is under judgement, and whether it was one that an honest peer does not send. What it brings about may
    /// show faults of others too.
    sender: Option<Peer>,
    faulted: bool,
    /// Since when something waits for a block; nothing where nothing does.
    waits_since: Option<Instant>,
    passed_on: PassedOn,
    /// Whether too few validators voted when that was last looked at.
    lacked_voters: bool,
    /// Whether it was said that somebody else signs with this node's key.
    has_twin: bool,
    /// Told where the node is far behind.
    far_behind: Arc<Notify>,
    /// Where the answers go that the machine gives to whoever asked.
    asked: Option<(Peer, RequestId)>,
}

impl Driver {
    /// A node at its head.
    ///
    /// # Errors
    /// The store or the file of what was signed cannot be read.
    pub(in crate::node) fn new(node: Arc<Node>, wire: Wire, far_behind: Arc<Notify>) -> Result<Self, NodeError> {
        let head = node.head();
        let own = node.author.address();
        let (open, log) = OpenHeight::read(&node)?;
        let clockwork = Clockwork::new(node.spec.slots());
        let heard = Heard::new(Timeouts::of(&node.spec.parameters));
        let recorded = node.highest_signed()?;
        let guard = SigningGuard::at_start(recorded, head.header.number, &log, own, clockwork.slot_now());
        let machine = Machine::new(MachineConfig {
            genesis_hash: node.genesis_hash,
            own,
            key: node.keys.consensus().clone(),
            head: head.header.number,
            head_hash: head.header.hash(),
            recorded: recorded.unwrap_or(HighestSigned::NOTHING),
            verifier: Verifier::default(),
        });
        Ok(Self {
            node,
            machine,
            guard,
            wire,
            clockwork,
            peers: PeerNumbers::default(),
            inputs: VecDeque::new(),
            open,
            log,
            rounds: RoundNotes::default(),
            heard,
            sender: None,
            faulted: false,
            waits_since: None,
            passed_on: PassedOn::default(),
            lacked_voters: false,
            has_twin: false,
            far_behind,
            asked: None,
        })
    }

    /// Takes the height after the head up, with the log that an earlier run left of it.
    fn begin(&mut self) -> Result<(), NodeError> {
        let (schedule, log) = (self.open.schedule(), std::mem::take(&mut self.log));
        let may_sign = self.guard.may_sign();
        let is_validator = schedule.set.get(&self.node.author.address()).is_some();
        info!(height = schedule.height, entries = log.len(), may_sign, is_validator, "takes part in consensus");
        self.inputs.push_back(Input::Next(Box::new(self.facts())));
        if !log.is_empty() {
            self.inputs.push_back(Input::Log(log));
        }
        self.settle()
    }

    fn facts(&self) -> HeightFacts {
        self.open.facts(&self.node, self.guard.may_sign())
    }

    /// How long nothing happens by itself.
    fn wait(&self) -> Duration {
        let wait = self.clockwork.wait();
        let to_open = self.waits_since.map(|since| (since + PROPOSE_DELAY).saturating_duration_since(Instant::now()));
        to_open.filter(|_| !self.machine.is_open()).map_or(wait, |to_open| wait.min(to_open))
    }

    /// What the clocks bring about.
    fn tick(&mut self) -> Result<(), NodeError> {
        while let Some(timer) = self.clockwork.take_elapsed() {
            self.inputs.push_back(Input::Elapsed(timer));
            self.settle()?;
        }
        let slot_began = self.clockwork.take_slot();
        if slot_began {
            self.inputs.push_back(Input::SlotBegan);
        }
        self.look_for_work(slot_began);
        self.settle()
    }

    /// Whether something has waited long enough for the next height to be opened for it.
    fn look_for_work(&mut self, slot_began: bool) {
        if self.machine.is_open() {
            return;
        }
        if self.waits_since.is_none() && slot_began && self.node.has_ready() {
            // It came before this slot did, or no block has taken it.
            self.waits_since = Instant::now().checked_sub(PROPOSE_DELAY);
        }
        if self.waits_since.is_some_and(|since| since.elapsed() >= PROPOSE_DELAY) {
            self.waits_since = None;
            if self.node.has_ready() {
                self.inputs.push_back(Input::Waiting { height: self.machine.next_height() });
            }
        }
    }

    fn take(&mut self, told: Told) -> Result<(), NodeError> {
        match told {
            Told::Message { from, gossip, message } => self.take_message(from, gossip, *message),
            Told::Asked { from, request, message } => self.take_question(from, request, *message),
            Told::Connected(peer) => {
                let number = self.number_of(peer);
                self.inputs.push_back(Input::Connected(number));
                self.settle()
            }
            Told::Disconnected(peer) => {
                self.inputs.extend(self.peers.remove(peer).map(Input::Disconnected));
                self.settle()
            }
            Told::Waiting => {
                self.waits_since.get_or_insert_with(Instant::now);
                Ok(())
            }
            Told::Blocks(blocks, done) => self.take_blocks(&blocks, done),
            Told::CaughtUp => {
                // How far peers are is asked anew: what is left comes in the course of consensus.
                self.inputs.extend(self.peers.all().map(Input::Connected));
                self.settle()
            }
            Told::Stop => Ok(()),
        }
    }

    fn number_of(&mut self, peer: PeerId) -> Peer {
        let (number, gone) = self.peers.number_of(peer);
        self.inputs.extend(gone.map(Input::Disconnected));
        number
    }

    fn take_message(&mut self, from: PeerId, gossip: Option<MessageId>, message: Message) -> Result<(), NodeError> {
        if let Message::Head { height, block_hash } = message {
            self.wire.told_head(from, height, block_hash.0);
        }
        // Asked before it is taken: what it brings about may end the height.
        let is_worth_it =
            gossip.is_some() && self.machine.judges(&message) && self.passed_on.pass(&message, Instant::now());
        let vote = if let Message::Vote(vote) = &message { Some((vote.height, vote.voter)) } else { None };
        if let Message::Vote(vote) = &message {
            self.look_for_twin(vote)?;
        }
        let number = self.number_of(from);
        (self.sender, self.faulted) = (Some(number), false);
        self.inputs.push_back(Input::Message { from: number, message });
        self.settle()?;
        self.sender = None;
        if let Some((height, voter)) = vote.filter(|_| !self.faulted) {
            self.heard.voted(height, voter, &self.open.schedule().set, Instant::now());
        }
        if let Some(id) = gossip {
            let verdict = match (self.faulted, is_worth_it) {
                (true, _) => Verdict::Reject,
                (false, false) => Verdict::Ignore,
                (false, true) => Verdict::Accept,
            };
            self.wire.report(id, verdict);
        }
        Ok(())
    }

    /// Warns, once, where a vote is signed by this node's key that this node has not signed: a copy of it runs elsewhere, and
    /// the two may be proven to have signed twice.
    fn look_for_twin(&mut self, vote: &SignedVote) -> Result<(), NodeError> {
        if self.has_twin || vote.voter != self.node.author.address() || !self.guard.may_sign() {
            return Ok(());
        }
        let is_known = self.node.highest_signed()?.is_some_and(|signed| vote.step() <= signed);
        let member = self.open.schedule().set.get(&vote.voter);
        let signed = |key| Verifier::default().verify(self.node.genesis_hash, vote, key);
        if !is_known && member.is_some_and(|member| signed(&member.consensus_key)) {
            self.has_twin = true;
            warn!(
                height = vote.height,
                "another node signs with this node's consensus key: stop one of the two, or both may be proven to have signed twice"
            );
        }
        Ok(())
    }

    /// Questions are answered at once, one way or the other.
    fn take_question(&mut self, from: PeerId, request: RequestId, message: Message) -> Result<(), NodeError> {
        let number = self.number_of(from);
        if let Message::Head { height, block_hash } = message {
            self.wire.told_head(from, height, block_hash.0);
            let head = self.node.head();
            let (height, block_hash) = (head.header.number, head.header.hash());
            self.wire.answer(request, Some(&Message::Head { height, block_hash }));
        } else {
            self.asked = Some((number, request));
        }
        self.inputs.push_back(Input::Message { from: number, message });
        let settled = self.settle();
        if let Some((_, request)) = self.asked.take() {
            self.wire.answer(request, None);
        }
        settled
    }

    /// Tells the machine all that it has to be told, and does what it asks for.
    fn settle(&mut self) -> Result<(), NodeError> {
        while let Some(input) = self.inputs.pop_front() {
            for effect in self.machine.step(input, self.clockwork.now())? {
                self.carry_out(effect)?;
            }
        }
        let standing = self.standing();
        if std::mem::replace(&mut self.lacked_voters, standing.lacks_voters) != standing.lacks_voters {
            match standing.lacks_voters {
                true => warn!(height = standing.height, "no blocks: too few validators vote"),
                false => info!(height = standing.height, "enough validators vote again"),
            }
        }
        if let Some(part) = self.node.part.get() {
            part.set_standing(standing);
        }
        Ok(())
    }

    /// How the height stands that is decided next.
    fn standing(&mut self) -> Standing {
        let Schedule { height, set, .. } = self.open.schedule();
        let (height, now) = (*height, Instant::now());
        let (is_open, round) = (self.machine.is_open(), self.machine.round().unwrap_or_default());
        let may_sign = self.guard.may_sign();
        let own = may_sign.then(|| self.node.author.address());
        self.heard.turn_to(height);
        let opened_in = is_open.then(|| self.heard.is_open_in(self.clockwork.slot_now(), now));
        Standing {
            height,
            is_open,
            opened_in,
            round,
            validators: set.members().len(),
            is_validator: set.get(&self.node.author.address()).is_some(),
            may_sign,
            lacks_voters: self.heard.lacks_voters(set, own, now),
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), NodeError> {
        match effect {
            Effect::Append { height, entry } => self.open.append(height, entry),
            Effect::StoreBody(body) => self.open.keep_body(body),
            Effect::Flush => self.open.flush(&self.node)?,
            Effect::RecordSigned(step) => self.node.record_step(step)?,
            Effect::Send { to, message } => self.send(to, &message),
            Effect::SetTimer { timer, after_ms } => self.clockwork.set(timer, after_ms),
            Effect::CancelTimer(timer) => self.clockwork.cancel(&timer),
            Effect::CancelRoundTimers { height } => self.clockwork.cancel_rounds(height),
            Effect::Opened { height } => debug!(height, "height opened"),
            Effect::RoundBegan { height, round, leader } => {
                debug!(height, round, %leader, "round began");
                self.rounds.began(round, leader, unix_now());
            }
            Effect::Build { height, round } => {
                let built = self.node.build_for(height, round, self.clockwork.slot_now())?;
                self.inputs.extend(built.map(|built| Input::Built(Box::new(built))));
            }
            Effect::Judge(body) => {
                let verdict = self.node.judge(&body);
                let (height, block_hash) = (body.height, body.block_hash);
                self.inputs.push_back(Input::Judged { height, block_hash, verdict });
            }
            Effect::Decided(decision) => self.commit(&decision)?,
            Effect::ServeBody { to, height, block_hash } => self.serve_body(to, height, block_hash)?,
            Effect::ServeBlock { to, height } => self.serve_block(to, height)?,
            Effect::Score { peer, fault } => {
                self.faulted |= self.sender == Some(peer);
                if let Some(peer) = self.peers.peer_of(peer) {
                    self.wire.charge(peer, fault);
                }
            }
            Effect::Trouble(text) => warn!(text, "consensus refused an input"),
        }
        Ok(())
    }

    fn send(&self, to: Recipient, message: &Message) {
        if let Message::BlockRequest { height } = message
            && self.machine.highest_heard() >= height + FAR_BLOCKS
        {
            // One block at a time would take long. The machine asks again where nothing comes of this.
            self.far_behind.notify_one();
            return;
        }
        match to {
            Recipient::All => self.wire.publish(message),
            Recipient::Peer(peer) => {
                if let Some(peer) = self.peers.peer_of(peer) {
                    self.wire.ask(peer, message);
                }
            }
        }
    }

    /// Makes a decided block final, and takes the next height up.
    fn commit(&mut self, decision: &Decision) -> Result<(), NodeError> {
        let (rounds, slot_now) = (self.rounds.take(), self.clockwork.slot_now());
        let beside = |batch: &mut Batch, set: &ValidatorSet| rounds.write(batch, set, decision, unix_now());
        let slot = self.open.commit(&self.node, decision, slot_now, beside)?;
        self.guard.decided(decision.height, slot);
        self.take_next_height()
    }

    /// Takes up the height after the head, which is another one than before.
    fn take_next_height(&mut self) -> Result<(), NodeError> {
        self.inputs.push_back(Input::Next(Box::new(self.facts())));
        self.waits_since = None;
        if self.node.has_ready() {
            self.waits_since = Some(Instant::now());
        }
        Ok(())
    }

    /// Commits blocks that are final already, and takes the height after them up. Says how far the node is then.
    fn take_blocks(&mut self, blocks: &[CertifiedBlock], done: oneshot::Sender<u64>) -> Result<(), NodeError> {
        let next = self.node.head().header.number + 1;
        let known = blocks.iter().take_while(|block| block.height() < next).count();
        let mut rest = blocks.get(known..).unwrap_or_default();
        let follows = rest.first().is_some_and(|first| first.height() == next);
        while follows && !rest.is_empty() {
            let (now, later) = rest.split_at(one_write(rest));
            match self.node.commit_certified(now, self.clockwork.slot_now()) {
                Err(error) if error.is_disk_full() => break,
                committed => committed?,
            }
            now.iter().for_each(|block| self.guard.decided(block.height(), block.seal.slot));
            rest = later;
        }
        let head = self.node.head();
        let (height, block_hash) = (head.header.number, head.header.hash());
        if height >= next {
            self.inputs.push_back(Input::Overtaken { height, block_hash });
            self.rounds.take();
            (self.open, _) = OpenHeight::read(&self.node)?;
            self.take_next_height()?;
        }
        // Nobody waits where the node stops.
        let _ = done.send(height);
        self.settle()
    }

    fn serve_body(&mut self, to: Peer, height: u64, block_hash: B256) -> Result<(), NodeError> {
        let Some(request) = self.take_asked(to) else { return Ok(()) };
        let body = self.open.body(&self.node, height, block_hash)?;
        let message = body.map(|body| Message::Body(Box::new(body)));
        self.wire.answer(request, message.as_ref());
        Ok(())
    }

    fn serve_block(&mut self, to: Peer, height: u64) -> Result<(), NodeError> {
        let Some(request) = self.take_asked(to) else { return Ok(()) };
        let block = self.node.decided_body(height)?;
        let message = block.map(|(body, certificate)| Message::Block { body: Box::new(body), certificate });
        self.wire.answer(request, message.as_ref());
        Ok(())
    }

    fn take_asked(&mut self, by: Peer) -> Option<RequestId> {
        self.asked.take_if(|(peer, _)| *peer == by).map(|(_, request)| request)
    }
}

#[cfg(test)]
mod tests;
