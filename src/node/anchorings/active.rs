use alloy_primitives::{Address, B256};
use lucid_rpc::AnchorError;
use lucid_storage::{
    AnchoringStatus, Direction, Reader, SessionAnchoringRecord, SessionAnchoringsByStatus, SessionKey, Snapshot,
    StoreError,
};
use lucid_types::AnchoringId;
use std::collections::BTreeMap;

/// The anchorings that are neither confirmed nor given up, and those that are just being taken.
#[derive(Debug)]
pub(in crate::node) struct Anchorings {
    /// The node's account.
    own: Address,
    active: BTreeMap<AnchoringId, Active>,
}

/// What has to be known of an anchoring without reading it.
#[derive(Debug)]
struct Active {
    session: SessionKey,
    merkle_root: B256,
    /// Nonces of the node's account that are its own.
    nonces: Vec<u64>,
    /// Whether its job can be read; else its place is only kept until it is signed and written.
    on_disk: bool,
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
        self.active.iter().filter(|(_, active)| active.on_disk).map(|(id, _)| *id).collect()
    }

    pub(in crate::node) fn len(&self) -> usize {
        self.active.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Takes a job in that is on disk, or its new nonces.
    pub(super) fn insert(&mut self, id: AnchoringId, job: &SessionAnchoringRecord) {
        let own = job.transactions.iter().filter(|_| job.account == self.own);
        let nonces = own.map(|transaction| transaction.nonce).collect();
        let session = SessionKey { session_id: job.session_id, account: job.account };
        self.active.insert(id, Active { session, merkle_root: job.merkle_root, nonces, on_disk: true });
    }

    /// Keeps a place for an anchoring that is being signed and written; [`Self::insert`] follows, or [`Self::remove`].
    pub(super) fn reserve(&mut self, id: AnchoringId, session: SessionKey, merkle_root: B256) {
        self.active.insert(id, Active { session, merkle_root, nonces: Vec::new(), on_disk: false });
    }

    pub(super) fn remove(&mut self, id: &AnchoringId) {
        self.active.remove(id);
    }

    /// Gives an anchoring the next `count` nonces of the node's account, from `at_least` on; returns the first.
    pub(super) fn take_nonces(&mut self, id: &AnchoringId, at_least: u64, count: usize) -> u64 {
        let first = self.last_nonce().map_or(at_least, |last| at_least.max(last + 1));
        if let Some(active) = self.active.get_mut(id) {
            active.nonces.extend((first..).take(count));
        }
        first
    }

    /// The highest nonce of the node's account that an anchoring has.
    pub(super) fn last_nonce(&self) -> Option<u64> {
        self.active.values().flat_map(|active| &active.nonces).max().copied()
    }

    /// Whether this nonce of the node's account is an anchoring's.
    pub(super) fn has_nonce(&self, nonce: u64) -> bool {
        self.active.values().any(|active| active.nonces.contains(&nonce))
    }

    /// Refuses a session or a root that this account is anchoring at the moment.
    pub(super) fn refuse_duplicates(&self, session: SessionKey, merkle_root: B256) -> Result<(), AnchorError> {
        let SessionKey { session_id, account } = session;
        for other in self.active.values().filter(|other| other.session.account == account) {
            if other.session.session_id == session_id {
                return Err(AnchorError::AlreadyAnchored { session_id, account });
            }
            if other.merkle_root == merkle_root {
                let session_id = other.session.session_id;
                return Err(AnchorError::RootAlreadyAnchored { merkle_root, session_id, account });
            }
        }
        Ok(())
    }
}
