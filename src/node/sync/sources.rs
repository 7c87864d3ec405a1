//! Whom to ask: peers that say that they have what is missing, the least busy first, then those that were asked least, and
//! those that failed last.

use crate::network::PeerId;
use std::collections::BTreeMap;

/// Questions that one peer is asked at once. The network allows a few more, which are for consensus.
const OPEN_PER_PEER: usize = 2;

/// Questions that a peer may leave unanswered before it is asked no more until the next time that this node is behind.
const MAX_FAILURES: u32 = 3;

/// What is known of a peer.
#[derive(Debug, Default)]
struct Source {
    head: u64,
    open: usize,
    failures: u32,
    asked: u64,
}

/// All peers that may be asked.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<PeerId, Source>);

impl Sources {
    /// A peer says where its chain ends.
    pub(super) fn told(&mut self, peer: PeerId, head: u64) {
        self.0.entry(peer).or_default().head = head;
    }

    /// A peer has not said where its chain ends, or is not to be asked.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    /// Takes a peer that has a height; it is asked one more question from now on.
    pub(super) fn take(&mut self, height: u64) -> Option<PeerId> {
        let able =
            |source: &Source| source.head >= height && source.open < OPEN_PER_PEER && source.failures < MAX_FAILURES;
        let able = self.0.iter_mut().filter(|(_, source)| able(source));
        // By what was asked before and not by name: a name is what a peer chooses.
        let (peer, source) = able.min_by_key(|(_, source)| (source.failures, source.open, source.asked))?;
        source.open += 1;
        source.asked += 1;
        Some(*peer)
    }

    /// A question was answered, or not.
    pub(super) fn done(&mut self, peer: &PeerId, well: bool) {
        let Some(source) = self.0.get_mut(peer) else { return };
        source.open = source.open.saturating_sub(1);
        source.failures = if well { 0 } else { source.failures + 1 };
    }

    /// Whether this peer was heard of.
    pub(super) fn knows(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// A head that half of those tell of who still answer, or a higher one: where few lie, no lie.
    pub(super) fn highest(&self) -> u64 {
        let answering = self.0.values().filter(|source| source.failures < MAX_FAILURES);
        let mut heads: Vec<_> = answering.map(|source| source.head).collect();
        heads.sort_unstable();
        heads.get(heads.len() / 2).copied().unwrap_or_default()
    }

    /// What a peer told of its head.
    pub(super) fn head_of(&self, peer: &PeerId) -> u64 {
        self.0.get(peer).map_or(0, |source| source.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    fn peer(n: u8) -> PeerId {
        Network::id_of(&[n; 32]).unwrap()
    }

    #[test]
    fn peers_are_asked_in_turn_and_who_gives_nothing_is_asked_no_more() {
        let mut sources = Sources::default();
        (1..=3).for_each(|n| sources.told(peer(n), 100));
        let mut asked = Vec::new();
        for _ in 0..6 {
            let one = sources.take(50).unwrap();
            sources.done(&one, one != peer(2));
            asked.push(one);
        }
        assert!([1, 3].iter().all(|n| asked.iter().filter(|one| **one == peer(*n)).count() >= 2), "{asked:?}");
        assert!(asked.iter().filter(|one| **one == peer(2)).count() <= 1, "one that fails comes last");
        assert_eq!(sources.take(101), None);
        [1, 3].iter().for_each(|n| sources.forget(&peer(*n)));
        for _ in 0..2 {
            assert_eq!(sources.take(50), Some(peer(2)));
            sources.done(&peer(2), false);
        }
        assert_eq!(sources.take(50), None);
    }

    #[test]
    fn one_who_lies_about_his_head_is_not_believed_among_others() {
        let mut sources = Sources::default();
        sources.told(peer(1), u64::MAX);
        assert_eq!(sources.highest(), u64::MAX);
        (2..=4).for_each(|n| sources.told(peer(n), 100));
        assert_eq!(sources.highest(), 100);
    }
}
