use crate::{
    hash::blake3,
    validator::{ValidatorSet, Vote, VoteKind},
};
use alloy_primitives::{Address, B256, B512};
use serde::{Deserialize, Serialize};

/// One validator's precommit inside a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitSignature {
    /// Address of the voter's node.
    pub address: Address,
    /// r then s, low s, over the precommit's sign bytes.
    pub signature: B512,
}

/// Why a certificate does not make its block final.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Voters stand in another order than by address, or twice.
    #[error("the voters of the certificate do not stand once each in address order")]
    Unordered,
    /// A voter has no vote at this height.
    #[error("{0} signed the certificate and is no validator of its height")]
    NotAMember(Address),
    /// A signature is not the voter's own precommit for this block.
    #[error("the signature of validator {0} in the certificate does not verify")]
    BadSignature(Address),
    /// Too few voters.
    #[error("{votes} of {members} validators signed the certificate; more than two thirds are needed")]
    TooFewVotes {
        /// Valid votes.
        votes: usize,
        /// Size of the set.
        members: usize,
    },
}

/// The precommits that made a block final: each voter once, in address order, more than two thirds of the set.
///
/// Nodes may hold different certificates of one block; the hash of the one that counts is in the child's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// Height of the block.
    pub height: u64,
    /// Round in which it was decided.
    pub round: u32,
    /// Hash of the block.
    pub block_hash: B256,
    /// The votes.
    pub signatures: Vec<CommitSignature>,
}

impl Certificate {
    /// Canonical bytes: height (8), round (4), block hash (32), then per voter its address (20) and signature
    /// (64). Integers are big-endian.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(44 + 84 * self.signatures.len());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.extend_from_slice(self.block_hash.as_slice());
        for vote in &self.signatures {
            out.extend_from_slice(vote.address.as_slice());
            out.extend_from_slice(vote.signature.as_slice());
        }
        out
    }

    /// BLAKE3 of the canonical bytes: the child's `parentBeaconBlockRoot`.
    pub fn hash(&self) -> B256 {
        blake3([&self.canonical_bytes()])
    }

    /// What each voter signed.
    pub fn vote(&self, genesis_hash: B256) -> Vote {
        Vote {
            genesis_hash,
            height: self.height,
            round: self.round,
            kind: VoteKind::Precommit,
            block_hash: Some(self.block_hash),
        }
    }

    /// Checks order, membership, every signature, and that more than two thirds of `set` signed.
    pub fn verify(&self, genesis_hash: B256, set: &ValidatorSet) -> Result<(), CertificateError> {
        if !self.signatures.is_sorted_by(|a, b| a.address < b.address) {
            return Err(CertificateError::Unordered);
        }
        // Counted before any signature is checked: a member signs once, so this also bounds the work.
        let (votes, members) = (self.signatures.len(), set.members().len());
        if !set.is_quorum(votes) {
            return Err(CertificateError::TooFewVotes { votes, members });
        }
        let message = self.vote(genesis_hash).sign_bytes();
        for vote in &self.signatures {
            let member = set.get(&vote.address).ok_or(CertificateError::NotAMember(vote.address))?;
            if !member.consensus_key.verify(&message, &vote.signature) {
                return Err(CertificateError::BadSignature(vote.address));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::tests::validator;
    use k256::ecdsa::{Signature, signature::Signer};

    const GENESIS: B256 = B256::repeat_byte(0xee);

    fn signed(seeds: &[u8]) -> Certificate {
        let mut certificate = Certificate { height: 5, round: 0, block_hash: B256::repeat_byte(1), signatures: vec![] };
        let message = certificate.vote(GENESIS).sign_bytes();
        for seed in seeds {
            let (key, member) = validator(*seed);
            let signature: Signature = key.sign(&message);
            let signature = B512::from_slice(&signature.to_bytes());
            certificate.signatures.push(CommitSignature { address: member.address, signature });
        }
        certificate
    }

    fn set_of_four() -> ValidatorSet {
        ValidatorSet::new((1..=4).map(|seed| validator(seed).1).collect()).unwrap()
    }

    #[test]
    fn three_of_four_make_a_block_final_and_two_do_not() {
        assert_eq!(signed(&[1, 2, 4]).verify(GENESIS, &set_of_four()), Ok(()));
        let too_few = CertificateError::TooFewVotes { votes: 2, members: 4 };
        assert_eq!(signed(&[1, 2]).verify(GENESIS, &set_of_four()), Err(too_few));
    }

    #[test]
    fn a_forged_certificate_is_refused_by_name() {
        let set = set_of_four();
        assert_eq!(signed(&[1, 1, 2]).verify(GENESIS, &set), Err(CertificateError::Unordered));
        assert_eq!(signed(&[2, 1, 3]).verify(GENESIS, &set), Err(CertificateError::Unordered));
        let stranger = CertificateError::NotAMember(Address::repeat_byte(9));
        assert_eq!(signed(&[1, 2, 9]).verify(GENESIS, &set), Err(stranger));
        let bad = CertificateError::BadSignature(Address::repeat_byte(1));
        assert_eq!(signed(&[1, 2, 3]).verify(B256::ZERO, &set), Err(bad.clone()));
        let other_round = Certificate { round: 1, ..signed(&[1, 2, 3]) };
        assert_eq!(other_round.verify(GENESIS, &set), Err(bad));
    }

    #[test]
    fn the_hash_covers_every_field() {
        let base = signed(&[1, 2, 3]);
        let mut fewer = base.clone();
        fewer.signatures.pop();
        for other in [Certificate { height: 6, ..base.clone() }, Certificate { round: 1, ..base.clone() }, fewer] {
            assert_ne!(other.hash(), base.hash());
        }
    }
}
