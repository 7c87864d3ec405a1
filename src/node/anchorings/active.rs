use alloy_primitives::Address;
use lucid_storage::{
    AnchoringStatus, Direction, Reader, SessionAnchoringRecord, SessionAnchoringsByStatus, Snapshot, StoreError,
};
use lucid_types::AnchoringId;
use std::collections::BTreeMap;

/// The anchorings that are neither confirmed nor given up.
#[derive(Debug)]
pub(in crate::node) struct Anchorings {
    /// The node's account.
    own: Address,
    /// Each with the last nonce that it has taken of the node's account.
    active: BTreeMap<AnchoringId, Option<u64>>,
}

impl Anchorings {
    /// Those that a store says are under way, on the node with the account `own`.
    pub(in crate::node) fn load(snapshot: &Snapshot, own: Address) -> Result<Self, StoreError> {
        let mut active = Self { own, active: BTreeMap::new() };
        for status in [AnchoringStatus::Pending, AnchoringStatus::Processing] {
            for row in snapshot.by_index::<SessionAnchoringsByStatus>(&status, Direction::Forward)? {
                let (id, job) = row?;
                active.insert(id, &job);
            }
        }
        Ok(active)
    }

    /// Those under way.
    pub(super) fn ids(&self) -> Vec<AnchoringId> {
        self.active.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.active.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Takes a job in, or its new nonces.
    pub(super) fn insert(&mut self, id: AnchoringId, job: &SessionAnchoringRecord) {
        let last = job.transactions.iter().map(|transaction| transaction.nonce).max();
        self.active.insert(id, last.filter(|_| job.account == self.own));
    }

    pub(super) fn remove(&mut self, id: &AnchoringId) {
        self.active.remove(id);
    }

    /// The first nonce of the node's account, from `at_least` on, that no job under way has taken.
    pub(super) fn next_nonce(&self, at_least: u64) -> u64 {
        self.active.values().flatten().map(|nonce| nonce + 1).fold(at_least, u64::max)
    }
}
