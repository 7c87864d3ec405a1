//! Whether a block was made and made final by those who may: its leader, its randomness, its author's signature, its
//! certificate.
//!
//! What is judged here falls in two. What the block's hash fixes ([`SealTerms::check_header`]) makes a block invalid for
//! everybody. What travels beside it ([`SealTerms::check_author`]) may have been put there by whoever passed it on, and says
//! nothing against the block.

use super::poot::{Order, vrf_alpha, vrf_verify};
use alloy_consensus::{Header, Sealed};
use alloy_primitives::{Address, B256, B512};
use lucid_types::{
    Certificate, CertificateError, ChainSpec, ExtraData, ExtraDataError, Rules, Seal, Validator, ValidatorSet, Vote,
    VoteKind, VrfProof, blake3,
};

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
    /// The leader is not the one whose turn the round was.
    #[error("round {round} was the turn of {expected}, and the block is of {leader}")]
    Leader {
        /// Round that the block was made in.
        round: u32,
        /// Whose turn that is.
        expected: Address,
        /// Whose block it is.
        leader: Address,
    },
    /// The leader is no validator of the height.
    #[error("the leader {0} is no validator")]
    Stranger(Address),
    /// The header names another validator set for the next height than the chain has.
    #[error("the block names another validator set for the next height than the chain has")]
    NextSet,
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

/// What a block is held against.
#[derive(Debug, Clone, Copy)]
pub struct SealTerms<'a> {
    /// The chain.
    pub spec: &'a ChainSpec,
    /// Hash of its genesis header.
    pub genesis_hash: B256,
    /// Header of the block before.
    pub parent: &'a Header,
    /// Who votes on the height.
    pub set: &'a ValidatorSet,
    /// Who votes on the height after, by the slot of the block.
    pub next_set: &'a ValidatorSet,
    /// Who leads the height. Where that is no longer known, it is not asked whose turn the block's round was.
    pub order: Option<&'a Order>,
}

impl SealTerms<'_> {
    /// Checks what consensus gives the header, and returns the round that the block was made in.
    ///
    /// # Errors
    ///
    /// The block is invalid.
    pub fn check_header(&self, header: &Header) -> Result<u32, SealError> {
        let extra = ExtraData::decode(&header.extra_data)?;
        if !extra.names(self.next_set) {
            return Err(SealError::NextSet);
        }
        let (round, leader) = (extra.round, header.beneficiary);
        match self.order.map(|order| order.of_round(round).leader) {
            Some(expected) if leader != expected => Err(SealError::Leader { round, expected, leader }),
            _ if self.set.get(&leader).is_none() => Err(SealError::Stranger(leader)),
            _ => Ok(round),
        }
    }

    /// Checks what the author gives beside a block whose header was found right: the proof of its randomness and his
    /// signature.
    ///
    /// # Errors
    ///
    /// What came beside the block is not the author's.
    pub fn check_author(
        &self,
        header: &Sealed<Header>,
        vrf_proof: Option<&VrfProof>,
        proposal_signature: &B512,
    ) -> Result<(), SealError> {
        let round = ExtraData::decode(&header.extra_data)?.round;
        let author = self.set.get(&header.beneficiary).ok_or(SealError::Stranger(header.beneficiary))?;
        if self.mix_hash(author, header.number, vrf_proof) != Some(header.mix_hash) {
            return Err(SealError::MixHash);
        }
        let proposal = proposal(self.genesis_hash, header.number, round, header.hash());
        match author.consensus_key.verify(&proposal.sign_bytes(), proposal_signature) {
            true => Ok(()),
            false => Err(SealError::Proposal),
        }
    }

    /// Checks all of a seal. `parent_certificate` is that of the block before, nothing where that is genesis.
    ///
    /// # Errors
    ///
    /// The block is not final by this seal.
    pub fn verify(
        &self,
        parent_certificate: Option<&Certificate>,
        header: &Sealed<Header>,
        seal: &Seal,
    ) -> Result<(), SealError> {
        let round = self.check_header(header)?;
        let certificate = &seal.certificate;
        let checks = [
            ("slot", self.spec.slots().slot_at(header.timestamp) == Some(seal.slot)),
            ("round", round == seal.round),
            ("leader", header.beneficiary == seal.leader),
            ("block", (certificate.height, certificate.block_hash) == (header.number, header.hash())),
            ("deciding round", certificate.round >= seal.round),
        ];
        if let Some((field, _)) = checks.into_iter().find(|(_, holds)| !holds) {
            return Err(SealError::Field(field));
        }
        let certificate_hash = parent_certificate.map_or(B256::ZERO, Certificate::hash);
        if header.parent_beacon_block_root != Some(certificate_hash) {
            return Err(SealError::ParentCertificate);
        }
        self.check_author(header, seal.vrf_proof.as_ref(), &seal.proposal_signature)?;
        Ok(certificate.verify(self.genesis_hash, self.set)?)
    }

    /// The mixHash of the block after the parent; `None` where the proof is missing, not due, or wrong.
    fn mix_hash(&self, author: &Validator, height: u64, proof: Option<&VrfProof>) -> Option<B256> {
        let before = self.parent.mix_hash;
        match (self.spec.rules, proof) {
            (Rules::Dev, None) => Some(hash_chain(before, height)),
            (Rules::Poot, Some(proof)) => {
                vrf_verify(author.consensus_key.as_bytes(), proof, &vrf_alpha(before, height)).ok()
            }
            _ => None,
        }
    }
}

/// What an author signs of his own block: the proposal in the round that it was made in, without a proof of lock.
pub(super) fn proposal(genesis_hash: B256, height: u64, round: u32, block_hash: B256) -> Vote {
    let kind = VoteKind::Proposal { pol_round: None };
    Vote { genesis_hash, height, round, kind, block_hash: Some(block_hash) }
}

/// The randomness of a `dev` chain: BLAKE3 of the parent's mixHash and the height (8 bytes, big-endian).
pub(super) fn hash_chain(parent_mix_hash: B256, height: u64) -> B256 {
    blake3([parent_mix_hash.as_slice(), &height.to_be_bytes()])
}

#[cfg(test)]
mod tests;
