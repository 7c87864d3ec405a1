//! The end of each step: heights are opened that are due, proposals fed that pass the gate, and what the engine asked
//! for becomes effects in the order that keeps a node safe.

use super::{
    effect::{Decision, Effect, Recipient},
    engine::{Asked, Engine},
    error::BftError,
    evidence::Evidence,
    guard::step_of,
    log::LogEntry,
    machine::{Machine, Work},
    message::{Message, SignedVote},
    proposals::{Gate, Standing, gate},
    timer::Timer,
};
use crate::keys::HighestSigned;
use alloy_primitives::B256;
use lucid_types::{Certificate, VoteKind};

/// Most messages that are said again while nothing moves, votes aside: a proposal and proofs of lock.
const MOST_REPEATED: usize = 3;

impl Machine {
    pub(super) fn settle(&mut self) -> Result<(), BftError> {
        self.open_if_due()?;
        // Each proposal is fed once, so this ends.
        while self.feed_one_proposal()? {}
        self.carry_out();
        Ok(())
    }

    pub(super) fn open_if_due(&mut self) -> Result<(), BftError> {
        let slot = self.now.slot;
        let Some(work) = self.work.as_ref().filter(|work| work.engine.is_none()) else { return Ok(()) };
        let waited_for = self.waits_for == work.facts.height && slot > work.facts.parent_slot;
        let voted_on = work.electorate.is_some_honest(work.voters.len());
        if waited_for || voted_on || is_proposed(work, slot) { self.open(None) } else { Ok(()) }
    }

    /// Opens the height, and with a log goes through that before anything else.
    pub(super) fn open(&mut self, log: Option<&[LogEntry]>) -> Result<(), BftError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        self.effects.push(Effect::Opened { height: work.facts.height });
        let (own, key) = (self.config.own, &self.config.key);
        let mut engine = Engine::open(&work.facts, &work.members, own, key, &work.electorate)?;
        if let Some(log) = log {
            let order = &work.facts.order;
            engine.replay(log, |round| order[round as usize % order.len()])?;
        } else {
            for (block_hash, round, valid) in work.bodies.verdicts() {
                engine.judged(block_hash, round, valid, work.leader_of(round))?;
            }
        }
        for vote in std::mem::take(&mut work.early) {
            engine.vote(&vote)?;
        }
        work.engine = Some(engine);
        Ok(())
    }

    /// Feeds the first proposal that may be fed; whether there was one.
    fn feed_one_proposal(&mut self) -> Result<bool, BftError> {
        let slot = self.now.slot;
        let Some(work) = &mut self.work else { return Ok(false) };
        let Some(engine) = work.engine.as_mut().filter(|engine| !engine.has_decided()) else { return Ok(false) };
        let standing = Standing { slot, round: engine.round(), may_prevote: engine.may_prevote() };
        let verdict = |vote: &SignedVote| gate_of(vote, work.bodies.verdict(vote.block_hash?), standing);
        let passing = work.proposals.waiting().find_map(|vote| verdict(vote).map(|feed| (*vote, feed)));
        let Some((vote, feed)) = passing else { return Ok(false) };
        work.proposals.settle(&vote);
        if feed {
            engine.vote(&vote)?;
        }
        Ok(true)
    }

    /// Turns what the engine asked for into effects. A decision ends the work on the height.
    fn carry_out(&mut self) {
        let Some(mut work) = self.work.take() else { return };
        let asked = work.engine.as_mut().map(Engine::take_asked).unwrap_or_default();
        let mut decided = None;
        for asked in asked {
            match asked {
                Asked::Decided(certificate) => decided = Some(certificate),
                Asked::Finalized(evidence) => {
                    if let Some(certificate) = decided.take() {
                        self.decided(&mut work, certificate, evidence);
                    }
                }
                other => self.carry_out_one(&mut work, other),
            }
        }
        if work.facts.height == self.next_height() {
            self.ask_for_a_block_of_ours(&mut work);
            self.work = Some(work);
        }
    }

    fn carry_out_one(&mut self, work: &mut Work, asked: Asked) {
        let height = work.facts.height;
        match asked {
            // Once the height is decided its log is gone, and what came after would stand in that of the next. Only what is
            // sent still helps others.
            Asked::Append(_)
            | Asked::AppendJudged { .. }
            | Asked::SetTimer(..)
            | Asked::RoundBegan { .. }
            | Asked::Build { .. }
                if height != self.next_height() => {}
            Asked::Append(entry) => self.append(work, entry),
            Asked::AppendJudged { block_hash, round, valid } => {
                let slot = work.bodies.verdict(block_hash).map_or(0, |(_, slot, _)| slot);
                self.append(work, LogEntry::Judged { block_hash, round, slot, valid });
            }
            Asked::Signed(vote) => self.signed(work, &vote),
            Asked::Publish(message) => self.publish(work, message),
            Asked::SetTimer(kind, round) => {
                let timer = Timer { height, round, kind };
                self.effects.push(Effect::SetTimer { timer, after_ms: work.facts.timeouts.of_kind(kind) });
            }
            Asked::CancelTimer(kind, round) => self.effects.push(Effect::CancelTimer(Timer { height, round, kind })),
            Asked::CancelTimers => self.effects.push(Effect::CancelRoundTimers { height }),
            Asked::RoundBegan { round, leader } => self.effects.push(Effect::RoundBegan { height, round, leader }),
            Asked::Build { round } => work.building = Some(round),
            Asked::Trouble(text) => self.effects.push(Effect::Trouble(text)),
            // Taken out before.
            Asked::Decided(_) | Asked::Finalized(_) => {}
        }
    }

    fn append(&mut self, work: &Work, entry: LogEntry) {
        if work.logged.contains(&entry.encode()) {
            return;
        }
        // Not what a peer brought back that this node signed before its store lost it: the log would seem to know all.
        if matches!(&entry, LogEntry::Vote(vote) if vote.voter == self.config.own && !work.facts.may_sign) {
            return;
        }
        self.effects.push(Effect::Append { height: work.facts.height, entry });
    }

    /// A message of this node that it had not signed before. The body of its block goes with the log.
    fn signed(&mut self, work: &mut Work, vote: &SignedVote) {
        self.unflushed = true;
        if let Some(body) = work.built.as_mut().filter(|body| is_proposal_of(vote, body.block_hash)) {
            body.proposal_signature = vote.signature;
            self.effects.push(Effect::StoreBody(body.clone()));
        }
    }

    fn publish(&mut self, work: &mut Work, message: Message) {
        let mut body = None;
        if let Message::Vote(vote) = &message
            && vote.voter == self.config.own
        {
            let said = HighestSigned { height: vote.height, round: vote.round, step: step_of(vote.kind) };
            self.to_record = self.to_record.max(said);
            if vote.is_proposal() {
                body = work.built.take_if(|body| is_proposal_of(vote, body.block_hash));
                work.repeated.retain(|message| is_polka_behind(message, vote));
                work.repeated.push(message.clone());
            }
        }
        if let Message::Polka(_) = &message {
            // It goes out just before the proposal that it is for.
            work.repeated.insert(0, message.clone());
            work.repeated.truncate(MOST_REPEATED);
        }
        self.outbox.push((Recipient::All, message));
        self.outbox.extend(body.map(|body| (Recipient::All, Message::Body(body))));
    }

    /// A block is asked for when the engine wants one and still does at the end of the step.
    fn ask_for_a_block_of_ours(&mut self, work: &mut Work) {
        let (Some(engine), Some(round)) = (&work.engine, work.building) else { return };
        if engine.round() != round || !engine.may_prevote() {
            work.building = None;
        } else if work.asked_build != Some(round) {
            work.asked_build = Some(round);
            self.effects.push(Effect::Build { height: work.facts.height, round });
        }
    }

    /// The block that a peer sent with its certificate is valid: it is decided, whatever the engine has seen.
    pub(super) fn decide_certified(&mut self) {
        let certificate = self.work.as_mut().and_then(|work| work.certified.take());
        if let Some((certificate, mut work)) =
            certificate.and_then(|certificate| Some((certificate, self.work.take()?)))
        {
            self.decided(&mut work, certificate, Vec::new());
        }
    }

    fn decided(&mut self, work: &mut Work, certificate: Certificate, mut evidence: Vec<Evidence>) {
        evidence.extend(work.engine.as_mut().map(Engine::take_evidence).unwrap_or_default());
        evidence.extend(work.proposals.take_evidence());
        let mut proven = Vec::new();
        evidence.retain(|found| {
            let new = !proven.iter().any(|known: &SignedVote| known.is_of_step(&found.first));
            proven.push(found.first);
            new
        });
        let Certificate { height, round, block_hash, .. } = certificate;
        self.head = (height, block_hash);
        self.sync.done();
        self.stop_timers(height);
        let decision = Decision { height, round, block_hash, certificate, evidence };
        self.effects.push(Effect::Decided(Box::new(decision)));
        // The batch of the block takes the log's place on disk.
        self.unflushed = false;
    }

    /// Puts what is sent behind what must be on disk before.
    pub(super) fn finish(&mut self) -> Vec<Effect> {
        let mut outbox = std::mem::take(&mut self.outbox);
        if !outbox.is_empty() && std::mem::take(&mut self.unflushed) {
            self.effects.push(Effect::Flush);
        }
        let to_record = std::mem::replace(&mut self.to_record, HighestSigned::NOTHING);
        if to_record > self.recorded {
            self.recorded = to_record;
            self.effects.push(Effect::RecordSigned(to_record));
        }
        // The engine publishes a vote before the proposal that it is for.
        outbox.sort_by_key(|(_, message)| match message {
            Message::Vote(vote) => u8::from(!vote.is_proposal()) * 2,
            Message::Body(_) => 1,
            _ => 2,
        });
        self.effects.extend(outbox.into_iter().map(|(to, message)| Effect::Send { to, message }));
        std::mem::take(&mut self.effects)
    }
}

/// Whether a proposal is to be fed (`true`) or never (`false`); `None` for not now.
fn gate_of(vote: &SignedVote, verdict: Option<(u32, u64, bool)>, standing: Standing) -> Option<bool> {
    let VoteKind::Proposal { pol_round } = vote.kind else { return Some(false) };
    let (block_round, block_slot, valid) = verdict?;
    if !valid {
        // The clock has nothing to say of an invalid block.
        return (vote.round <= standing.round).then_some(true);
    }
    match gate(vote.round, pol_round, block_round, block_slot, standing) {
        Gate::Feed => Some(true),
        Gate::Drop => Some(false),
        Gate::Hold => None,
    }
}

/// Whether a leader has put a block forward that is valid and that this node's clock lets pass.
fn is_proposed(work: &Work, slot: u64) -> bool {
    work.proposals.waiting().any(|vote| {
        let verdict = vote.block_hash.and_then(|hash| work.bodies.verdict(hash));
        let standing = Standing { slot, round: vote.round, may_prevote: true };
        let first = vote.kind == VoteKind::Proposal { pol_round: None };
        first && verdict.is_some_and(|(_, _, valid)| valid) && gate_of(vote, verdict, standing) == Some(true)
    })
}

/// Whether this is the proof of lock behind a proposal.
fn is_polka_behind(message: &Message, proposal: &SignedVote) -> bool {
    let VoteKind::Proposal { pol_round } = proposal.kind else { return false };
    matches!(message, Message::Polka(polka) if Some(polka.round) == pol_round && Some(polka.block_hash) == proposal.block_hash)
}

fn is_proposal_of(vote: &SignedVote, block_hash: B256) -> bool {
    vote.kind == VoteKind::Proposal { pol_round: None } && vote.block_hash == Some(block_hash)
}
