//! What must hold, looked at from outside: what honest nodes put on the wire and what they commit.

use crate::setting::Setting;
use alloy_primitives::{Address, B256};
use lucid_node::consensus::bft::{Decision, HeightFacts, Message, SignedVote};
use lucid_types::{ValidatorSet, VoteKind, blake3};
use std::collections::{BTreeMap, BTreeSet};

/// A rule was broken. The seed repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {} after {at_ms} ms: {what} (`sim {setting}` repeats it)", .setting.seed)]
pub struct Failure {
    /// The run.
    pub setting: Setting,
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
    /// Who votes on each height and who leads it, as a hash, and the sets that there were.
    scheduled: BTreeMap<u64, B256>,
    sets: BTreeSet<B256>,
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
        self.has(*height, *block_hash)?;
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

    /// An honest node has a block.
    pub(crate) fn has(&mut self, height: u64, block_hash: B256) -> Result<(), String> {
        let known = self.decided.entry(height).or_insert(block_hash);
        match *known == block_hash {
            true => Ok(()),
            false => Err(format!("two blocks were committed at height {height}: {known} and {block_hash}")),
        }
    }

    /// An honest node takes up a height.
    pub(crate) fn takes_up(&mut self, facts: &HeightFacts) -> Result<(), String> {
        let (set, height) = (facts.set.canonical_bytes(), facts.height);
        let order: Vec<u8> = facts.order.iter().flat_map(|leader| leader.0.0).collect();
        self.sets.insert(blake3([&set]));
        let scheduled = blake3([&set, &order]);
        match *self.scheduled.entry(height).or_insert(scheduled) == scheduled {
            true => Ok(()),
            false => Err(format!("two nodes have different voters or leaders at height {height}")),
        }
    }

    /// How many sets of voters there were.
    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
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
