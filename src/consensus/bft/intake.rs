//! What peers say: filtered before anything is made of it, by height, sender, signature and size.

use super::{
    effect::{Effect, Fault, Recipient},
    error::BftError,
    input::Peer,
    machine::{Machine, Work},
    message::{Body, Message, PolkaCertificate, RoundCertificate, SignedVote},
    timer::{BODY_WAIT_MS, SYNC_WAIT_MS, Timer, TimerKind},
};
use alloy_primitives::B256;
use lucid_types::{Certificate, VoteKind};

/// How many rounds above its own a node looks at votes of, as the engine does. It skips to a round by a certificate.
const ROUNDS_AHEAD: u32 = 10;

/// Most votes kept of a height before it is opened: more than a third of a hundred validators open it.
const EARLY_VOTES: usize = 512;

impl Machine {
    pub(super) fn take_message(&mut self, from: Peer, message: Message) -> Result<(), BftError> {
        match message {
            Message::Vote(vote) => self.take_vote(from, vote),
            Message::Polka(polka) => self.take_polka(from, &polka),
            Message::Round(certificate) => self.take_round(from, &certificate),
            Message::Body(body) => self.take_body(from, body),
            Message::BodyRequest { height, block_hash } => {
                self.effects.push(Effect::ServeBody { to: from, height, block_hash });
                Ok(())
            }
            Message::BlockRequest { height } => {
                if height <= self.head.0 {
                    self.effects.push(Effect::ServeBlock { to: from, height });
                }
                Ok(())
            }
            Message::Head { height, .. } => {
                self.sync.heard(from, height);
                self.ask_for_block();
                Ok(())
            }
            Message::Block { body, certificate } => self.take_block(from, body, certificate),
        }
    }

    /// Whether a message of gossip is judged as soon as it is taken: it is of the height that comes next, and its signatures
    /// are checked. Only such is worth passing on: of others this node knows nothing but who sent them.
    pub fn judges(&self, message: &Message) -> bool {
        let (next, far) = (self.next_height(), self.round().unwrap_or_default().saturating_add(ROUNDS_AHEAD));
        let height = match message {
            Message::Vote(vote) if vote.voter == self.config.own || vote.round > far => return false,
            Message::Vote(vote) => vote.height,
            Message::Polka(polka) => polka.height,
            Message::Round(certificate) => certificate.height,
            Message::Body(body) => body.height,
            _ => return false,
        };
        height == next && self.work.is_some()
    }

    fn score(&mut self, peer: Peer, fault: Fault) {
        self.effects.push(Effect::Score { peer, fault });
    }

    /// The work on a height that somebody speaks of. Who speaks of an old one is told the head; who speaks of a later one
    /// has decided this one.
    fn work_on(&mut self, from: Peer, height: u64) -> Option<&mut Work> {
        let next = self.next_height();
        if height < next {
            self.tell_head(from);
            return None;
        }
        if height > next {
            self.sync.heard(from, height - 1);
            self.ask_for_block();
            return None;
        }
        self.work.as_mut()
    }

    pub(super) fn take_vote(&mut self, from: Peer, vote: SignedVote) -> Result<(), BftError> {
        if vote.voter == self.config.own {
            // What this node signed it knows from its log.
            return Ok(());
        }
        let next = self.next_height();
        if vote.height > next || (vote.height == next && self.work.is_none()) {
            // Between a decision and the facts of the next height, that one is the future too.
            let above = if self.work.is_some() { next } else { self.head.0 };
            self.future.keep(from, vote, above);
        }
        let Some(work) = self.work_on(from, vote.height) else { return Ok(()) };
        let round = work.engine.as_ref().map_or(0, |engine| engine.round());
        if vote.round > round.saturating_add(ROUNDS_AHEAD) {
            return Ok(());
        }
        if let Some(fault) = vote_fault(work, &vote) {
            self.score(from, fault);
            return Ok(());
        }
        let Some(block_hash) = vote.block_hash else { return self.take_checked_vote(vote) };
        if !vote.is_proposal() {
            work.bodies.another_source(block_hash, from);
            return self.take_checked_vote(vote);
        }
        work.proposals.add(vote);
        if work.proposals.names(block_hash) && work.bodies.want(block_hash, from) {
            self.await_bodies();
        }
        Ok(())
    }

    /// A prevote or precommit that a member signed.
    fn take_checked_vote(&mut self, vote: SignedVote) -> Result<(), BftError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        work.voters.insert(vote.voter);
        match &mut work.engine {
            Some(engine) => engine.vote(&vote),
            None => {
                if work.early.len() < EARLY_VOTES && !work.early.contains(&vote) {
                    work.early.push(vote);
                }
                Ok(())
            }
        }
    }

    fn take_polka(&mut self, from: Peer, polka: &PolkaCertificate) -> Result<(), BftError> {
        let Some(work) = self.work_on(from, polka.height) else { return Ok(()) };
        if !work.electorate.holds_polka(polka) {
            self.score(from, Fault::BadCertificate);
            return Ok(());
        }
        work.voters.extend(polka.signatures.iter().map(|vote| vote.address));
        work.bodies.another_source(polka.block_hash, from);
        self.open_if_due()?;
        match self.work.as_mut().and_then(|work| work.engine.as_mut()) {
            Some(engine) => engine.polka(polka),
            None => Ok(()),
        }
    }

    fn take_round(&mut self, from: Peer, certificate: &RoundCertificate) -> Result<(), BftError> {
        let Some(work) = self.work_on(from, certificate.height) else { return Ok(()) };
        if !work.electorate.holds_round(certificate) {
            self.score(from, Fault::BadCertificate);
            return Ok(());
        }
        work.voters.extend(certificate.votes.iter().map(|vote| vote.voter));
        self.open_if_due()?;
        match self.work.as_mut().and_then(|work| work.engine.as_mut()) {
            Some(engine) => engine.round_certificate(certificate),
            None => Ok(()),
        }
    }

    /// A body is also its author's first proposal: his signature is beside it.
    fn take_body(&mut self, from: Peer, body: Box<Body>) -> Result<(), BftError> {
        let Some(work) = self.work_on(from, body.height) else { return Ok(()) };
        if !body_is_fit(work, &body) {
            self.score(from, Fault::UnfitBody);
            return Ok(());
        }
        let (block_hash, proposal) = (body.block_hash, body.proposal(work.leader_of(body.round)));
        let far = work.engine.as_ref().map_or(0, |engine| engine.round()).saturating_add(ROUNDS_AHEAD);
        if body.round <= far {
            work.proposals.add(proposal);
        }
        if work.proposals.names(block_hash) && work.bodies.came(body.clone(), from) {
            self.effects.push(Effect::Judge(body));
        }
        Ok(())
    }

    /// A decided block. It needs neither the clock nor an open height: more than two thirds have precommitted it.
    fn take_block(&mut self, from: Peer, body: Box<Body>, certificate: Certificate) -> Result<(), BftError> {
        let next = self.next_height();
        let Some(work) = self.work.as_mut().filter(|_| body.height == next) else { return Ok(()) };
        let same = (certificate.height, certificate.block_hash) == (body.height, body.block_hash);
        if !same || !body_is_fit(work, &body) || !work.electorate.holds_commit(&certificate) {
            self.sync.failed();
            self.score(from, Fault::BadCertificate);
            self.ask_for_block();
            return Ok(());
        }
        let block_hash = body.block_hash;
        work.certified = Some(certificate);
        match work.bodies.verdict(block_hash) {
            Some((_, _, true)) => {
                self.decide_certified();
                Ok(())
            }
            Some((_, _, false)) => Err(BftError::DecidedInvalid { height: next }),
            None => {
                if work.bodies.came(body.clone(), from) {
                    self.effects.push(Effect::Judge(body));
                }
                Ok(())
            }
        }
    }

    /// A body could not be used: another source is asked at once where it was the peer's fault, later where the store's.
    pub(super) fn body_failed(&mut self, block_hash: B256, from: Peer, unfit: bool) {
        let next = self.next_height();
        let Some(work) = &mut self.work else { return };
        work.bodies.failed(block_hash, from);
        if work.certified.as_ref().is_some_and(|certificate| certificate.block_hash == block_hash) {
            work.certified = None;
        }
        if unfit {
            self.score(from, Fault::UnfitBody);
            self.sync.failed();
            self.effects.push(Effect::CancelTimer(Timer { height: next, round: 0, kind: TimerKind::Sync }));
            self.ask_for_block();
        }
        self.await_bodies();
    }

    /// Lets the timer for bodies run, if any is wanted.
    fn await_bodies(&mut self) {
        let Some(work) = self.work.as_mut().filter(|work| !work.body_timer && work.bodies.any_wanted()) else { return };
        work.body_timer = true;
        let timer = Timer { height: work.facts.height, round: 0, kind: TimerKind::Body };
        self.effects.push(Effect::SetTimer { timer, after_ms: BODY_WAIT_MS });
    }

    /// Asks for the bodies that did not come by themselves.
    pub(super) fn ask_for_bodies(&mut self) {
        let Some(work) = &mut self.work else { return };
        let height = work.facts.height;
        let asks = work.bodies.asks();
        let request = |(peer, block_hash)| (Recipient::Peer(peer), Message::BodyRequest { height, block_hash });
        self.outbox.extend(asks.into_iter().map(request));
        self.await_bodies();
    }

    /// Asks somebody who is ahead for the next block.
    pub(super) fn ask_for_block(&mut self) {
        let height = self.next_height();
        if self.work.is_none() {
            return;
        }
        if let Some(peer) = self.sync.ask(height) {
            self.outbox.push((Recipient::Peer(peer), Message::BlockRequest { height }));
            let timer = Timer { height, round: 0, kind: TimerKind::Sync };
            self.effects.push(Effect::SetTimer { timer, after_ms: SYNC_WAIT_MS });
        }
    }
}

/// What is wrong with a vote of this height.
fn vote_fault(work: &Work, vote: &SignedVote) -> Option<Fault> {
    if work.electorate.set.get(&vote.voter).is_none() {
        return Some(Fault::NotAMember);
    }
    if let VoteKind::Proposal { pol_round } = vote.kind {
        if work.leader_of(vote.round) != vote.voter {
            return Some(Fault::WrongLeader);
        }
        if vote.block_hash.is_none() || pol_round.is_some_and(|pol_round| pol_round >= vote.round) {
            return Some(Fault::Malformed);
        }
    }
    (!work.electorate.signed(vote)).then_some(Fault::BadSignature)
}

/// Whether a body has a size that the chain allows and its author's signature.
fn body_is_fit(work: &Work, body: &Body) -> bool {
    let author = work.leader_of(body.round);
    body.block.len() <= work.facts.block_bytes_max && work.electorate.signed(&body.proposal(author))
}
