//! Checks signatures, and remembers what it has checked: gossip brings each vote several times, and once more inside
//! certificates.

use super::message::SignedVote;
use alloy_primitives::B256;
use lucid_types::{ConsensusKey, blake3};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Most checks that are remembered: the votes of twenty rounds of a hundred validators. About 400 KiB.
pub const REMEMBERED_CHECKS: usize = 4_096;

#[derive(Debug, Default)]
struct Remembered {
    checks: BTreeMap<B256, bool>,
    oldest_first: VecDeque<B256>,
}

/// A verifier. Clones share what is remembered.
#[derive(Debug, Clone, Default)]
pub struct Verifier(Arc<Mutex<Remembered>>);

impl Verifier {
    /// Whether `key` made the vote's signature, on the chain with this genesis.
    pub fn verify(&self, genesis_hash: B256, vote: &SignedVote, key: &ConsensusKey) -> bool {
        let message = vote.vote(genesis_hash).sign_bytes();
        // The message's length is fixed by its kind, so no two checks have the same bytes here.
        let check = blake3([key.as_bytes().as_slice(), vote.signature.as_slice(), &message]);
        if let Some(valid) = self.remembered().checks.get(&check) {
            return *valid;
        }
        let valid = key.verify(&message, &vote.signature);
        self.remember(check, valid);
        valid
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // Nothing is changed between two states that belong together, so a panic elsewhere left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, check: B256, valid: bool) {
        let mut remembered = self.remembered();
        if remembered.checks.insert(check, valid).is_none() {
            remembered.oldest_first.push_back(check);
        }
        while remembered.oldest_first.len() > REMEMBERED_CHECKS {
            if let Some(oldest) = remembered.oldest_first.pop_front() {
                remembered.checks.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;
    use alloy_primitives::{Address, B512};
    use lucid_types::VoteKind;

    fn vote(height: u64, key: &SecretKey) -> SignedVote {
        let block_hash = Some(B256::repeat_byte(3));
        let voter = Address::repeat_byte(1);
        let mut vote =
            SignedVote { voter, height, round: 0, kind: VoteKind::Prevote, block_hash, signature: B512::ZERO };
        vote.signature = key.sign_message_sha256(&vote.vote(B256::ZERO).sign_bytes()).into();
        vote
    }

    #[test]
    fn what_is_remembered_is_the_answer_for_that_very_vote_and_key() {
        let [key, other] = [1, 2].map(|byte| SecretKey::from_bytes(&[byte; 32]).unwrap());
        let public = |key: &SecretKey| ConsensusKey::from_bytes(key.public_key_compressed()).unwrap();
        let verifier = Verifier::default();
        let good = vote(7, &key);
        for _ in 0..2 {
            assert!(verifier.verify(B256::ZERO, &good, &public(&key)));
            assert!(!verifier.verify(B256::ZERO, &good, &public(&other)));
            assert!(!verifier.verify(B256::repeat_byte(1), &good, &public(&key)));
            assert!(!verifier.verify(B256::ZERO, &SignedVote { height: 8, ..good }, &public(&key)));
        }
        assert_eq!(verifier.remembered().checks.len(), 4);
    }

    #[test]
    fn a_flood_of_bad_signatures_costs_bounded_memory() {
        let verifier = Verifier::default();
        for i in 0..REMEMBERED_CHECKS as u64 + 100 {
            verifier.remember(B256::left_padding_from(&i.to_be_bytes()), false);
        }
        let remembered = verifier.remembered();
        assert_eq!(remembered.checks.len(), REMEMBERED_CHECKS);
        assert_eq!(remembered.oldest_first.len(), REMEMBERED_CHECKS);
        assert!(!remembered.checks.contains_key(&B256::ZERO), "the oldest goes first");
    }
}
