//! Two messages that one validator signed for one step: proof against him that anybody can check.

use super::{
    message::SignedVote,
    wire::{Reader, WireError, put_vote, take_vote},
};
use alloy_primitives::B256;
use lucid_types::ValidatorSet;

/// Version of the encoding, the first byte of a piece of evidence.
const EVIDENCE_VERSION: u8 = 1;

/// Two messages of one validator for one step, of which he may sign one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// What was seen first.
    pub first: SignedVote,
    /// What contradicts it.
    pub second: SignedVote,
}

impl Evidence {
    /// Whether it proves a fault of a member of `set`, which votes at that height.
    pub fn verify(&self, genesis_hash: B256, set: &ValidatorSet) -> bool {
        let Some(member) = set.get(&self.first.voter) else { return false };
        let said = |vote: &SignedVote| (vote.kind, vote.block_hash);
        let signed =
            |vote: &SignedVote| member.consensus_key.verify(&vote.vote(genesis_hash).sign_bytes(), &vote.signature);
        self.first.is_of_step(&self.second)
            && said(&self.first) != said(&self.second)
            && signed(&self.first)
            && signed(&self.second)
    }

    /// The bytes: version (1), then each message as on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![EVIDENCE_VERSION];
        put_vote(&mut out, &self.first);
        put_vote(&mut out, &self.second);
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        match r.byte("the version")? {
            EVIDENCE_VERSION => {}
            other => return Err(WireError::Version(other)),
        }
        let mut vote = || {
            let kind = r.byte("the kind")?;
            take_vote(r, kind)
        };
        let (first, second) = (vote()?, vote()?);
        reader.end()?;
        Ok(Self { first, second })
    }
}
