//! The engine's words for what this chain has: its heights, blocks, validators and signatures.
//!
//! Every member has one vote. A set carries the frozen order of leaders of its height; the leader of round r is
//! `order[r mod n]`.

use super::error::BftError;
use alloy_primitives::{Address, B256, B512};
use arc_malachitebft_core_types::{
    self as engine, NilOrVal, Round, SignedExtension, SigningScheme, Timeout, VoteType, VotingPower,
};
use lucid_types::ConsensusKey;
use std::{fmt, sync::Arc, time::Duration};

/// An address, as the engine's trait wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member(pub(super) Address);

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl engine::Address for Member {}

/// A block number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Height(pub(super) u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl engine::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// What is voted on: the hash of a block. The body travels beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockHash(pub(super) B256);

impl engine::Value for BlockHash {
    type Id = B256;

    fn id(&self) -> B256 {
        self.0
    }
}

/// Bodies travel whole, so the engine sees no part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoPart;

impl engine::ProposalPart<Context> for NoPart {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) block: BlockHash,
    pub(super) pol_round: Round,
    pub(super) leader: Member,
}

impl engine::Proposal<Context> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockHash {
        &self.block
    }

    fn take_value(self) -> BlockHash {
        self.block
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Member {
        &self.leader
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vote {
    pub(super) step: VoteType,
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) block: NilOrVal<B256>,
    pub(super) voter: Member,
}

impl engine::Vote<Context> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<B256> {
        &self.block
    }

    fn take_value(self) -> NilOrVal<B256> {
        self.block
    }

    fn vote_type(&self) -> VoteType {
        self.step
    }

    fn validator_address(&self) -> &Member {
        &self.voter
    }

    // Votes carry no extensions here.
    fn extension(&self) -> Option<&SignedExtension<Context>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Context>> {
        None
    }

    fn extend(self, _: SignedExtension<Context>) -> Self {
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validator {
    member: Member,
    key: ConsensusKey,
}

impl engine::Validator<Context> for Validator {
    fn address(&self) -> &Member {
        &self.member
    }

    fn public_key(&self) -> &ConsensusKey {
        &self.key
    }

    fn voting_power(&self) -> VotingPower {
        1
    }
}

/// The members of a height in address order, and its leaders as places among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Members {
    members: Arc<[Validator]>,
    order: Arc<[usize]>,
}

impl Members {
    /// # Errors
    /// [`BftError::Order`] if the order is empty or names somebody who is no member.
    pub(super) fn new(set: &lucid_types::ValidatorSet, order: &[Address]) -> Result<Self, BftError> {
        let validator =
            |member: &lucid_types::Validator| Validator { member: Member(member.address), key: member.consensus_key };
        let place = |leader: &Address| {
            let found = set.members().binary_search_by_key(leader, |member| member.address);
            found.map_err(|_| BftError::Order(Some(*leader)))
        };
        if order.is_empty() {
            return Err(BftError::Order(None));
        }
        let order = order.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self { members: set.members().iter().map(validator).collect(), order })
    }
}

impl engine::ValidatorSet<Context> for Members {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.members.len() as VotingPower
    }

    fn get_by_address(&self, member: &Member) -> Option<&Validator> {
        let place = self.members.binary_search_by_key(member, |validator| validator.member).ok()?;
        self.members.get(place)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.members.get(index)
    }
}

/// The scheme: signatures as 64 bytes, keys as in the validator set. Secrets stay outside of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secp256k1;

impl SigningScheme for Secp256k1 {
    type DecodingError = &'static str;
    type Signature = B512;
    type PublicKey = ConsensusKey;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<B512, &'static str> {
        B512::try_from(bytes).map_err(|_| "a signature has 64 bytes")
    }

    fn encode_signature(signature: &B512) -> Vec<u8> {
        signature.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<ConsensusKey, &'static str> {
        let bytes = bytes.try_into().map_err(|_| "a key has 33 bytes")?;
        ConsensusKey::from_bytes(bytes).map_err(|_| "no point of the curve")
    }

    fn encode_public_key(key: &ConsensusKey) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}

/// The engine asks for durations through the effects that set timers, never here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NoTimeouts;

impl engine::Timeouts<Context> for NoTimeouts {
    fn duration_for(&self, _: Timeout) -> Duration {
        Duration::ZERO
    }
}

/// Ties the types together.
#[derive(Debug, Clone)]
pub(super) struct Context;

impl engine::Context for Context {
    type Address = Member;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = Members;
    type Timeouts = NoTimeouts;
    type Value = BlockHash;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Secp256k1;

    fn select_proposer<'a>(&self, members: &'a Members, _: Height, round: Round) -> &'a Validator {
        let round = round.as_u32().unwrap_or_default() as usize;
        // `Members::new` admits no empty order and no place outside of the members.
        &members.members[members.order[round % members.order.len()]]
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        block: BlockHash,
        pol_round: Round,
        leader: Member,
    ) -> Proposal {
        Proposal { height, round, block, pol_round, leader }
    }

    fn new_prevote(&self, height: Height, round: Round, block: NilOrVal<B256>, voter: Member) -> Vote {
        Vote { step: VoteType::Prevote, height, round, block, voter }
    }

    fn new_precommit(&self, height: Height, round: Round, block: NilOrVal<B256>, voter: Member) -> Vote {
        Vote { step: VoteType::Precommit, height, round, block, voter }
    }
}
