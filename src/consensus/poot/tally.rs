//! The tally of an epoch: what the work of the window before it earned each entity, and how the entities rank.
//!
//! An entity is a pool, or a node that is in none. A pool has the credits of its nodes together, and the uptime of the one
//! with the most credits of its own, which also serves it.

use super::credits::{live_score, session_work, signature_credits, storage_credits, uptime_ppm};
use alloy_primitives::{Address, B256};
use lucid_storage::{BlockWorkRecord, ProvenWork, RankedEntity, StorageClaim};
use lucid_types::{Params, blake3};
use std::{cmp::Reverse, collections::BTreeMap};

/// What decides between entities that rank alike: BLAKE3 of the mixHash of the last block before the epoch, the epoch (8
/// bytes, big-endian) and the entity; the lowest comes first.
pub fn tie_hash(seed: B256, epoch: u64, entity: Address) -> B256 {
    blake3([seed.as_slice(), &epoch.to_be_bytes(), entity.as_slice()])
}

/// Sums of a node's work over the blocks of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct NodeWork {
    sessions: u64,
    bytes: u64,
    storage: Option<StorageClaim>,
    signatures: u64,
    uptime_secs: u64,
}

impl NodeWork {
    fn add(&mut self, work: &ProvenWork) {
        self.sessions = self.sessions.saturating_add(work.sessions_relayed);
        self.bytes = self.bytes.saturating_add(work.bytes_transferred);
        self.uptime_secs = self.uptime_secs.saturating_add(work.uptime_seconds);
        // A node has one such proof for a slot, so the latest is the one of the highest slot.
        self.storage = self.storage.into_iter().chain(work.storage).max_by_key(|claim| claim.slot);
    }

    fn credits(&self, base_mib: u64) -> u64 {
        let storage = self.storage.as_ref().map_or(0, storage_credits);
        let relay = session_work(self.sessions, self.bytes, base_mib);
        relay.saturating_add(storage).saturating_add(signature_credits(self.signatures))
    }
}

/// The work of all nodes in a window, block by block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowSums(BTreeMap<Address, NodeWork>);

impl WindowSums {
    /// Adds what a block of the window brought.
    pub fn add(&mut self, block: &BlockWorkRecord) {
        for signer in &block.signers {
            self.0.entry(*signer).or_default().signatures += 1;
        }
        for work in &block.work {
            self.0.entry(work.node).or_default().add(work);
        }
    }
}

/// What a tally needs to know beside the work.
#[derive(Debug, Clone, Copy)]
pub struct TallyTerms<'a> {
    /// Parameters of the chain.
    pub params: &'a Params,
    /// The epoch that the tally is of.
    pub epoch: u64,
    /// mixHash of the last block before it.
    pub seed: B256,
    /// Length of the window, in seconds.
    pub window_secs: u64,
    /// The pool of each node that is in one, after the last block before the epoch.
    pub pools: &'a BTreeMap<Address, Address>,
}

/// An entity while its nodes are summed.
struct Sum {
    credits: u64,
    /// Credits of the node that serves it.
    best: u64,
    served_by: Address,
    uptime: u32,
}

/// The entities that may lead in an epoch, best first: by live score, then credits, then the lowest [`tie_hash`]. Whose
/// uptime is below `D_MIN` is not among them.
pub fn tally(sums: &WindowSums, terms: &TallyTerms<'_>) -> Vec<RankedEntity> {
    let mut entities: BTreeMap<Address, Sum> = BTreeMap::new();
    // In the order of addresses: of nodes with the same credits the first serves.
    for (node, work) in &sums.0 {
        let credits = work.credits(terms.params.base_mb_per_session);
        let uptime = uptime_ppm(work.uptime_secs, terms.window_secs);
        let entity = terms.pools.get(node).copied().unwrap_or(*node);
        let sum = entities.entry(entity).or_insert(Sum { credits: 0, best: credits, served_by: *node, uptime });
        sum.credits = sum.credits.saturating_add(credits);
        if credits > sum.best {
            (sum.best, sum.served_by, sum.uptime) = (credits, *node, uptime);
        }
    }
    let mut ranked: Vec<_> = entities
        .into_iter()
        .filter(|(_, sum)| u64::from(sum.uptime) >= terms.params.d_min_ppm)
        .map(|(entity, Sum { credits, served_by, uptime, .. })| RankedEntity { entity, served_by, credits, uptime })
        .collect();
    ranked.sort_by_cached_key(|ranked| {
        let score = live_score(ranked.credits, ranked.uptime);
        (Reverse(score), Reverse(ranked.credits), tie_hash(terms.seed, terms.epoch, ranked.entity))
    });
    ranked
}

#[cfg(test)]
mod tests;
