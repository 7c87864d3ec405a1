//! Who is heard of while a height is open: whether enough validators are there for it to be decided.

use crate::consensus::bft::Timeouts;
use alloy_primitives::Address;
use lucid_types::ValidatorSet;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Validators whose votes on one height have come, each with when the last one did. Of members only, so that there are no
/// more entries than validators.
#[derive(Debug)]
pub(super) struct Heard {
    height: u64,
    /// The slot in which this node saw the height open, and when that was.
    opened: Option<(u64, Instant)>,
    voters: BTreeMap<Address, Instant>,
    /// How long nobody is missed who says nothing.
    patience: Duration,
}

impl Heard {
    /// Nobody, on a chain with these timeouts. A validator votes in each step of a round, and says again what it said as
    /// often as a leader may be silent: what is missed in all of that was not said.
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let Timeouts { propose_ms, prevote_ms, precommit_ms } = timeouts;
        let all_ms = [propose_ms, propose_ms, prevote_ms, precommit_ms].into_iter().fold(0, u64::saturating_add);
        Self { height: 0, opened: None, voters: BTreeMap::new(), patience: Duration::from_millis(all_ms) }
    }

    /// Forgets what was of another height than this one.
    pub(super) fn turn_to(&mut self, height: u64) {
        if self.height != height {
            (self.height, self.opened) = (height, None);
            self.voters.clear();
        }
    }

    /// A vote on a height came, whose signature holds.
    pub(super) fn voted(&mut self, height: u64, voter: Address, set: &ValidatorSet, now: Instant) {
        if self.height == height && set.get(&voter).is_some() {
            self.voters.insert(voter, now);
        }
    }

    /// The height is open in this slot; says in which it was seen to be first.
    pub(super) fn is_open_in(&mut self, slot: u64, now: Instant) -> u64 {
        self.opened.get_or_insert((slot, now)).0
    }

    /// Whether so few validators are heard of that they decide nothing. `own` is this node where it votes.
    pub(super) fn lacks_voters(&self, set: &ValidatorSet, own: Option<Address>, now: Instant) -> bool {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) <= self.patience;
        // It may only just have begun.
        if self.opened.is_none_or(|(_, at)| is_recent(&at)) {
            return false;
        }
        let is_there = |voter: &Address| own == Some(*voter) || self.voters.get(voter).is_some_and(is_recent);
        !set.is_quorum(set.members().iter().filter(|member| is_there(&member.address)).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{account, key};
    use lucid_types::{ConsensusKey, Validator};

    fn set() -> ValidatorSet {
        let member = |n: u8| Validator {
            address: account(n),
            consensus_key: ConsensusKey::from_bytes(key(n + 100).public_key_compressed()).unwrap(),
        };
        ValidatorSet::new((1..=4).map(member).collect()).unwrap()
    }

    fn heard() -> Heard {
        let mut heard = Heard::new(Timeouts { propose_ms: 1_000, prevote_ms: 500, precommit_ms: 500 });
        heard.turn_to(7);
        heard
    }

    #[test]
    fn two_of_four_are_too_few_once_the_others_had_time_to_speak() {
        let (mut heard, began) = (heard(), Instant::now());
        let after = |ms| began + Duration::from_millis(ms);
        assert!(!heard.lacks_voters(&set(), Some(account(1)), after(60_000)), "nothing is open");
        assert_eq!(heard.is_open_in(40, began), 40);
        assert_eq!(heard.is_open_in(41, after(2_000)), 40);
        heard.voted(7, account(2), &set(), after(2_900));
        assert!(!heard.lacks_voters(&set(), Some(account(1)), after(3_000)));
        assert!(heard.lacks_voters(&set(), Some(account(1)), after(3_001)));
        heard.voted(7, account(3), &set(), after(3_100));
        assert!(!heard.lacks_voters(&set(), Some(account(1)), after(3_200)));
        assert!(heard.lacks_voters(&set(), None, after(3_200)), "this node does not vote");
        assert!(heard.lacks_voters(&set(), Some(account(1)), after(6_000)), "the second fell silent");
    }

    #[test]
    fn votes_of_strangers_and_of_other_heights_count_for_nobody() {
        let (mut heard, began) = (heard(), Instant::now());
        let later = began + Duration::from_secs(9);
        heard.is_open_in(40, began);
        [5, 6, 7].iter().for_each(|stranger| heard.voted(7, account(*stranger), &set(), later));
        [1, 2, 3].iter().for_each(|member| heard.voted(8, account(*member), &set(), later));
        assert!(heard.lacks_voters(&set(), None, later) && heard.voters.is_empty());
        [1, 2, 3].iter().for_each(|member| heard.voted(7, account(*member), &set(), later));
        assert!(!heard.lacks_voters(&set(), None, later));
        heard.turn_to(8);
        assert_eq!(heard.is_open_in(44, later), 44);
        assert!(heard.voters.is_empty());
    }
}
