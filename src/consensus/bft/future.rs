//! Votes of heights that this node has not reached: kept for a while, in bounded memory, whoever sends them.

use super::{input::Peer, message::SignedVote};

/// How many heights above the next one are worth keeping votes of. A node that is further behind gets blocks by sync.
pub const HEIGHTS_AHEAD: u64 = 2;

/// Most votes kept from one peer: two votes in two rounds of a hundred validators, as its neighbours hand them on.
const VOTES_PER_PEER: usize = 400;

/// Most votes kept in all. About 400 KiB.
const VOTES_IN_ALL: usize = 2_400;

/// What is kept. Nothing here was checked: who votes at those heights is not known yet.
#[derive(Debug, Default)]
pub(super) struct Future {
    votes: Vec<(Peer, SignedVote)>,
}

impl Future {
    /// Keeps a vote of a height above `next`, where there is room for it.
    pub(super) fn keep(&mut self, from: Peer, vote: SignedVote, next: u64) {
        let near = vote.height > next && vote.height - next <= HEIGHTS_AHEAD;
        let known = self.votes.iter().any(|(_, kept)| *kept == vote);
        let of_peer = self.votes.iter().filter(|(peer, _)| *peer == from).count();
        if near && !known && of_peer < VOTES_PER_PEER && self.votes.len() < VOTES_IN_ALL {
            self.votes.push((from, vote));
        }
    }

    /// Hands out the votes of a height that is reached, and forgets those of lower ones.
    pub(super) fn take(&mut self, height: u64) -> Vec<(Peer, SignedVote)> {
        self.votes.retain(|(_, vote)| vote.height >= height);
        let (reached, ahead) = std::mem::take(&mut self.votes).into_iter().partition(|(_, vote)| vote.height == height);
        self.votes = ahead;
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, B512};
    use lucid_types::VoteKind;

    fn vote(height: u64, round: u32) -> SignedVote {
        let (voter, signature) = (Address::ZERO, B512::ZERO);
        SignedVote { voter, height, round, kind: VoteKind::Prevote, block_hash: None, signature }
    }

    #[test]
    fn a_flood_of_future_heights_costs_bounded_memory_and_leaves_room_for_others() {
        let mut future = Future::default();
        for i in 0..10_000 {
            future.keep(Peer(1), vote(6 + u64::from(i % 50), i), 5);
        }
        assert_eq!(future.votes.len(), VOTES_PER_PEER);
        future.keep(Peer(2), vote(6, 1_000_000), 5);
        assert_eq!(future.votes.len(), VOTES_PER_PEER + 1);
        for peer in 3..100 {
            for i in 0..1_000 {
                future.keep(Peer(peer), vote(6, i + 2_000 * u32::try_from(peer).unwrap()), 5);
            }
        }
        assert_eq!(future.votes.len(), VOTES_IN_ALL);
        assert!(future.votes.iter().all(|(_, vote)| vote.height <= 5 + HEIGHTS_AHEAD));
    }

    #[test]
    fn votes_of_a_height_come_out_when_it_is_reached_and_lower_ones_are_forgotten() {
        let mut future = Future::default();
        for height in [6, 7, 7, 6] {
            future.keep(Peer(1), vote(height, 0), 5);
        }
        assert_eq!(future.take(6), [(Peer(1), vote(6, 0))]);
        assert_eq!(future.take(8), []);
        assert_eq!(future.votes, []);
        future.keep(Peer(1), vote(5, 0), 5);
        assert_eq!(future.votes, [], "the next height is not the future");
    }
}
