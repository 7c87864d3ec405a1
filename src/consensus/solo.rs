//! The one-validator case: the only member leads every height in round 0, and its precommit alone is the
//! certificate. The messages, their signatures and the seal are those of a chain with many validators.

use super::poot;
use crate::{
    chain::BlockAttributes,
    keys::{NodeKeys, SecretKey},
};
use alloy_consensus::{Header, Sealed};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, B256, B512};
use lucid_types::{
    Certificate, CertificateError, ChainSpec, CommitSignature, ExtraData, ExtraDataError, Rules, Seal, ValidatorSet,
    Vote, VoteKind, VrfProof, blake3,
};

/// The round that a chain with one validator decides in.
const ROUND: u32 = 0;

/// Why a node may not make blocks by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SoloError {
    /// The chain has other validators too.
    #[error("the chain has {0} validators; one of them alone makes no block final")]
    NotAlone(usize),
    /// The keys are those of another node.
    #[error("the chain's validator is {validator}, and the keys are those of {ours}")]
    OtherValidator {
        /// The chain's.
        validator: Address,
        /// The keys'.
        ours: Address,
    },
    /// The consensus key is not the one in the validator set.
    #[error("the consensus key is not the one that the chain has for {0}")]
    OtherKey(Address),
}

/// Why a seal does not belong to its block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Slot, round or leader differ from what the header says.
    #[error("the seal's {0} is not the header's")]
    Field(&'static str),
    /// The header's extraData cannot be read.
    #[error(transparent)]
    ExtraData(#[from] ExtraDataError),
    /// The leader is no validator of the height.
    #[error("the leader {0} is no validator")]
    Leader(Address),
    /// The mixHash does not follow from the parent.
    #[error("the block's mixHash does not follow from its parent's")]
    MixHash,
    /// The proposal was not signed by the leader.
    #[error("the leader's signature of the proposal does not verify")]
    Proposal,
    /// The certificate does not make the block final.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A chain whose only validator is this node.
#[derive(Debug)]
pub struct Solo {
    genesis_hash: B256,
    rules: Rules,
    spec: ChainSpec,
    leader: Address,
    set: ValidatorSet,
    consensus_key: SecretKey,
}
