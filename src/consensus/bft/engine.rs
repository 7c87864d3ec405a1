//! One height in the engine: what it is fed, and what it asks for in return, in this chain's words.
//!
//! The engine is a coroutine that yields effects. All of them are answered on the spot: signatures are made and checked
//! here, and what remains is put on a list for the machine. No answer is ever an error.

use super::{
    certificates::Electorate,
    context::{BlockHash, Context, Height, Member, Members},
    convert::{
        EngineMessage, from_commit, from_polka, from_proposal, from_round, from_vote, round_of, to_engine, to_polka,
        to_round, unsigned_proposal, unsigned_vote,
    },
    error::BftError,
    evidence::Evidence,
    input::HeightFacts,
    log::LogEntry,
    message::{Message, PolkaCertificate, RoundCertificate, SignedVote},
    timer::TimerKind,
};
use crate::keys::SecretKey;
use alloy_primitives::{Address, B256};
use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Error, Input, LivenessMsg, LocallyProposedValue, MisbehaviorEvidence, Params, ProposedValue,
    Resumable, Resume, SignedConsensusMsg, State, ThresholdParams, VoteExtensionError, process,
};
use arc_malachitebft_core_types::{
    CertificateError, Round, SignedMessage, Timeout, TimeoutKind, Validity, ValueOrigin, ValuePayload,
    VoteExtensionPolicy,
};
use lucid_types::Certificate;

/// The engine's own buffer of messages of later heights. The machine holds those back, so nothing gets there.
const ENGINE_QUEUE: usize = 1;

/// What the engine asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// To remember a message or a timeout.
    Append(LogEntry),
    /// To remember that a block was judged.
    AppendJudged {
        block_hash: B256,
        round: u32,
        valid: bool,
    },
    /// Nothing; it signed a message that it had not signed before.
    Signed(SignedVote),
    /// To send.
    Publish(Message),
    SetTimer(TimerKind, u32),
    CancelTimer(TimerKind, u32),
    CancelTimers,
    RoundBegan {
        round: u32,
        leader: Address,
    },
    Build {
        round: u32,
    },
    Decided(Certificate),
    Finalized(Vec<Evidence>),
    Trouble(String),
}

/// What answers the engine.
struct Desk {
    key: SecretKey,
    electorate: Electorate,
    asked: Vec<Asked>,
}

/// The engine at one height.
pub(super) struct Engine {
    state: State<Context>,
    desk: Desk,
}

impl Engine {
    /// Starts a height. `own` signs, if it may.
    pub(super) fn open(
        facts: &HeightFacts,
        members: &Members,
        own: Address,
        key: &SecretKey,
        electorate: &Electorate,
    ) -> Result<Self, BftError> {
        let member = electorate.set.get(&own);
        let key_fits = member.is_some_and(|m| *m.consensus_key.as_bytes() == key.public_key_compressed());
        let params = Params {
            address: Member(own),
            threshold_params: ThresholdParams::default(),
            value_payload: ValuePayload::ProposalAndParts,
            enabled: facts.may_sign && key_fits,
        };
        let height = Height(facts.height);
        let state = State::new(Context, height, members.clone(), params, ENGINE_QUEUE, ENGINE_QUEUE);
        let desk = Desk { key: key.clone(), electorate: electorate.clone(), asked: Vec::new() };
        let mut engine = Self { state, desk };
        let start = Input::StartHeight(height, members.clone(), false, None, VoteExtensionPolicy::Disabled);
        engine.feed(start)?;
        Ok(engine)
    }

    /// Feeds a log. What it leads to is asked for as if it were new; the machine knows what the log has already.
    pub(super) fn replay(&mut self, log: &[LogEntry], leader_of: impl Fn(u32) -> Address) -> Result<(), BftError> {
        let height = self.state.height();
        let input = |entry: &LogEntry| match entry {
            LogEntry::Vote(vote) => match to_engine(vote) {
                EngineMessage::Proposal(proposal) => Input::Proposal(proposal),
                EngineMessage::Vote(vote) => Input::Vote(vote),
            },
            LogEntry::Judged { block_hash, round, valid, .. } => {
                judged_input(height, *block_hash, *round, *valid, leader_of(*round))
            }
            LogEntry::Elapsed { kind, round } => Input::TimeoutElapsed(timeout(*kind, *round)),
            LogEntry::Polka(polka) => Input::PolkaCertificate(to_polka(polka)),
        };
        let inputs: Vec<_> = log.iter().map(input).collect();
        self.state.index_wal_entries(&inputs);
        for input in inputs {
            self.feed(input)?;
        }
        self.state.reset_entries_index();
        Ok(())
    }

    /// A proposal, prevote or precommit.
    pub(super) fn vote(&mut self, vote: &SignedVote) -> Result<(), BftError> {
        self.feed(match to_engine(vote) {
            EngineMessage::Proposal(proposal) => Input::Proposal(proposal),
            EngineMessage::Vote(vote) => Input::Vote(vote),
        })
    }

    pub(super) fn polka(&mut self, polka: &PolkaCertificate) -> Result<(), BftError> {
        self.feed(Input::PolkaCertificate(to_polka(polka)))
    }

    pub(super) fn round_certificate(&mut self, certificate: &RoundCertificate) -> Result<(), BftError> {
        self.feed(Input::RoundCertificate(to_round(certificate)))
    }

    pub(super) fn elapsed(&mut self, kind: TimerKind, round: u32) -> Result<(), BftError> {
        self.feed(Input::TimeoutElapsed(timeout(kind, round)))
    }

    /// A block made in `round` by `author` was judged.
    pub(super) fn judged(&mut self, block: B256, round: u32, valid: bool, author: Address) -> Result<(), BftError> {
        self.feed(judged_input(self.state.height(), block, round, valid, author))
    }

    /// Puts a block forward that this node made.
    pub(super) fn propose(&mut self, round: u32, block_hash: B256) -> Result<(), BftError> {
        let value = BlockHash(block_hash);
        self.feed(Input::Propose(LocallyProposedValue::new(self.state.height(), Round::new(round), value)))
    }

    pub(super) fn round(&self) -> u32 {
        round_of(self.state.round())
    }

    /// Whether this node has yet to prevote in the round that it is in.
    pub(super) fn may_prevote(&self) -> bool {
        self.state.driver.step_is_propose()
    }

    /// Whether a block is decided: nothing that comes later matters.
    pub(super) fn has_decided(&self) -> bool {
        self.state.driver.step_is_commit()
    }

    pub(super) fn take_asked(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.desk.asked)
    }

    /// Who signed twice, as far as the votes that were fed show.
    pub(super) fn take_evidence(&mut self) -> Vec<Evidence> {
        let driver = &mut self.state.driver;
        evidence(&MisbehaviorEvidence {
            proposals: driver.take_proposal_evidence(),
            votes: driver.take_vote_evidence(),
        })
    }

    fn feed(&mut self, input: Input<Context>) -> Result<(), BftError> {
        let Self { state, desk } = self;
        let done: Result<(), Error<Context>> = process!(
            input: input,
            state: state,
            metrics: &(),
            with: effect => Ok::<_, Error<Context>>(desk.answer(effect))
        );
        match done {
            Ok(()) => {}
            Err(Error::ReplayDivergence(step, height, round)) => {
                let (height, round, step) = (height.0, round_of(round), step.to_string());
                return Err(BftError::ReplayDivergence { height, round, step });
            }
            Err(error) => desk.asked.push(Asked::Trouble(error.to_string())),
        }
        Ok(())
    }
}

impl Desk {
    fn answer(&mut self, effect: Effect<Context>) -> Resume<Context> {
        match effect {
            Effect::SignVote(vote, r) => {
                let signed = self.sign(unsigned_vote(&vote));
                r.resume_with(SignedMessage::new(vote, signed.signature))
            }
            Effect::SignProposal(proposal, r) => {
                let signed = self.sign(unsigned_proposal(&proposal));
                r.resume_with(SignedMessage::new(proposal, signed.signature))
            }
            Effect::VerifySignature(signed, _, r) => {
                let unsigned = match &signed.message {
                    ConsensusMsg::Vote(vote) => unsigned_vote(vote),
                    ConsensusMsg::Proposal(proposal) => unsigned_proposal(proposal),
                };
                r.resume_with(self.electorate.signed(&SignedVote { signature: signed.signature, ..unsigned }))
            }
            Effect::VerifyCommitCertificate(certificate, _, _, r) => {
                r.resume_with(holds(self.electorate.holds_commit(&from_commit(&certificate))))
            }
            Effect::VerifyExtendedCommitCertificate(certificate, _, _, _, r) => {
                let certificate = from_commit(&certificate.trim_vote_extensions());
                r.resume_with(holds(self.electorate.holds_commit(&certificate)))
            }
            Effect::VerifyPolkaCertificate(polka, _, _, r) => {
                r.resume_with(holds(self.electorate.holds_polka(&from_polka(&polka))))
            }
            Effect::VerifyRoundCertificate(certificate, _, _, r) => {
                r.resume_with(holds(self.electorate.holds_round(&from_round(&certificate))))
            }
            // Votes have no extensions: the policy that each height starts with says so.
            Effect::ExtendVote(.., r) => r.resume_with(None),
            Effect::VerifyVoteExtension(.., r) => r.resume_with(Err(VoteExtensionError::InvalidVoteExtension)),
            other => {
                self.asked.extend(ask(other));
                Resume::Continue
            }
        }
    }

    fn sign(&mut self, vote: SignedVote) -> SignedVote {
        let bytes = vote.vote(self.electorate.genesis_hash).sign_bytes();
        let signed = SignedVote { signature: self.key.sign_message_sha256(&bytes).into(), ..vote };
        self.asked.push(Asked::Signed(signed));
        signed
    }
}

/// What is left of the effects once signatures are done: things for the machine, all resumed alike.
fn ask(effect: Effect<Context>) -> Option<Asked> {
    Some(match effect {
        Effect::CancelAllTimeouts(_) => Asked::CancelTimers,
        Effect::CancelTimeout(timeout, _) => Asked::CancelTimer(timer_kind(timeout)?, round_of(timeout.round)),
        Effect::ScheduleTimeout(timeout, _) => Asked::SetTimer(timer_kind(timeout)?, round_of(timeout.round)),
        Effect::StartRound(_, round, leader, _, _) => Asked::RoundBegan { round: round_of(round), leader: leader.0 },
        Effect::PublishConsensusMsg(SignedConsensusMsg::Vote(vote), _) | Effect::RepublishVote(vote, _) => {
            Asked::Publish(Message::Vote(from_vote(&vote)))
        }
        Effect::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal), _) => {
            Asked::Publish(Message::Vote(from_proposal(&proposal)))
        }
        Effect::PublishLivenessMsg(LivenessMsg::Vote(vote), _) => Asked::Publish(Message::Vote(from_vote(&vote))),
        Effect::PublishLivenessMsg(LivenessMsg::PolkaCertificate(polka), _) => {
            Asked::Publish(Message::Polka(from_polka(&polka)))
        }
        Effect::PublishLivenessMsg(LivenessMsg::SkipRoundCertificate(certificate), _)
        | Effect::RepublishRoundCertificate(certificate, _) => Asked::Publish(Message::Round(from_round(&certificate))),
        Effect::GetValue(_, round, _, _) => Asked::Build { round: round_of(round) },
        Effect::Decide(certificate, _, _) => Asked::Decided(from_commit(&certificate)),
        Effect::Finalize(_, _, found, _) => Asked::Finalized(evidence(&found)),
        Effect::WalAppend(_, input, _) => append(input)?,
        // Bodies are not sent again: who lacks one asks for it. Decided blocks do not come through the engine.
        _ => return None,
    })
}

fn append(input: Input<Context>) -> Option<Asked> {
    Some(match input {
        Input::Vote(vote) => Asked::Append(LogEntry::Vote(from_vote(&vote))),
        Input::Proposal(proposal) => Asked::Append(LogEntry::Vote(from_proposal(&proposal))),
        Input::PolkaCertificate(polka) => Asked::Append(LogEntry::Polka(from_polka(&polka))),
        Input::TimeoutElapsed(timeout) => {
            Asked::Append(LogEntry::Elapsed { kind: timer_kind(timeout)?, round: round_of(timeout.round) })
        }
        Input::ProposedValue(value, _) => Asked::AppendJudged {
            block_hash: value.value.0,
            round: round_of(value.round),
            valid: value.validity.is_valid(),
        },
        // The engine writes no others.
        _ => return None,
    })
}

fn judged_input(height: Height, block: B256, round: u32, valid: bool, author: Address) -> Input<Context> {
    let value = ProposedValue {
        height,
        round: Round::new(round),
        valid_round: Round::Nil,
        proposer: Member(author),
        value: BlockHash(block),
        validity: Validity::from_bool(valid),
    };
    Input::ProposedValue(value, ValueOrigin::Consensus)
}

fn timer_kind(timeout: Timeout) -> Option<TimerKind> {
    Some(match timeout.kind {
        TimeoutKind::Propose => TimerKind::Propose,
        TimeoutKind::Prevote => TimerKind::Prevote,
        TimeoutKind::Precommit => TimerKind::Precommit,
        TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
        // Heights have no time to aim at.
        TimeoutKind::FinalizeHeight(_) => return None,
    })
}

fn timeout(kind: TimerKind, round: u32) -> Timeout {
    let kind = match kind {
        TimerKind::Propose => TimeoutKind::Propose,
        TimerKind::Prevote => TimeoutKind::Prevote,
        TimerKind::Precommit => TimeoutKind::Precommit,
        // Those of bodies and sync never get here.
        TimerKind::Rebroadcast | TimerKind::Body | TimerKind::Sync => TimeoutKind::Rebroadcast,
    };
    Timeout::new(Round::new(round), kind)
}

fn holds(certificate_holds: bool) -> Result<(), CertificateError<Context>> {
    if certificate_holds { Ok(()) } else { Err(CertificateError::VerificationError(None)) }
}

fn evidence(found: &MisbehaviorEvidence<Context>) -> Vec<Evidence> {
    let proposals = found.proposals.iter().flat_map(|(_, pairs)| pairs);
    let votes = found.votes.iter().flat_map(|(_, pairs)| pairs);
    let proposals = proposals.map(|(a, b)| Evidence { first: from_proposal(a), second: from_proposal(b) });
    proposals.chain(votes.map(|(a, b)| Evidence { first: from_vote(a), second: from_vote(b) })).collect()
}
