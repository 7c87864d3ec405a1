//! Making blocks: what their author gives a header and signs. Whether it is his turn he looks up in the schedule.

use super::{
    poot::{Schedule, vrf_alpha, vrf_prove},
    seal::{hash_chain, proposal},
};
use crate::{
    chain::BlockAttributes,
    keys::{NodeKeys, SecretKey},
};
use alloy_consensus::{Header, Sealed};
use alloy_primitives::{Address, B256, B512};
use lucid_types::{Certificate, ChainSpec, CommitSignature, ExtraData, Rules, Seal, SlotGrid, ValidatorSet, VrfProof};

/// What the author of a block builds on.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// Header of the block before.
    pub parent: &'a Header,
    /// Its certificate; nothing where that is genesis.
    pub parent_certificate: Option<&'a Certificate>,
    /// Who votes on the height after.
    pub next_set: &'a ValidatorSet,
    /// Start of the slot that the block is made in, in Unix seconds.
    pub timestamp: u64,
    /// The round that it is made in.
    pub round: u32,
}

/// A node as the author of blocks.
#[derive(Debug)]
pub struct Author {
    genesis_hash: B256,
    rules: Rules,
    slots: SlotGrid,
    address: Address,
    consensus_key: SecretKey,
}

impl Author {
    /// The node with these keys, on a chain.
    pub fn new(spec: &ChainSpec, genesis_hash: B256, keys: &NodeKeys) -> Self {
        let (address, consensus_key) = (keys.account().address(), keys.consensus().clone());
        Self { genesis_hash, rules: spec.rules, slots: spec.slots(), address, consensus_key }
    }

    /// Address of the node.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Whether the node is the only one whose votes count, so that it makes blocks final alone.
    pub fn is_alone(&self, schedule: &Schedule) -> bool {
        matches!(schedule.set.members(), [only] if only.address == self.address
            && *only.consensus_key.as_bytes() == self.consensus_key.public_key_compressed())
    }

    /// What the node gives the block that it makes, and the proof that travels with it.
    pub fn attributes(&self, on: &Proposal<'_>) -> (BlockAttributes, Option<VrfProof>) {
        let height = on.parent.number + 1;
        let (mix_hash, proof) = match self.rules {
            Rules::Dev => (hash_chain(on.parent.mix_hash, height), None),
            Rules::Poot => {
                let (proof, output) = vrf_prove(&self.consensus_key, &vrf_alpha(on.parent.mix_hash, height));
                (output, Some(proof))
            }
        };
        let attributes = BlockAttributes {
            timestamp: on.timestamp,
            beneficiary: self.address,
            mix_hash,
            parent_certificate_hash: on.parent_certificate.map_or(B256::ZERO, Certificate::hash),
            extra_data: ExtraData::new(on.round, on.next_set),
        };
        (attributes, proof)
    }

    /// Signs the proposal of a block that the node made in `round`.
    pub fn sign_proposal(&self, height: u64, round: u32, block_hash: B256) -> B512 {
        let message = proposal(self.genesis_hash, height, round, block_hash).sign_bytes();
        self.consensus_key.sign_message_sha256(&message).into()
    }

    /// Makes a block of round 0 final where the node is alone: its proposal, and its precommit as the whole certificate.
    pub fn seal_alone(&self, header: &Sealed<Header>, vrf_proof: Option<VrfProof>) -> Seal {
        let (height, round, block_hash) = (header.number, 0, header.hash());
        let mut certificate = Certificate { height, round, block_hash, signatures: Vec::new() };
        let precommit = certificate.vote(self.genesis_hash).sign_bytes();
        let signature = self.consensus_key.sign_message_sha256(&precommit).into();
        certificate.signatures.push(CommitSignature { address: self.address, signature });
        Seal {
            // A header that was found valid has a timestamp on the slot grid.
            slot: self.slots.slot_at(header.timestamp).unwrap_or_default(),
            round,
            leader: self.address,
            vrf_proof,
            proposal_signature: self.sign_proposal(height, round, block_hash),
            certificate,
        }
    }
}
