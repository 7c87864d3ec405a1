//! Between the engine's messages and this chain's.

use super::{
    context::{BlockHash, Context, Height, Member, Proposal, Vote},
    message::{PolkaCertificate, RoundCertificate, RoundReason, SignedVote},
};
use alloy_primitives::B256;
use arc_malachitebft_core_types::{
    self as engine, CommitCertificate, NilOrVal, PolkaSignature, Round, RoundCertificateType, RoundSignature,
    SignedMessage, VoteType,
};
use lucid_types::{Certificate, CommitSignature, VoteKind};

pub(super) type EngineVote = SignedMessage<Context, Vote>;
pub(super) type EngineProposal = SignedMessage<Context, Proposal>;

/// A signed message in the engine's words: it keeps proposals and votes apart.
pub(super) enum EngineMessage {
    Proposal(EngineProposal),
    Vote(EngineVote),
}

pub(super) fn round_of(round: Round) -> u32 {
    // Everything that is said is of a round; -1 is only the engine's state before a height.
    round.as_u32().unwrap_or_default()
}

fn named(block: NilOrVal<B256>) -> Option<B256> {
    match block {
        NilOrVal::Nil => None,
        NilOrVal::Val(hash) => Some(hash),
    }
}

fn nil_or(hash: Option<B256>) -> NilOrVal<B256> {
    hash.map_or(NilOrVal::Nil, NilOrVal::Val)
}

fn kind_of(step: VoteType) -> VoteKind {
    match step {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

pub(super) fn to_engine(vote: &SignedVote) -> EngineMessage {
    let (height, round, member) = (Height(vote.height), Round::new(vote.round), Member(vote.voter));
    let step = match vote.kind {
        VoteKind::Proposal { pol_round } => {
            let pol_round = pol_round.map_or(Round::Nil, Round::new);
            let block = BlockHash(vote.block_hash.unwrap_or_default());
            let proposal = Proposal { height, round, block, pol_round, leader: member };
            return EngineMessage::Proposal(SignedMessage::new(proposal, vote.signature));
        }
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    };
    let message = Vote { step, height, round, block: nil_or(vote.block_hash), voter: member };
    EngineMessage::Vote(SignedMessage::new(message, vote.signature))
}

/// A vote without its signature: what is to be signed or checked.
pub(super) fn unsigned_vote(vote: &Vote) -> SignedVote {
    SignedVote {
        voter: vote.voter.0,
        height: vote.height.0,
        round: round_of(vote.round),
        kind: kind_of(vote.step),
        block_hash: named(vote.block),
        signature: Default::default(),
    }
}

pub(super) fn unsigned_proposal(proposal: &Proposal) -> SignedVote {
    SignedVote {
        voter: proposal.leader.0,
        height: proposal.height.0,
        round: round_of(proposal.round),
        kind: VoteKind::Proposal { pol_round: proposal.pol_round.as_u32() },
        block_hash: Some(proposal.block.0),
        signature: Default::default(),
    }
}

pub(super) fn from_vote(signed: &EngineVote) -> SignedVote {
    SignedVote { signature: signed.signature, ..unsigned_vote(&signed.message) }
}

pub(super) fn from_proposal(signed: &EngineProposal) -> SignedVote {
    SignedVote { signature: signed.signature, ..unsigned_proposal(&signed.message) }
}

pub(super) fn from_polka(polka: &engine::PolkaCertificate<Context>) -> PolkaCertificate {
    let signatures = polka.polka_signatures.iter();
    PolkaCertificate {
        height: polka.height.0,
        round: round_of(polka.round),
        block_hash: polka.value_id,
        signatures: signatures.map(|s| CommitSignature { address: s.address.0, signature: s.signature }).collect(),
    }
}

pub(super) fn to_polka(polka: &PolkaCertificate) -> engine::PolkaCertificate<Context> {
    let signatures = polka.signatures.iter();
    engine::PolkaCertificate {
        height: Height(polka.height),
        round: Round::new(polka.round),
        value_id: polka.block_hash,
        polka_signatures: signatures.map(|s| PolkaSignature::new(Member(s.address), s.signature)).collect(),
    }
}

pub(super) fn from_round(certificate: &engine::RoundCertificate<Context>) -> RoundCertificate {
    let (height, round) = (certificate.height.0, round_of(certificate.round));
    let vote = |vote: &RoundSignature<Context>| SignedVote {
        voter: vote.address.0,
        height,
        round,
        kind: kind_of(vote.vote_type),
        block_hash: named(vote.value_id),
        signature: vote.signature,
    };
    let reason = match certificate.cert_type {
        RoundCertificateType::Skip => RoundReason::Begun,
        RoundCertificateType::Precommit => RoundReason::Over,
    };
    RoundCertificate { height, round, reason, votes: certificate.round_signatures.iter().map(vote).collect() }
}

pub(super) fn to_round(certificate: &RoundCertificate) -> engine::RoundCertificate<Context> {
    let vote = |vote: &SignedVote| RoundSignature {
        vote_type: if vote.kind == VoteKind::Precommit { VoteType::Precommit } else { VoteType::Prevote },
        value_id: nil_or(vote.block_hash),
        address: Member(vote.voter),
        signature: vote.signature,
    };
    engine::RoundCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        cert_type: match certificate.reason {
            RoundReason::Begun => RoundCertificateType::Skip,
            RoundReason::Over => RoundCertificateType::Precommit,
        },
        round_signatures: certificate.votes.iter().map(vote).collect(),
    }
}

/// The engine keeps precommits in the order in which they came; ours stand in address order.
pub(super) fn from_commit(commit: &CommitCertificate<Context>) -> Certificate {
    let signatures = commit.commit_signatures.iter();
    let mut signatures: Vec<_> =
        signatures.map(|s| CommitSignature { address: s.address.0, signature: s.signature }).collect();
    signatures.sort_by_key(|vote| vote.address);
    signatures.dedup_by_key(|vote| vote.address);
    Certificate { height: commit.height.0, round: round_of(commit.round), block_hash: commit.value_id, signatures }
}
