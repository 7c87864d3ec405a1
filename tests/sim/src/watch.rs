//! What must hold, looked at from outside: what honest nodes put on the wire and what they commit.

use alloy_primitives::{Address, B256};
use lucid_node::consensus::bft::{Decision, Message, SignedVote};
use lucid_types::{ValidatorSet, VoteKind};
use std::collections::BTreeMap;

/// A rule was broken. The seed repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} after {at_ms} ms: {what}")]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// When.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

type Step = (Address, u64, u32, u8);

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    signed: BTreeMap<Step, SignedVote>,
    decided: BTreeMap<u64, B256>,
    evidence: usize,
    rounds: BTreeMap<u32, u64>,
}

impl Watch {
    /// An honest node sends.
    pub(crate) fn sends(&mut self, own: Address, message: &Message) -> Result<(), String> {
        let Message::Vote(vote) = message else { return Ok(()) };
        if vote.voter != own {
            // In late rounds the proposal that a node is locked on is handed on.
            return Ok(());
        }
        let kind = match vote.kind {
            VoteKind::Proposal { .. } => 0,
            VoteKind::Prevote => 1,
            VoteKind::Precommit => 2,
        };
        let first = self.signed.entry((own, vote.height, vote.round, kind)).or_insert(*vote);
        if (first.kind, first.block_hash) == (vote.kind, vote.block_hash) {
            return Ok(());
        }
        Err(format!("an honest node signed two messages for one step: {first:?} and {vote:?}"))
    }

    /// An honest node commits.
    pub(crate) fn commits(
        &mut self,
        genesis_hash: B256,
        set: &ValidatorSet,
        honest: &[Address],
        decision: &Decision,
    ) -> Result<(), String> {
        let Decision { height, block_hash, evidence, .. } = decision;
        let known = self.decided.entry(*height).or_insert(*block_hash);
        if known != block_hash {
            return Err(format!("two blocks were committed at height {height}: {known} and {block_hash}"));
        }
        *self.rounds.entry(decision.round).or_default() += 1;
        for found in evidence {
            self.evidence += 1;
            if !found.verify(genesis_hash, set) {
                return Err(format!("evidence that proves nothing: {found:?}"));
            }
            if honest.contains(&found.first.voter) {
                return Err(format!("evidence against an honest node: {found:?}"));
            }
        }
        Ok(())
    }

    /// The highest height that anybody committed.
    pub(crate) fn highest(&self) -> u64 {
        self.decided.keys().next_back().copied().unwrap_or_default()
    }

    pub(crate) fn evidence(&self) -> usize {
        self.evidence
    }

    /// How often nodes committed in each round.
    pub(crate) fn rounds(&self) -> &BTreeMap<u32, u64> {
        &self.rounds
    }
}
