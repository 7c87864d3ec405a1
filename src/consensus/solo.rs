//! The one-validator case: the only member leads every height in round 0, and its precommit alone is the
//! certificate. The messages, their signatures and the seal are those of a chain with many validators.

use super::poot::{vrf_alpha, vrf_prove, vrf_verify};
use crate::{
    chain::BlockAttributes,
    keys::{NodeKeys, SecretKey},
};
use alloy_consensus::{Header, Sealed};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, B256, B512};
use lucid_types::{
    Certificate, CertificateError, ChainSpec, CommitSignature, ExtraData, ExtraDataError, Rules, Seal, SlotGrid,
    Validator, ValidatorSet, Vote, VoteKind, VrfProof, blake3,
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
    #[error("the chain's only validator is {validator}, and the account key here is that of {ours}")]
    OtherValidator {
        /// The chain's.
        validator: Address,
        /// The keys'.
        ours: Address,
    },
    /// The consensus key is not the one in the validator set.
    #[error("the consensus key here is not the one that the chain has for {0}")]
    OtherKey(Address),
}

/// Why a seal does not belong to its block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A field of the seal differs from what the header says.
    #[error("the seal's {0} is not the header's")]
    Field(&'static str),
    /// The header's extraData cannot be read.
    #[error(transparent)]
    ExtraData(#[from] ExtraDataError),
    /// The leader is no validator of the height.
    #[error("the leader {0} is no validator")]
    Leader(Address),
    /// The header does not name the hash of the parent's certificate.
    #[error("the block does not carry the hash of its parent's certificate")]
    ParentCertificate,
    /// The mixHash is not what the leader's VRF, or the hash chain of a `dev` chain, gives after the parent's.
    #[error("the block's mixHash does not follow from its parent's")]
    MixHash,
    /// The proposal was not signed by the leader.
    #[error("the leader's signature of the proposal does not verify")]
    Proposal,
    /// The certificate does not make the block final.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// What every node of a one-validator chain knows: who seals, and under which rules.
#[derive(Debug, Clone)]
pub struct SoloChain {
    genesis_hash: B256,
    rules: Rules,
    slots: SlotGrid,
    validator: Validator,
    set: ValidatorSet,
}

impl SoloChain {
    /// For a chain whose spec has exactly one validator.
    pub fn new(spec: &ChainSpec, genesis_hash: B256, set: ValidatorSet) -> Result<Self, SoloError> {
        let [validator] = *set.members() else { return Err(SoloError::NotAlone(set.members().len())) };
        Ok(Self { genesis_hash, rules: spec.rules, slots: spec.slots(), validator, set })
    }

    /// Judges a seal as it travels beside its block.
    ///
    /// `parent_certificate` is that of the parent, `None` for block 1.
    pub fn verify(
        &self,
        parent: &Header,
        parent_certificate: Option<&Certificate>,
        header: &Sealed<Header>,
        seal: &Seal,
    ) -> Result<(), SealError> {
        self.verify_fields(header, seal)?;
        let certificate_hash = parent_certificate.map_or(B256::ZERO, Certificate::hash);
        if header.parent_beacon_block_root != Some(certificate_hash) {
            return Err(SealError::ParentCertificate);
        }
        if self.mix_hash(parent, header.number, seal.vrf_proof.as_ref()) != Some(header.mix_hash) {
            return Err(SealError::MixHash);
        }
        let proposal = self.proposal(header).sign_bytes();
        if !self.validator.consensus_key.verify(&proposal, &seal.proposal_signature) {
            return Err(SealError::Proposal);
        }
        Ok(seal.certificate.verify(self.genesis_hash, &self.set)?)
    }

    /// Slot, round, leader and block must be the header's.
    fn verify_fields(&self, header: &Sealed<Header>, seal: &Seal) -> Result<(), SealError> {
        let extra = ExtraData::decode(&header.extra_data)?;
        let certificate = &seal.certificate;
        let checks = [
            ("slot", self.slots.slot_at(header.timestamp) == Some(seal.slot)),
            ("round", extra.round == seal.round && seal.round == ROUND),
            ("next validator set", extra.names(&self.set)),
            ("leader", header.beneficiary == seal.leader),
            ("block", (certificate.height, certificate.block_hash) == (header.number, header.hash())),
            ("deciding round", certificate.round == ROUND),
        ];
        if let Some((field, _)) = checks.into_iter().find(|(_, holds)| !holds) {
            return Err(SealError::Field(field));
        }
        if seal.leader != self.validator.address {
            return Err(SealError::Leader(seal.leader));
        }
        Ok(())
    }

    /// The mixHash of the block after `parent`; `None` where the proof is missing, not due, or wrong.
    fn mix_hash(&self, parent: &Header, height: u64, proof: Option<&VrfProof>) -> Option<B256> {
        match (self.rules, proof) {
            (Rules::Dev, None) => Some(hash_chain(parent.mix_hash, height)),
            (Rules::Poot, Some(proof)) => {
                let alpha = vrf_alpha(parent.mix_hash, height);
                vrf_verify(self.validator.consensus_key.as_bytes(), proof, &alpha).ok()
            }
            _ => None,
        }
    }

    fn proposal(&self, header: &Sealed<Header>) -> Vote {
        Vote {
            genesis_hash: self.genesis_hash,
            height: header.number,
            round: ROUND,
            kind: VoteKind::Proposal { pol_round: None },
            block_hash: Some(header.hash()),
        }
    }
}

/// The randomness of a `dev` chain: BLAKE3 of the parent's mixHash and the height (8 bytes, big-endian).
fn hash_chain(parent_mix_hash: B256, height: u64) -> B256 {
    blake3([parent_mix_hash.as_slice(), &height.to_be_bytes()])
}

/// The only validator of a chain: a [`SoloChain`] and the key that seals it.
#[derive(Debug)]
pub struct Solo {
    chain: SoloChain,
    consensus_key: SecretKey,
}

impl Solo {
    /// Takes the keys of the chain's only validator.
    pub fn new(chain: SoloChain, keys: &NodeKeys) -> Result<Self, SoloError> {
        let validator = chain.validator;
        let ours = keys.account().address();
        if ours != validator.address {
            return Err(SoloError::OtherValidator { validator: validator.address, ours });
        }
        let consensus_key = keys.consensus().clone();
        if consensus_key.public_key_compressed() != *validator.consensus_key.as_bytes() {
            return Err(SoloError::OtherKey(validator.address));
        }
        Ok(Self { chain, consensus_key })
    }

    /// What anybody can check.
    pub fn chain(&self) -> &SoloChain {
        &self.chain
    }

    /// What this leader gives the block after `parent`, and the proof that goes into its seal.
    ///
    /// `timestamp` is the start of the slot it is made in. Nothing is minted: that takes work of other operators' nodes.
    pub fn attributes(
        &self,
        parent: &Header,
        parent_certificate: Option<&Certificate>,
        timestamp: u64,
    ) -> (BlockAttributes, Option<VrfProof>) {
        let height = parent.number + 1;
        let (mix_hash, proof) = match self.chain.rules {
            Rules::Dev => (hash_chain(parent.mix_hash, height), None),
            Rules::Poot => {
                let (proof, output) = vrf_prove(&self.consensus_key, &vrf_alpha(parent.mix_hash, height));
                (output, Some(proof))
            }
        };
        let attributes = BlockAttributes {
            timestamp,
            beneficiary: self.chain.validator.address,
            mix_hash,
            parent_certificate_hash: parent_certificate.map_or(B256::ZERO, Certificate::hash),
            extra_data: ExtraData::new(ROUND, &self.chain.set),
            withdrawals: Withdrawals::default(),
        };
        (attributes, proof)
    }

    /// Signs proposal and precommit of a block that was found valid: with one validator that makes it final.
    pub fn seal(&self, header: &Sealed<Header>, vrf_proof: Option<VrfProof>) -> Seal {
        let sign = |vote: Vote| B512::from(self.consensus_key.sign_message_sha256(&vote.sign_bytes()));
        let mut certificate =
            Certificate { height: header.number, round: ROUND, block_hash: header.hash(), signatures: Vec::new() };
        let leader = self.chain.validator.address;
        let signature = sign(certificate.vote(self.chain.genesis_hash));
        certificate.signatures.push(CommitSignature { address: leader, signature });
        Seal {
            // A header that was found valid has a timestamp on the slot grid.
            slot: self.chain.slots.slot_at(header.timestamp).unwrap_or_default(),
            round: ROUND,
            leader,
            vrf_proof,
            proposal_signature: sign(self.chain.proposal(header)),
            certificate,
        }
    }
}

#[cfg(test)]
mod tests;
