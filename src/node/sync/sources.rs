//! Whom to ask: peers that say that they have what is missing, the least busy first, and those that failed last.

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
}

/// All peers that may be asked.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<PeerId, Source>);

impl Sources {
    /// A peer says where its chain ends.
    pub(super) fn told(&mut self, peer: PeerId, head: u64) {
        self.0.entry(peer).or_default().head = head;
    }

    /// A peer is not asked again.
    pub(super) fn drop(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    /// Takes a peer that has a height; it is asked one more question from now on.
    pub(super) fn take(&mut self, height: u64) -> Option<PeerId> {
        let able =
            |source: &Source| source.head >= height && source.open < OPEN_PER_PEER && source.failures < MAX_FAILURES;
        let able = self.0.iter_mut().filter(|(_, source)| able(source));
        let (peer, source) = able.min_by_key(|(_, source)| (source.open, source.failures))?;
        source.open += 1;
        Some(*peer)
    }

    /// A question was answered, or not.
    pub(super) fn done(&mut self, peer: &PeerId, well: bool) {
        let Some(source) = self.0.get_mut(peer) else { return };
        source.open = source.open.saturating_sub(1);
        source.failures = if well { 0 } else { source.failures + 1 };
    }

    /// The highest head that somebody tells of who still answers.
    pub(super) fn highest(&self) -> u64 {
        let answering = self.0.values().filter(|source| source.failures < MAX_FAILURES);
        answering.map(|source| source.head).max().unwrap_or_default()
    }

    /// What a peer told of its head.
    pub(super) fn head_of(&self, peer: &PeerId) -> u64 {
        self.0.get(peer).map_or(0, |source| source.head)
    }
}
