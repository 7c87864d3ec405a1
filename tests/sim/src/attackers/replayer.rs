//! Keeps what it hears and says it again, long after.

use super::attack::{Attack, Attacker, Outgoing};
use lucid_node::consensus::bft::Message;

/// Messages kept.
const KEPT: usize = 400;

/// Messages repeated in one go.
const REPEATED: usize = 5;

#[derive(Default)]
pub(super) struct Replayer {
    heard: Vec<Message>,
    next: usize,
}

impl Attacker for Replayer {
    fn hears(&mut self, message: &Message) {
        if self.heard.len() < KEPT {
            self.heard.push(message.clone());
        } else {
            self.heard[self.next] = message.clone();
        }
        self.next = (self.next + 1) % KEPT;
    }

    fn acts(&mut self, attack: &mut Attack<'_>) -> Outgoing {
        if self.heard.is_empty() {
            return Vec::new();
        }
        (0..REPEATED).map(|_| (attack.somebody(), self.heard[attack.rng.place(self.heard.len())].clone())).collect()
    }
}
