//! Catching up: which peers say that they are ahead, and whom of them to ask for the next decided block.
//!
//! What a peer says of its head is believed only as far as asking it goes.

use super::input::Peer;
use std::collections::BTreeMap;

/// Most peers whose heads are remembered.
const PEERS_AHEAD: usize = 128;

/// How often one peer is told this node's head, in ms: whoever repeats old votes gets one answer a second.
const TELL_EVERY_MS: u64 = 1_000;

/// Most peers remembered as told.
const PEERS_TOLD: usize = 256;

/// Who is ahead.
#[derive(Debug, Default)]
pub(super) struct Sync {
    ahead: BTreeMap<Peer, u64>,
    /// How often each was asked in vain.
    failures: BTreeMap<Peer, u32>,
    asked: Option<Peer>,
    told: BTreeMap<Peer, u64>,
}

impl Sync {
    /// A peer's chain goes up to `head` at least.
    pub(super) fn heard(&mut self, peer: Peer, head: u64) {
        if self.ahead.len() < PEERS_AHEAD || self.ahead.contains_key(&peer) {
            let known = self.ahead.entry(peer).or_default();
            *known = head.max(*known);
        }
    }

    /// The highest head of those who are ahead; 0 where nobody is.
    pub(super) fn highest(&self) -> u64 {
        self.ahead.values().copied().max().unwrap_or_default()
    }

    pub(super) fn gone(&mut self, peer: Peer) {
        self.ahead.remove(&peer);
        self.failures.remove(&peer);
        self.told.remove(&peer);
        if self.asked == Some(peer) {
            self.asked = None;
        }
    }

    /// Whom to ask for the block at `next`; `None` while somebody is being asked, or if nobody has it.
    pub(super) fn ask(&mut self, next: u64) -> Option<Peer> {
        self.ahead.retain(|_, head| *head >= next);
        if self.asked.is_some() {
            return None;
        }
        // Who never answers and is always ahead comes last.
        let failures = |peer: &&Peer| self.failures.get(peer).copied().unwrap_or_default();
        self.asked = self.ahead.keys().min_by_key(failures).copied();
        self.asked
    }

    /// The one that was asked has not answered, or not well: it comes after the others from now on.
    pub(super) fn failed(&mut self) {
        let Some(peer) = self.asked.take() else { return };
        self.ahead.remove(&peer);
        if self.failures.len() >= PEERS_AHEAD {
            self.failures.clear();
        }
        let failures = self.failures.entry(peer).or_default();
        *failures = failures.saturating_add(1);
    }

    /// The block is here.
    pub(super) fn done(&mut self) {
        self.asked = None;
    }

    /// Whether to tell this peer the head now.
    pub(super) fn may_tell(&mut self, peer: Peer, now_ms: u64) -> bool {
        if self.told.get(&peer).is_some_and(|last| now_ms.saturating_sub(*last) < TELL_EVERY_MS) {
            return false;
        }
        if self.told.len() >= PEERS_TOLD {
            self.told.clear();
        }
        self.told.insert(peer, now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_asked_at_a_time_and_another_when_it_fails() {
        let mut sync = Sync::default();
        assert_eq!(sync.ask(5), None);
        sync.heard(Peer(1), 9);
        sync.heard(Peer(2), 7);
        sync.heard(Peer(3), 4);
        assert_eq!(sync.ask(5), Some(Peer(1)));
        assert_eq!(sync.ask(5), None, "while one is asked");
        sync.failed();
        assert_eq!(sync.ask(5), Some(Peer(2)));
        sync.done();
        assert_eq!(sync.ask(8), None, "nobody has it");
    }

    #[test]
    fn a_liar_about_his_head_is_asked_once_and_then_after_all_others() {
        let mut sync = Sync::default();
        sync.heard(Peer(1), u64::MAX);
        assert_eq!(sync.ask(5), Some(Peer(1)));
        sync.failed();
        assert_eq!(sync.ask(5), None);
        for height in 5..50 {
            sync.heard(Peer(1), u64::MAX);
            sync.heard(Peer(2), height);
            assert_eq!(sync.ask(height), Some(Peer(2)));
            sync.done();
        }
    }

    #[test]
    fn who_repeats_old_votes_is_answered_once_a_second() {
        let mut sync = Sync::default();
        let told = (0..3_000).filter(|ms| sync.may_tell(Peer(1), *ms)).count();
        assert_eq!(told, 3);
        for peer in 0..10_000 {
            assert!(sync.may_tell(Peer(peer + 10), 0));
        }
        assert!(sync.told.len() <= PEERS_TOLD && sync.ahead.is_empty());
    }
}
