//! The machine: one input in, a list of effects out.
//!
//! It has at most one height at a time. Its facts come with [`Input::Next`]; it is opened when there is a reason, and
//! then stays open until a block is decided, whatever number of slots that takes. `intake.rs` takes in what peers say,
//! `settle.rs` opens heights, feeds proposals and puts the effects of a step in order.

use super::{
    bodies::Bodies,
    certificates::Electorate,
    context::Members,
    effect::{Effect, Recipient},
    engine::Engine,
    error::BftError,
    future::Future,
    input::{BuiltBlock, HeightFacts, Input, Now, Peer, Verdict},
    log::LogEntry,
    message::{Body, Message, SignedVote},
    proposals::Proposals,
    sync::Sync,
    timer::{Timer, TimerKind},
    verifier::Verifier,
};
use crate::keys::{HighestSigned, SecretKey};
use alloy_primitives::{Address, B256, B512};
use lucid_types::Certificate;
use std::collections::BTreeSet;

/// What a machine needs to know for as long as it lives.
#[derive(Debug, Clone)]
pub struct MachineConfig {
    /// Hash of the chain's genesis header.
    pub genesis_hash: B256,
    /// Address of this node's account.
    pub own: Address,
    /// Its consensus key.
    pub key: SecretKey,
    /// Height of the last decided block.
    pub head: u64,
    /// Hash of that block.
    pub head_hash: B256,
    /// What the file of the highest signed step says; [`HighestSigned::NOTHING`] where there is none.
    pub recorded: HighestSigned,
    /// Checks signatures.
    pub verifier: Verifier,
}

/// The height that comes next or is open.
pub(super) struct Work {
    pub(super) facts: HeightFacts,
    pub(super) members: Members,
    pub(super) electorate: Electorate,
    /// `None` until the height is opened.
    pub(super) engine: Option<Engine>,
    pub(super) proposals: Proposals,
    pub(super) bodies: Bodies,
    /// Members that voted here, as far as checked.
    pub(super) voters: BTreeSet<Address>,
    /// Votes that came before the height was opened, checked.
    pub(super) early: Vec<SignedVote>,
    /// The encoded entries of the log that was fed; what it has is not written again.
    pub(super) logged: BTreeSet<Vec<u8>>,
    /// A block of this node's own that is being put forward.
    pub(super) built: Option<Box<Body>>,
    /// This node's last proposal and the proof of lock behind it, to be said again while nothing moves.
    pub(super) repeated: Vec<Message>,
    /// The round for which a block was asked for and has not come.
    pub(super) building: Option<u32>,
    /// The last round for which the node was asked to build.
    pub(super) asked_build: Option<u32>,
    /// What makes a block of this height final, while its body is missing or being judged.
    pub(super) certified: Option<Certificate>,
    /// Whether a timer for bodies runs.
    pub(super) body_timer: bool,
}

impl Work {
    /// Whose a round is.
    pub(super) fn leader_of(&self, round: u32) -> Address {
        let order = &self.facts.order;
        // `Members::new` refused an empty order.
        order[round as usize % order.len()]
    }
}

/// Consensus of one node, as a function of what it is told.
pub struct Machine {
    pub(super) config: MachineConfig,
    pub(super) head: (u64, B256),
    pub(super) work: Option<Work>,
    pub(super) future: Future,
    pub(super) sync: Sync,
    /// The height for which something waits. A height and not a flag: what waited for one that is decided is forgotten.
    pub(super) waits_for: u64,
    pub(super) recorded: HighestSigned,
    pub(super) now: Now,
    /// The effects of this step but for what is sent.
    pub(super) effects: Vec<Effect>,
    /// What is sent at its end.
    pub(super) outbox: Vec<(Recipient, Message)>,
    /// The highest step that this step of the machine says something of.
    pub(super) to_record: HighestSigned,
    /// Whether the log has a message of this node that is not on disk.
    pub(super) unflushed: bool,
}

impl Machine {
    /// A machine whose next height is the one after the head.
    pub fn new(config: MachineConfig) -> Self {
        let (head, recorded) = ((config.head, config.head_hash), config.recorded);
        Self {
            config,
            head,
            work: None,
            future: Future::default(),
            sync: Sync::default(),
            waits_for: 0,
            recorded,
            now: Now { ms: 0, slot: 0 },
            effects: Vec::new(),
            outbox: Vec::new(),
            to_record: HighestSigned::NOTHING,
            unflushed: false,
        }
    }

    /// The height that is decided next.
    pub fn next_height(&self) -> u64 {
        self.head.0.saturating_add(1)
    }

    /// Whether that height is open.
    pub fn is_open(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.engine.is_some())
    }

    /// The highest height that a peer says it has, where that is above this node's.
    pub fn highest_heard(&self) -> u64 {
        self.sync.highest()
    }

    /// The round that the open height is in.
    pub fn round(&self) -> Option<u32> {
        self.work.as_ref()?.engine.as_ref().map(Engine::round)
    }

    /// Takes one input and says what is to be done, in that order.
    ///
    /// # Errors
    /// [`BftError`]: the node must end. Nothing of this step has been done then.
    pub fn step(&mut self, input: Input, now: Now) -> Result<Vec<Effect>, BftError> {
        self.now = now;
        self.take(input)?;
        self.settle()?;
        Ok(self.finish())
    }

    fn take(&mut self, input: Input) -> Result<(), BftError> {
        match input {
            Input::Next(facts) => self.take_next(*facts),
            Input::Log(log) => self.take_log(&log),
            Input::Waiting { height } => {
                self.waits_for = self.waits_for.max(height);
                Ok(())
            }
            Input::Message { from, message } => self.take_message(from, message),
            Input::Connected(peer) => {
                self.tell_head(peer);
                Ok(())
            }
            Input::Disconnected(peer) => {
                self.sync.gone(peer);
                self.ask_for_block();
                Ok(())
            }
            Input::Elapsed(timer) => self.take_elapsed(timer),
            Input::Built(block) => self.take_built(*block),
            Input::Judged { height, block_hash, verdict } => self.take_verdict(height, block_hash, verdict),
            // Settling looks at the slot.
            Input::SlotBegan => Ok(()),
            Input::Overtaken { height, block_hash } => {
                self.take_overtaken(height, block_hash);
                Ok(())
            }
        }
    }

    fn take_next(&mut self, facts: HeightFacts) -> Result<(), BftError> {
        let expected = self.next_height();
        if facts.height != expected || self.work.is_some() {
            return Err(BftError::Height { given: facts.height, expected });
        }
        let members = Members::new(&facts.set, &facts.order)?;
        let electorate = Electorate {
            genesis_hash: self.config.genesis_hash,
            set: facts.set.clone(),
            verifier: self.config.verifier.clone(),
        };
        self.work = Some(Work {
            facts,
            members,
            electorate,
            engine: None,
            proposals: Proposals::default(),
            bodies: Bodies::default(),
            voters: BTreeSet::new(),
            early: Vec::new(),
            logged: BTreeSet::new(),
            built: None,
            repeated: Vec::new(),
            building: None,
            asked_build: None,
            certified: None,
            body_timer: false,
        });
        for (from, vote) in self.future.take(expected) {
            self.take_vote(from, vote)?;
        }
        self.ask_for_block();
        Ok(())
    }

    /// Opens the height that was open before a restart, and goes through what happened there.
    fn take_log(&mut self, log: &[LogEntry]) -> Result<(), BftError> {
        if log.is_empty() {
            return Ok(());
        }
        let Some(work) = self.work.as_mut().filter(|work| work.engine.is_none()) else {
            return Err(BftError::LateLog);
        };
        work.logged = log.iter().map(LogEntry::encode).collect();
        for entry in log {
            match entry {
                LogEntry::Judged { block_hash, round, slot, valid } => {
                    work.bodies.set_judged(*block_hash, *round, *slot, *valid);
                }
                LogEntry::Vote(vote) if vote.is_proposal() => {
                    work.proposals.add(*vote);
                    work.proposals.settle(vote);
                }
                LogEntry::Vote(vote) => {
                    work.voters.insert(vote.voter);
                }
                LogEntry::Elapsed { .. } | LogEntry::Polka(_) => {}
            }
        }
        self.open(Some(log))
    }

    /// The height that was open is decided, and maybe more: nothing of it is of use any longer.
    fn take_overtaken(&mut self, height: u64, block_hash: B256) {
        if height < self.next_height() {
            return;
        }
        if let Some(work) = self.work.take() {
            self.stop_timers(work.facts.height);
        }
        self.head = (height, block_hash);
        self.sync.done();
        // The batch of the blocks has taken the log's place on disk.
        self.unflushed = false;
    }

    /// Of a height that is decided.
    pub(super) fn stop_timers(&mut self, height: u64) {
        self.effects.push(Effect::CancelRoundTimers { height });
        for kind in [TimerKind::Body, TimerKind::Sync] {
            self.effects.push(Effect::CancelTimer(Timer { height, round: 0, kind }));
        }
    }

    fn take_elapsed(&mut self, timer: Timer) -> Result<(), BftError> {
        let Some(work) = self.work.as_mut().filter(|work| work.facts.height == timer.height) else { return Ok(()) };
        match timer.kind {
            TimerKind::Body => {
                work.body_timer = false;
                self.ask_for_bodies();
            }
            TimerKind::Sync => {
                self.sync.failed();
                self.ask_for_block();
            }
            TimerKind::Rebroadcast => {
                let Some(engine) = &mut work.engine else { return Ok(()) };
                let of_round = |message: &Message| matches!(message, Message::Vote(vote) if vote.is_proposal() && vote.round == engine.round());
                if work.repeated.iter().any(of_round) {
                    let again = work.repeated.iter().map(|message| (Recipient::All, message.clone()));
                    self.outbox.extend(again);
                }
                engine.elapsed(timer.kind, timer.round)?;
            }
            TimerKind::Propose | TimerKind::Prevote | TimerKind::Precommit => {
                if let Some(engine) = &mut work.engine {
                    engine.elapsed(timer.kind, timer.round)?;
                }
            }
        }
        Ok(())
    }

    fn take_built(&mut self, block: BuiltBlock) -> Result<(), BftError> {
        let Some(work) = self.work.as_mut().filter(|work| work.facts.height == block.height) else { return Ok(()) };
        let BuiltBlock { height, round, slot, block_hash, vrf_proof, parent_certificate, block } = block;
        if work.building != Some(round) {
            return Ok(());
        }
        work.building = None;
        let Some(engine) = work.engine.as_mut().filter(|engine| engine.round() == round && engine.may_prevote()) else {
            return Ok(());
        };
        // The signature is made when the engine proposes, within this step.
        let proposal_signature = B512::ZERO;
        let body = Body { height, round, block_hash, proposal_signature, vrf_proof, parent_certificate, block };
        work.built = Some(Box::new(body));
        work.bodies.set_judged(block_hash, round, slot, true);
        engine.propose(round, block_hash)
    }

    fn take_verdict(&mut self, height: u64, block_hash: B256, verdict: Verdict) -> Result<(), BftError> {
        let Some(work) = self.work.as_mut().filter(|work| work.facts.height == height) else { return Ok(()) };
        let Some((body, from)) = work.bodies.being_judged(block_hash) else { return Ok(()) };
        let round = body.round;
        let certified = work.certified.as_ref().is_some_and(|certificate| certificate.block_hash == block_hash);
        let (slot, valid) = match verdict {
            Verdict::Valid { slot } => {
                self.effects.push(Effect::StoreBody(Box::new(body.clone())));
                (slot, true)
            }
            Verdict::Invalid if certified => return Err(BftError::DecidedInvalid { height }),
            Verdict::Invalid => (0, false),
            Verdict::Unfit | Verdict::Unknown => {
                self.body_failed(block_hash, from, verdict == Verdict::Unfit);
                return Ok(());
            }
        };
        work.bodies.set_judged(block_hash, round, slot, valid);
        let author = work.leader_of(round);
        if certified {
            self.decide_certified();
            return Ok(());
        }
        match &mut work.engine {
            Some(engine) => engine.judged(block_hash, round, valid, author),
            None => Ok(()),
        }
    }

    pub(super) fn tell_head(&mut self, peer: Peer) {
        if self.sync.may_tell(peer, self.now.ms) {
            let (height, block_hash) = self.head;
            self.outbox.push((Recipient::Peer(peer), Message::Head { height, block_hash }));
        }
    }
}
