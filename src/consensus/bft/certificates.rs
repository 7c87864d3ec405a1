//! Whether votes add up: each voter once, members only, every signature good, enough of them.

use super::{
    message::{PolkaCertificate, RoundCertificate, RoundReason, SignedVote},
    verifier::Verifier,
};
use alloy_primitives::B256;
use lucid_types::{Certificate, CommitSignature, ValidatorSet, VoteKind};
use std::collections::BTreeSet;

/// Who votes at a height, and how their signatures are checked.
#[derive(Debug, Clone)]
pub(super) struct Electorate {
    pub(super) genesis_hash: B256,
    pub(super) set: ValidatorSet,
    pub(super) verifier: Verifier,
}

impl Electorate {
    /// Whether a member signed this.
    pub(super) fn signed(&self, vote: &SignedVote) -> bool {
        let member = self.set.get(&vote.voter);
        member.is_some_and(|member| self.verifier.verify(self.genesis_hash, vote, &member.consensus_key))
    }

    /// Whether this many votes are more than a third of all: at least one of them is an honest node's.
    pub(super) fn is_some_honest(&self, votes: usize) -> bool {
        votes * 3 > self.set.members().len()
    }

    /// Whether more than two thirds prevoted the block.
    pub(super) fn holds_polka(&self, polka: &PolkaCertificate) -> bool {
        let PolkaCertificate { height, round, block_hash, signatures } = polka;
        self.is_quorum_for(*height, *round, VoteKind::Prevote, *block_hash, signatures)
    }

    /// Whether more than two thirds precommitted the block.
    pub(super) fn holds_commit(&self, certificate: &Certificate) -> bool {
        let Certificate { height, round, block_hash, signatures } = certificate;
        self.is_quorum_for(*height, *round, VoteKind::Precommit, *block_hash, signatures)
    }

    fn is_quorum_for(
        &self,
        height: u64,
        round: u32,
        kind: VoteKind,
        block_hash: B256,
        signatures: &[CommitSignature],
    ) -> bool {
        let vote = |given: &CommitSignature| {
            let CommitSignature { address: voter, signature } = *given;
            SignedVote { voter, height, round, kind, block_hash: Some(block_hash), signature }
        };
        // Counted first: a member signs once, so this bounds the work.
        self.set.is_quorum(signatures.len()) && self.all_signed(signatures.iter().map(vote))
    }

    /// Whether the votes prove that the round has begun, or is over.
    pub(super) fn holds_round(&self, certificate: &RoundCertificate) -> bool {
        let RoundCertificate { height, round, reason, votes } = certificate;
        let fits = |vote: &SignedVote| (vote.height, vote.round) == (*height, *round) && !vote.is_proposal();
        let enough = match reason {
            RoundReason::Begun => self.is_some_honest(votes.len()),
            RoundReason::Over => {
                self.set.is_quorum(votes.len()) && votes.iter().all(|vote| vote.kind == VoteKind::Precommit)
            }
        };
        enough && votes.iter().all(fits) && self.all_signed(votes.iter().copied())
    }

    /// Whether each is signed by a member of its own.
    fn all_signed(&self, votes: impl Iterator<Item = SignedVote>) -> bool {
        let mut voters = BTreeSet::new();
        votes.into_iter().all(|vote| voters.insert(vote.voter) && self.signed(&vote))
    }
}
