//! The bodies of the blocks that the open height votes on: asked for, judged once, remembered by hash.

use super::{input::Peer, message::Body};
use alloy_primitives::B256;
use std::collections::BTreeMap;

/// Most peers remembered that should have a body: who named it votes for what he has.
const SOURCES_PER_BODY: usize = 8;

/// How often a body is asked for before a height stops asking, until somebody names it again.
const ASKS_PER_BODY: usize = 40;

/// Most bodies of a height that are known in some way: two for each round whose proposals are kept.
const BODIES_KEPT: usize = 128;

/// What is known of a body.
#[derive(Debug)]
pub(super) enum BodyState {
    /// It is not here.
    Wanted {
        /// Who should have it.
        sources: Vec<Peer>,
        /// How often it was asked for.
        asks: usize,
    },
    /// It is here and being judged.
    Judging {
        /// The body.
        body: Box<Body>,
        /// Who sent it.
        from: Peer,
        /// Who else should have it.
        sources: Vec<Peer>,
    },
    /// It was judged.
    Judged {
        /// The round that its block was made in.
        round: u32,
        /// Its slot; 0 where it is invalid.
        slot: u64,
        /// The verdict.
        valid: bool,
    },
}

/// The bodies of a height.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    states: BTreeMap<B256, BodyState>,
}

impl Bodies {
    /// `from` names the block, so should have it. Whether the body is one that is now wanted and was not before.
    pub(super) fn want(&mut self, block_hash: B256, from: Peer) -> bool {
        let room = self.states.len() < BODIES_KEPT;
        match self.states.get_mut(&block_hash) {
            Some(BodyState::Wanted { sources, .. }) => {
                if !sources.contains(&from) && sources.len() < SOURCES_PER_BODY {
                    sources.push(from);
                }
                false
            }
            Some(_) => false,
            None if room => {
                self.states.insert(block_hash, BodyState::Wanted { sources: vec![from], asks: 0 });
                true
            }
            None => false,
        }
    }

    /// Remembers another source of a body that is wanted already.
    pub(super) fn another_source(&mut self, block_hash: B256, from: Peer) {
        if matches!(self.states.get(&block_hash), Some(BodyState::Wanted { .. })) {
            self.want(block_hash, from);
        }
    }

    /// A body came. It is to be judged if this is so; if not, there is no need for it.
    pub(super) fn came(&mut self, body: Box<Body>, from: Peer) -> bool {
        let room = self.states.len() < BODIES_KEPT;
        let sources = match self.states.get_mut(&body.block_hash) {
            Some(BodyState::Wanted { sources, .. }) => std::mem::take(sources),
            Some(_) => return false,
            None if room => Vec::new(),
            None => return false,
        };
        self.states.insert(body.block_hash, BodyState::Judging { body, from, sources });
        true
    }

    /// The body that was being judged, if one was, and who sent it.
    pub(super) fn being_judged(&self, block_hash: B256) -> Option<(&Body, Peer)> {
        match self.states.get(&block_hash) {
            Some(BodyState::Judging { body, from, .. }) => Some((body, *from)),
            _ => None,
        }
    }

    /// The body that `bad` sent is of no use: it is wanted again, from the others.
    pub(super) fn failed(&mut self, block_hash: B256, bad: Peer) {
        if let Some(state) = self.states.get_mut(&block_hash)
            && let BodyState::Judging { sources, .. } = state
        {
            sources.retain(|source| *source != bad);
            *state = BodyState::Wanted { sources: std::mem::take(sources), asks: 0 };
        }
    }

    /// Remembers a verdict.
    pub(super) fn set_judged(&mut self, block_hash: B256, round: u32, slot: u64, valid: bool) {
        self.states.insert(block_hash, BodyState::Judged { round, slot, valid });
    }

    /// The verdict on a block: its own round, slot, and whether it is valid.
    pub(super) fn verdict(&self, block_hash: B256) -> Option<(u32, u64, bool)> {
        match self.states.get(&block_hash) {
            Some(BodyState::Judged { round, slot, valid }) => Some((*round, *slot, *valid)),
            _ => None,
        }
    }

    /// All verdicts, by hash.
    pub(super) fn verdicts(&self) -> Vec<(B256, u32, bool)> {
        let judged = |(hash, state): (&B256, &BodyState)| match state {
            BodyState::Judged { round, valid, .. } => Some((*hash, *round, *valid)),
            _ => None,
        };
        self.states.iter().filter_map(judged).collect()
    }

    /// Whom to ask for what now. One that was asked for often enough is forgotten.
    pub(super) fn asks(&mut self) -> Vec<(Peer, B256)> {
        let mut out = Vec::new();
        self.states.retain(|hash, state| {
            let BodyState::Wanted { sources, asks } = state else { return true };
            // Each source in turn: one that has nothing costs one wait.
            if let Some(source) = sources.get(*asks % sources.len().max(1)) {
                out.push((*source, *hash));
            }
            *asks += 1;
            *asks <= ASKS_PER_BODY
        });
        out
    }

    /// Whether any body is wanted.
    pub(super) fn any_wanted(&self) -> bool {
        self.states.values().any(|state| matches!(state, BodyState::Wanted { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: B256 = B256::repeat_byte(1);

    #[test]
    fn a_body_is_asked_for_at_each_who_named_it_and_not_for_ever() {
        let mut bodies = Bodies::default();
        assert!(bodies.want(HASH, Peer(1)));
        assert!(!bodies.want(HASH, Peer(2)));
        for peer in 0..100 {
            bodies.another_source(HASH, Peer(peer));
        }
        let asked: Vec<Peer> = (0..SOURCES_PER_BODY).flat_map(|_| bodies.asks()).map(|(peer, _)| peer).collect();
        assert_eq!(asked[..3], [Peer(1), Peer(2), Peer(0)]);
        let more = (0..1_000).flat_map(|_| bodies.asks()).count();
        assert_eq!(asked.len() + more, ASKS_PER_BODY + 1);
        assert!(bodies.states.is_empty() && !bodies.any_wanted());
    }

    #[test]
    fn a_flood_of_names_costs_bounded_memory() {
        let mut bodies = Bodies::default();
        for i in 0..1_000_u64 {
            bodies.want(B256::left_padding_from(&i.to_be_bytes()), Peer(1));
        }
        assert_eq!(bodies.states.len(), BODIES_KEPT);
    }
}
