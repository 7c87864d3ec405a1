//! What nodes tell each other: votes and what they add up to, bodies, and how far a chain goes.
//!
//! Plain data. Who may say what, and whether a signature holds, is judged where a message is taken in.

use super::guard::step_of;
use crate::keys::HighestSigned;
use alloy_primitives::{Address, B256, B512, Bytes};
use lucid_types::{Certificate, CommitSignature, Vote, VoteKind, VrfProof};

/// One signed message of a validator: a proposal, a prevote or a precommit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedVote {
    /// Address of the validator's node.
    pub voter: Address,
    /// Height that is voted on.
    pub height: u64,
    /// Round of that height.
    pub round: u32,
    /// What is said.
    pub kind: VoteKind,
    /// The block, or nil. A proposal always names one.
    pub block_hash: Option<B256>,
    /// r then s, low s, over the SHA-256 of the vote's sign bytes.
    pub signature: B512,
}

impl SignedVote {
    /// What was signed, on the chain with this genesis.
    pub fn vote(&self, genesis_hash: B256) -> Vote {
        let Self { height, round, kind, block_hash, .. } = *self;
        Vote { genesis_hash, height, round, kind, block_hash }
    }

    /// Whether this is a proposal.
    pub fn is_proposal(&self) -> bool {
        matches!(self.kind, VoteKind::Proposal { .. })
    }

    /// The step that it is for, as the file of the highest signed step has it.
    pub fn step(&self) -> HighestSigned {
        HighestSigned { height: self.height, round: self.round, step: step_of(self.kind) }
    }

    /// Whether both are for one step of one height, of which a validator signs one message only.
    pub fn is_of_step(&self, other: &Self) -> bool {
        let step = |vote: &Self| (vote.voter, vote.height, vote.round, std::mem::discriminant(&vote.kind));
        step(self) == step(other)
    }
}

impl Message {
    /// Whether it is one that is said to all. The others are questions and answers.
    pub const fn is_gossip(&self) -> bool {
        matches!(self, Self::Vote(_) | Self::Polka(_) | Self::Round(_) | Self::Body(_))
    }
}

/// More than two thirds of the prevotes of one round for one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolkaCertificate {
    /// Height of the block.
    pub height: u64,
    /// Round of the prevotes.
    pub round: u32,
    /// The block.
    pub block_hash: B256,
    /// The prevotes.
    pub signatures: Vec<CommitSignature>,
}

/// What lets a node leave a round behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundReason {
    /// More than a third of the votes are of this round: it has begun.
    Begun,
    /// More than two thirds precommitted in this round, and not for one block: it is over.
    Over,
}

/// Votes that prove that a round has begun or is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundCertificate {
    /// Height of the votes.
    pub height: u64,
    /// Round of the votes.
    pub round: u32,
    /// What they prove.
    pub reason: RoundReason,
    /// Prevotes and precommits of that height and round.
    pub votes: Vec<SignedVote>,
}

/// A block that is not decided yet, with what travels beside it.
///
/// Its hash fixes the block and nothing else here. So what is wrong beside it makes the message one that never came, and
/// says nothing of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The block's height.
    pub height: u64,
    /// The round that the block was made in.
    pub round: u32,
    /// Hash of the block's header.
    pub block_hash: B256,
    /// The author's signature over his proposal in `round`, without a proof of lock.
    pub proposal_signature: B512,
    /// The author's VRF proof. A `dev` chain has none.
    pub vrf_proof: Option<VrfProof>,
    /// The certificate of the parent whose hash the header carries. Block 1 has none.
    pub parent_certificate: Option<Certificate>,
    /// RLP of the block.
    pub block: Bytes,
}

impl Body {
    /// What its author signed when he put it forward first.
    pub fn proposal(&self, author: Address) -> SignedVote {
        SignedVote {
            voter: author,
            height: self.height,
            round: self.round,
            kind: VoteKind::Proposal { pol_round: None },
            block_hash: Some(self.block_hash),
            signature: self.proposal_signature,
        }
    }
}

/// All that goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A proposal, a prevote or a precommit.
    Vote(SignedVote),
    /// A block has a proof of lock.
    Polka(PolkaCertificate),
    /// A round has begun or is over.
    Round(RoundCertificate),
    /// A body, of its own accord or because it was asked for.
    Body(Box<Body>),
    /// Asks for the body of a block that is voted on.
    BodyRequest {
        /// Height of the block.
        height: u64,
        /// Its hash.
        block_hash: B256,
    },
    /// How far the sender's chain goes.
    Head {
        /// Height of its last block.
        height: u64,
        /// Hash of that block.
        block_hash: B256,
    },
    /// Asks for a decided block.
    BlockRequest {
        /// Its height.
        height: u64,
    },
    /// A decided block.
    Block {
        /// The block.
        body: Box<Body>,
        /// What made it final.
        certificate: Certificate,
    },
}
