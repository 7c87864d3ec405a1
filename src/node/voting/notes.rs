//! What this node saw of each height, as rows of its own: one for each round, with who voted and how it ended.

use super::super::error::NodeError;
use crate::consensus::bft::Decision;
use alloy_primitives::Address;
use lucid_storage::{Batch, ConsensusEventRecord, ConsensusEvents, Direction, EventVote, Reader};
use lucid_types::ValidatorSet;
use std::ops::Bound;

/// Rounds of one height that are told of at most: the first ones, and the last.
const MAX_ROUNDS: usize = 16;

/// Share of the votes that decides: more than two thirds, in parts per million.
const THRESHOLD_PPM: u32 = 666_667;

const PPM: u64 = 1_000_000;

/// A round that began.
#[derive(Debug, Clone, Copy)]
struct Round {
    number: u32,
    leader: Address,
    began: u64,
}

/// The rounds of the height that is open.
#[derive(Debug, Default)]
pub(super) struct RoundNotes(Vec<Round>);

impl RoundNotes {
    /// A round began, at a time in Unix seconds.
    pub(super) fn began(&mut self, number: u32, leader: Address, now: u64) {
        if self.0.last().is_some_and(|last| last.number >= number) {
            return;
        }
        if self.0.len() == MAX_ROUNDS {
            self.0.pop();
        }
        self.0.push(Round { number, leader, began: now });
    }

    /// The height is decided: writes its rounds, and forgets them.
    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Writes a row for each round of a height that was decided `now`.
    pub(super) fn write(
        &self,
        batch: &mut Batch,
        set: &ValidatorSet,
        decision: &Decision,
        now: u64,
    ) -> Result<(), NodeError> {
        let last = batch
            .range::<ConsensusEvents>(Bound::Unbounded, Bound::Unbounded, Direction::Reverse)?
            .next()
            .transpose()?
            .map_or(0, |(id, _)| id);
        let mut id = last;
        let ends = self.0.iter().skip(1).map(|next| next.began).chain([now]);
        for (round, ended) in self.0.iter().zip(ends) {
            id += 1;
            let row = row(round, ended, set, decision);
            batch.put::<ConsensusEvents>(&id, &row)?;
        }
        Ok(())
    }
}

fn row(round: &Round, ended: u64, set: &ValidatorSet, decision: &Decision) -> ConsensusEventRecord {
    let is_decided = round.number == decision.round;
    let participants: Vec<_> = set.members().iter().map(|member| member.address).collect();
    let signed = |voter: &Address| decision.certificate.signatures.iter().any(|vote| vote.address == *voter);
    let vote = |voter: &Address| EventVote { voter: *voter, approve: true, reason: None };
    let votes: Vec<_> = participants.iter().filter(|voter| is_decided && signed(voter)).map(vote).collect();
    let approval = (votes.len() as u64 * PPM).checked_div(participants.len() as u64).unwrap_or_default();
    let (result, reasons) = match is_decided {
        true => ("approved", Vec::new()),
        false => ("timeout", vec![format!("round {} of leader {} decided nothing", round.number, round.leader)]),
    };
    ConsensusEventRecord {
        event_type: "block".to_owned(),
        target_id: if is_decided { decision.block_hash.to_string() } else { format!("height {}", decision.height) },
        round_number: round.number,
        participants,
        votes,
        threshold: THRESHOLD_PPM,
        // At most a whole.
        approval: approval as u32,
        result: Some(result.to_owned()),
        reasons,
        started_at: round.began,
        ended_at: Some(ended),
    }
}
