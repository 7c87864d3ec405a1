//! Watching the anchorings under way until they are final, and sending again what is in no block.

use super::{
    super::{clock::unix_now, error::NodeError, state::Node},
    rows::{same_call, succeeded, write_progress},
    sign::call_of,
};
use crate::{
    anchoring::AnchorCall,
    mempool::SubmitError,
    state::{LatestState, StateReader},
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::B256;
use lucid_storage::{
    AnchoringStatus, Reader, ReceiptRecord, Receipts, SessionAnchoringRecord, SessionAnchorings, SignedTransaction,
    Snapshot, TransactionKey, TransactionsByHash, TransactionsBySender,
};
use lucid_types::{AnchoringId, TransactionRefusal};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::sync::watch;
use tracing::{debug, info, warn};

/// How long an anchoring may take before it is given up, in seconds: a week, over which a host may be cut off.
const ANCHORING_EXPIRY_SECS: u64 = 7 * 86_400;

/// Most nonces that one look fills: a job has up to 42, and the next look comes within [`CHECK_INTERVAL`].
const MAX_FILLED_NONCES: usize = 100;

/// How often anchorings are looked at where no block comes.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Looks after the anchorings until it is told to stop.
pub(in crate::node) async fn run(node: Arc<Node>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    let mut events = node.subscribe();
    let mut interval = tokio::time::interval(CHECK_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // A listener that lagged has missed blocks, and looks at the store all the same.
            _ = events.recv() => {}
            _ = interval.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        // Without room on the disk no block comes and nothing is written, so there is nothing to look after.
        if node.anchorings().is_empty() || node.guards.disk_full().is_some() {
            continue;
        }
        let worker = Arc::clone(&node);
        let advanced = tokio::task::spawn_blocking(move || worker.advance_anchorings()).await;
        match advanced.map_err(|error| NodeError::Task(error.to_string()))? {
            // It filled up just now.
            Err(error) if error.is_disk_full() => {}
            advanced => advanced?,
        }
    }
}

impl Node {
    /// Looks at every anchoring under way once.
    pub(in crate::node) fn advance_anchorings(&self) -> Result<(), NodeError> {
        let ids: Vec<AnchoringId> = self.anchorings().ids();
        for id in ids {
            let snapshot = self.store.snapshot()?;
            let Some(record) = snapshot.get::<SessionAnchorings>(&id)? else { continue };
            let next = self.advance(&snapshot, &id, record.clone())?;
            if next != record {
                self.write(|batch| write_progress(batch, &id, &next))?;
                self.anchorings().insert(id, &next);
            }
            if !matches!(next.status, AnchoringStatus::Pending | AnchoringStatus::Processing) {
                self.anchorings().remove(&id);
                log_end(&id, &next);
            }
            if next.status == AnchoringStatus::Confirmed {
                self.sessions_anchored.fetch_add(1, Relaxed);
            }
        }
        self.fill_nonce_gaps()
    }

    /// Uses the nonces of the node's account that ended anchorings have left unused: what has a later nonce would wait
    /// behind them for ever.
    fn fill_nonce_gaps(&self) -> Result<(), NodeError> {
        for _ in 0..MAX_FILLED_NONCES {
            // Held until the pool has it: an anchoring that comes meanwhile must see it there.
            let anchorings = self.anchorings();
            let nonce = self.next_nonce(self.keys.account().address())?;
            let waited_for = anchorings.last_nonce().is_some_and(|last| nonce < last) && !anchorings.has_nonce(nonce);
            if !waited_for {
                break;
            }
            let filler = self.sign_filler(nonce);
            if let Err(error) = self.submit(&filler.raw) {
                // Tried again with the next look, so a line for each would fill the log.
                debug!(nonce, %error, "a nonce that anchorings wait behind is not filled yet");
                break;
            }
            info!(nonce, transaction = %filler.hash, "filled a nonce that an ended anchoring has left");
        }
        Ok(())
    }

    /// Where an anchoring stands now; sends what is in no block and in no pool.
    fn advance(
        &self,
        snapshot: &Snapshot,
        id: &AnchoringId,
        mut job: SessionAnchoringRecord,
    ) -> Result<SessionAnchoringRecord, NodeError> {
        let now = unix_now();
        let (mut open, mut sent, mut lost) = (0, false, Vec::new());
        for place in 0..job.transactions.len() {
            match self.place_of(snapshot, &job, place)? {
                Place::InBlock(hash, key, receipt) => {
                    job.transactions[place].hash = hash;
                    if !succeeded(&receipt) {
                        let text = format!("transaction {hash} was executed in block {} and failed", key.block);
                        return Ok(ended(job, AnchoringStatus::Failed, Some(text), now));
                    }
                    if place == 0 {
                        job.transaction_id = Some(hash);
                        job.block_number = Some(key.block);
                    }
                }
                Place::NonceUsed if job.account == self.keys.account().address() => {
                    lost.push(place);
                    if place == 0 {
                        break;
                    }
                }
                // Only its account can sign it anew, so waiting for it would be for nothing.
                Place::NonceUsed => {
                    let SignedTransaction { hash, nonce, .. } = &job.transactions[place];
                    let text = format!("the nonce {nonce} of transaction {hash} was used by another transaction");
                    return Ok(ended(job, AnchoringStatus::Failed, Some(text), now));
                }
                Place::Nowhere => {
                    open += 1;
                    sent |= self.resend(&mut job, place);
                }
            }
        }
        if !lost.is_empty() {
            open += self.sign_anew(id, &mut job, &lost)?;
            sent = true;
        }
        if open == 0 {
            return Ok(ended(job, AnchoringStatus::Confirmed, None, now));
        }
        if now.saturating_sub(job.created_at) > ANCHORING_EXPIRY_SECS {
            let text = format!("{open} of its transactions came into no block for a week");
            return Ok(ended(job, AnchoringStatus::Expired, Some(text), now));
        }
        job.status = AnchoringStatus::Processing;
        if sent {
            job.attempts += 1;
            job.updated_at = now;
        }
        Ok(job)
    }

    /// Where a transaction of a job is, or the one with its nonce that does the same.
    pub(super) fn place_of(
        &self,
        snapshot: &Snapshot,
        job: &SessionAnchoringRecord,
        place: usize,
    ) -> Result<Place, NodeError> {
        let ours = &job.transactions[place];
        let by_hash = snapshot.first_by_index::<TransactionsByHash>(&ours.hash)?;
        let found = match by_hash {
            Some(found) => Some(found),
            // With a raised fee it may be the earlier writing that came into a block.
            None => snapshot
                .first_by_index::<TransactionsBySender>(&(job.account, ours.nonce))?
                .filter(|(_, mined)| same_call(&mined.raw, &ours.raw)),
        };
        if let Some((key, mined)) = found
            && let Some(receipt) = snapshot.get::<Receipts>(&key)?
        {
            return Ok(Place::InBlock(mined.hash, key, receipt));
        }
        // Asked of the snapshot that was searched, and not of the pool, for which a block may have come since.
        let account = LatestState::new(snapshot).account(job.account)?;
        Ok(if account.is_some_and(|account| account.nonce > ours.nonce) { Place::NonceUsed } else { Place::Nowhere })
    }

    /// Signs those of a job's transactions that are lost anew, with nonces that are free, and sends them; says how many.
    ///
    /// With the registration all are lost: chunks that come into a block before it are refused by their contract.
    fn sign_anew(
        &self,
        id: &AnchoringId,
        job: &mut SessionAnchoringRecord,
        lost: &[usize],
    ) -> Result<usize, NodeError> {
        let places = lost_with_registration(lost, job.transactions.len());
        let nonce = {
            let mut anchorings = self.anchorings();
            let next = self.next_nonce(job.account)?;
            anchorings.take_nonces(id, next, places.len())
        };
        self.sign_places(job, &places, nonce);
        for place in &places {
            // Sent again with the next look, where the pool does not take it now.
            if let Err(error) = self.submit(&job.transactions[*place].raw) {
                job.last_error = Some(error.to_string());
            }
        }
        Ok(places.len())
    }

    /// Signs the same calls anew, with nonces from `nonce` on.
    pub(super) fn sign_places(&self, job: &mut SessionAnchoringRecord, places: &[usize], nonce: u64) {
        let calls: Vec<_> = places.iter().filter_map(|place| call_at(job, *place)).collect();
        for (place, anew) in places.iter().zip(self.sign_calls(&calls, nonce)) {
            job.transactions[*place] = anew;
        }
    }

    /// Sends a transaction that is in no block, with a higher fee where it needs one; says whether it was sent.
    fn resend(&self, job: &mut SessionAnchoringRecord, place: usize) -> bool {
        let ours = job.transactions[place].clone();
        let base_fee = self.head().next_base_fee();
        let Ok(transaction) = TxEnvelope::decode_2718_exact(&ours.raw) else { return false };
        let mine = job.account == self.keys.account().address();
        let too_cheap = transaction.max_fee_per_gas() < u128::from(base_fee);
        let waiting = self.pool().get(&ours.hash).is_some();
        if waiting && !(too_cheap && mine) {
            return false;
        }
        let sending = if too_cheap && mine { self.with_raised_fee(&transaction, base_fee) } else { ours };
        match self.submit(&sending.raw) {
            Ok(_) | Err(SubmitError::Refused(TransactionRefusal::AlreadyKnown)) => job.last_error = None,
            // A block has come since the snapshot, most likely with this transaction: the next look tells.
            Err(SubmitError::Refused(TransactionRefusal::NonceTooLow { .. })) => return false,
            Err(error) => {
                job.last_error = Some(error.to_string());
                return false;
            }
        }
        job.transactions[place] = sending;
        true
    }
}

/// The places to sign anew where `lost` are lost, of a job with `count` transactions.
pub(super) fn lost_with_registration(lost: &[usize], count: usize) -> Vec<usize> {
    if lost.first() == Some(&0) { (0..count).collect() } else { lost.to_vec() }
}

/// The call that a transaction of a job makes. What is on disk was decoded before it was written.
pub(super) fn call_at(job: &SessionAnchoringRecord, place: usize) -> Option<AnchorCall> {
    let signed = TxEnvelope::decode_2718_exact(&job.transactions[place].raw).ok()?;
    Some(call_of(&signed))
}

/// Where a transaction of a job is.
pub(super) enum Place {
    /// In a block: its hash there, where, and how it went.
    InBlock(B256, TransactionKey, ReceiptRecord),
    /// In no block, and in none that will come: its nonce is used.
    NonceUsed,
    /// In no block yet.
    Nowhere,
}

fn ended(
    job: SessionAnchoringRecord,
    status: AnchoringStatus,
    last_error: Option<String>,
    updated_at: u64,
) -> SessionAnchoringRecord {
    SessionAnchoringRecord { status, last_error, updated_at, ..job }
}

/// One line per anchoring.
fn log_end(id: &AnchoringId, job: &SessionAnchoringRecord) {
    let status = job.status.as_str();
    match &job.last_error {
        None => info!(anchoring = %id, session = %job.session_id, block = job.block_number, status, "anchored"),
        Some(error) => warn!(anchoring = %id, session = %job.session_id, status, error, "not anchored"),
    }
}
