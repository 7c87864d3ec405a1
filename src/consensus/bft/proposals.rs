//! Proposals of the open height that wait for their body, and the gate that each passes before it can ask for a vote.
//!
//! The clock acts here and nowhere else: on a first proposal, in the round that it was made for.

use super::{evidence::Evidence, message::SignedVote};
use alloy_primitives::B256;
use lucid_types::VoteKind;
use std::collections::BTreeMap;

/// Most proposals kept of a round: one, and one that contradicts it.
const PROPOSALS_PER_ROUND: usize = 2;

/// Most rounds whose proposals are kept. Those of the lowest go first: a block decided there comes by sync.
const ROUNDS_KEPT: usize = 64;

/// What may be done with a proposal whose body was found valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// The engine may see it.
    Feed,
    /// Not now.
    Hold,
    /// Never.
    Drop,
}

/// Where this node stands when a proposal is to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The slot that its clock shows.
    pub(super) slot: u64,
    /// The round that it is in.
    pub(super) round: u32,
    /// Whether it has yet to prevote in that round.
    pub(super) may_prevote: bool,
}

/// Judges a proposal of `round` whose block was made in `block_round` and `block_slot`.
pub(super) fn gate(round: u32, pol_round: Option<u32>, block_round: u32, block_slot: u64, standing: Standing) -> Gate {
    if round > standing.round {
        return Gate::Hold;
    }
    if let Some(pol_round) = pol_round {
        // No round before the block's own can have seen votes for it.
        return if block_round <= pol_round { Gate::Feed } else { Gate::Drop };
    }
    let in_time = block_slot == standing.slot || block_slot.checked_add(1) == Some(standing.slot);
    let asks_for_a_vote = round == standing.round && standing.may_prevote;
    if !asks_for_a_vote || (block_round == round && in_time) { Gate::Feed } else { Gate::Hold }
}

#[derive(Debug, Clone, Copy)]
struct Held {
    vote: SignedVote,
    waits: bool,
}

/// The proposals of a height.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    rounds: BTreeMap<u32, Vec<Held>>,
    evidence: Vec<Evidence>,
}

impl Proposals {
    /// Keeps a proposal that its leader signed; `false` if it is known or there is no room.
    pub(super) fn add(&mut self, vote: SignedVote) -> bool {
        let of_round = self.rounds.entry(vote.round).or_default();
        if of_round.iter().any(|held| said(&held.vote) == said(&vote)) {
            return false;
        }
        if let Some(first) = of_round.first() {
            let known = self.evidence.iter().any(|known| known.first.round == vote.round);
            if !known {
                self.evidence.push(Evidence { first: first.vote, second: vote });
            }
        }
        if of_round.len() >= PROPOSALS_PER_ROUND {
            return false;
        }
        of_round.push(Held { vote, waits: true });
        if self.rounds.len() > ROUNDS_KEPT {
            self.rounds.pop_first();
        }
        true
    }

    /// Whether a proposal names this block.
    pub(super) fn names(&self, block_hash: B256) -> bool {
        self.rounds.values().flatten().any(|held| held.vote.block_hash == Some(block_hash))
    }

    /// The proposals that the engine has not seen, by round.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &SignedVote> {
        self.rounds.values().flatten().filter(|held| held.waits).map(|held| &held.vote)
    }

    /// The engine has seen it, or never will.
    pub(super) fn settle(&mut self, vote: &SignedVote) {
        let of_round = self.rounds.get_mut(&vote.round);
        for held in of_round.into_iter().flatten().filter(|held| held.vote == *vote) {
            held.waits = false;
        }
    }

    /// Leaders that proposed twice.
    pub(super) fn take_evidence(&mut self) -> Vec<Evidence> {
        std::mem::take(&mut self.evidence)
    }
}

fn said(vote: &SignedVote) -> (VoteKind, Option<B256>) {
    (vote.kind, vote.block_hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, B512};

    const IN_TIME: Standing = Standing { slot: 100, round: 3, may_prevote: true };
    const PREVOTED: Standing = Standing { may_prevote: false, ..IN_TIME };

    #[test]
    fn a_first_proposal_is_voted_for_in_its_own_round_and_slot_or_the_next() {
        for slot in [99, 100] {
            assert_eq!(gate(3, None, 3, slot, IN_TIME), Gate::Feed);
        }
        for slot in [0, 98, 101, u64::MAX] {
            assert_eq!(gate(3, None, 3, slot, IN_TIME), Gate::Hold, "slot {slot}");
        }
        assert_eq!(gate(3, None, 2, 100, IN_TIME), Gate::Hold, "a block of another round");
    }

    #[test]
    fn a_late_proposal_is_fed_once_it_cannot_ask_for_a_vote() {
        assert_eq!(gate(3, None, 3, 7, PREVOTED), Gate::Feed);
        assert_eq!(gate(3, None, 2, 100, PREVOTED), Gate::Feed);
        assert_eq!(gate(2, None, 2, 7, IN_TIME), Gate::Feed, "of a round that is over");
        assert_eq!(gate(4, None, 4, 100, PREVOTED), Gate::Hold, "of a round to come");
    }

    #[test]
    fn the_clock_does_not_act_on_a_re_proposal_and_its_block_is_no_younger_than_its_votes() {
        for slot in [0, 7, 100, 500] {
            assert_eq!(gate(3, Some(1), 1, slot, IN_TIME), Gate::Feed);
            assert_eq!(gate(3, Some(1), 0, slot, IN_TIME), Gate::Feed);
            assert_eq!(gate(3, Some(1), 2, slot, IN_TIME), Gate::Drop);
            assert_eq!(gate(3, Some(1), 2, slot, PREVOTED), Gate::Drop);
        }
    }

    fn proposal(round: u32, block: u8, pol_round: Option<u32>) -> SignedVote {
        let (voter, signature) = (Address::repeat_byte(1), B512::ZERO);
        let block_hash = Some(B256::repeat_byte(block));
        SignedVote { voter, height: 1, round, kind: VoteKind::Proposal { pol_round }, block_hash, signature }
    }

    #[test]
    fn a_leader_that_proposes_twice_leaves_one_proof_and_costs_bounded_memory() {
        let mut proposals = Proposals::default();
        assert!(proposals.add(proposal(0, 1, None)));
        assert!(!proposals.add(proposal(0, 1, None)), "the same again is no fault");
        assert!(proposals.add(proposal(0, 2, None)));
        for block in 3..50 {
            assert!(!proposals.add(proposal(0, block, None)));
        }
        let evidence = Evidence { first: proposal(0, 1, None), second: proposal(0, 2, None) };
        assert_eq!(proposals.take_evidence(), [evidence]);
        for round in 1..500 {
            assert!(proposals.add(proposal(round, 1, Some(0))));
        }
        assert_eq!(proposals.rounds.len(), ROUNDS_KEPT);
    }

    #[test]
    fn what_was_fed_waits_no_longer() {
        let mut proposals = Proposals::default();
        proposals.add(proposal(0, 1, None));
        proposals.add(proposal(1, 1, Some(0)));
        proposals.settle(&proposal(0, 1, None));
        let waiting: Vec<_> = proposals.waiting().collect();
        assert_eq!(waiting, [&proposal(1, 1, Some(0))]);
        assert!(proposals.names(B256::repeat_byte(1)) && !proposals.names(B256::repeat_byte(2)));
    }
}
