//! What this node has passed on lately. Gossip knows a message by its bytes, and behind each are four that anybody may
//! choose: the same vote with others is another message to it. Were each passed on, whoever repeats a vote would have its
//! neighbours flood theirs.

use crate::consensus::bft::Message;
use alloy_primitives::B256;
use lucid_types::blake3;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long a message is not passed on again. Who said it says it again after a second or five, while nothing moves.
const VOTES_FOR: Duration = Duration::from_millis(900);

/// As [`VOTES_FOR`], of a body, which whoever has missed it asks for.
const BODIES_FOR: Duration = Duration::from_secs(30);

/// Messages that are remembered at most. Beyond, none is passed on until some are forgotten.
const MAX_REMEMBERED: usize = 4_096;

/// Until when each is not passed on.
#[derive(Debug, Default)]
pub(super) struct PassedOn(BTreeMap<B256, Instant>);

impl PassedOn {
    /// Whether to pass a message on now; if so, that is remembered.
    pub(super) fn pass(&mut self, message: &Message, now: Instant) -> bool {
        if self.0.len() >= MAX_REMEMBERED {
            self.0.retain(|_, until| *until > now);
        }
        let id = blake3([&message.encode()]);
        if self.0.get(&id).is_some_and(|until| *until > now) || self.0.len() >= MAX_REMEMBERED {
            return false;
        }
        let time = if matches!(message, Message::Body(_)) { BODIES_FOR } else { VOTES_FOR };
        self.0.insert(id, now + time);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(height: u64) -> Message {
        Message::BlockRequest { height }
    }

    #[test]
    fn the_same_is_passed_on_once_in_a_while_and_a_flood_costs_bounded_memory() {
        let (mut passed_on, now) = (PassedOn::default(), Instant::now());
        assert!(passed_on.pass(&message(1), now));
        assert!(!passed_on.pass(&message(1), now + VOTES_FOR / 2));
        assert!(passed_on.pass(&message(1), now + VOTES_FOR));
        let passed = (0..100_000).filter(|height| passed_on.pass(&message(*height), now + VOTES_FOR)).count();
        assert_eq!(passed_on.0.len(), MAX_REMEMBERED);
        assert!(passed < MAX_REMEMBERED);
        assert!(passed_on.pass(&message(200_000), now + 2 * VOTES_FOR));
    }
}
