//! Beginning an anchoring again that failed or was given up.

use super::{
    super::{backend::node_fault, clock::unix_now, error::NodeError, state::Node},
    accept::fault,
    rows::{succeeded, write_progress},
    watch::{Place, call_at, lost_with_registration},
};
use alloy_primitives::Address;
use lucid_rpc::{self as rpc, AnchorAccepted, AnchorError, limits::MAX_NAMED_ACCOUNTS};
use lucid_storage::{AnchoringStatus, SessionAnchoringRecord, SessionKey, Snapshot, last_anchorings};
use lucid_types::{AnchoringId, SessionId};

impl Node {
    /// Begins the last anchoring of a session again, where it ended without an anchor and the node's account was to
    /// register it. What is in a block already stays as it is, and what was lost is signed anew.
    pub(in crate::node) fn retry_anchoring(
        &self,
        session_id: SessionId,
        account: Option<Address>,
    ) -> Result<AnchorAccepted, AnchorError> {
        let (id, mut job, places, nonce) = {
            let mut anchorings = self.anchorings();
            let snapshot = self.store.snapshot().map_err(rpc::NodeError::from)?;
            let (id, job) = last_job(&snapshot, session_id, account)?;
            self.refuse_retry(&job)?;
            let places = self.lost_places(&snapshot, &job)?;
            let calls: Vec<_> = places.iter().filter_map(|place| call_at(&job, *place)).collect();
            let session = SessionKey { session_id, account: job.account };
            let nonce = self.reserve(&mut anchorings, &snapshot, id, session, job.merkle_root, &calls)?;
            (id, job, places, nonce)
        };
        self.sign_places(&mut job, &places, nonce);
        let now = unix_now();
        let transaction_id = job.transactions.first().map(|transaction| transaction.hash);
        let record = SessionAnchoringRecord {
            status: AnchoringStatus::Pending,
            attempts: job.attempts + 1,
            // The time after which it is given up begins again too.
            created_at: now,
            updated_at: now,
            last_error: None,
            transaction_id,
            ..job
        };
        let written = self.write(|batch| write_progress(batch, &id, &record));
        self.begin(id, &record, written)
    }

    fn refuse_retry(&self, job: &SessionAnchoringRecord) -> Result<(), AnchorError> {
        let (session_id, account, status) = (job.session_id, job.account, job.status);
        if !matches!(status, AnchoringStatus::Failed | AnchoringStatus::Expired) {
            return Err(AnchorError::NotEnded { session_id, status });
        }
        if account != self.keys.account().address() {
            return Err(AnchorError::NotTheNodes { session_id, account });
        }
        Ok(())
    }

    /// Which of a job's transactions have to be signed anew: those that no block can take any longer, or that a block
    /// took in vain. The others are in a block, or wait for one with the nonces that they have.
    fn lost_places(&self, snapshot: &Snapshot, job: &SessionAnchoringRecord) -> Result<Vec<usize>, AnchorError> {
        let mut lost = Vec::new();
        for place in 0..job.transactions.len() {
            match self.place_of(snapshot, job, place).map_err(read_fault)? {
                Place::InBlock(_, _, receipt) if succeeded(&receipt) => {}
                Place::InBlock(..) | Place::NonceUsed => lost.push(place),
                Place::Nowhere => {}
            }
        }
        Ok(lost_with_registration(&lost, job.transactions.len()))
    }
}

/// The last anchoring of a session by `account`, or by the only account that had it anchored here.
fn last_job(
    snapshot: &Snapshot,
    session_id: SessionId,
    account: Option<Address>,
) -> Result<(AnchoringId, SessionAnchoringRecord), AnchorError> {
    let last = last_anchorings(snapshot, session_id, account, MAX_NAMED_ACCOUNTS);
    let mut last = last.map_err(rpc::NodeError::from)?;
    if last.len() > 1 {
        return Err(AnchorError::SeveralAccounts { session_id, accounts: last.into_keys().collect() });
    }
    last.pop_first().map(|(_, found)| found).ok_or(AnchorError::Unknown(session_id))
}

fn read_fault(error: NodeError) -> AnchorError {
    match error {
        NodeError::State(error) => fault(error),
        error => node_fault(error).into(),
    }
}
