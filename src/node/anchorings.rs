//! The anchorings that this node was asked for: accepted on disk, sent, watched until they are final, sent again after
//! a restart, with a higher fee where the old one no longer does.

use super::{
    backend::{state_fault, submit_fault},
    clock::unix_now,
    error::NodeError,
    state::Node,
};
use crate::{
    anchoring::{AnchorCall, ChunkMetadata, MerkleTree, Registration, anchor_calls},
    keys::SecretKey,
    mempool::{Mempool, SubmitError},
    state::{LatestState, StateError},
};
use alloy_consensus::{SignableTransaction, Transaction as _, TxEip1559, TxEnvelope, transaction::TxHashRef};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{Address, B256, TxKind};
use lucid_rpc::{self as rpc, AnchorAccepted, AnchorError, AnchorRequest};
use lucid_storage::{
    AnchoringStatus, Batch, ChunkKey, ChunkRecord, ChunkStatus, Chunks, Direction, MerkleTreeRecord, MerkleTrees,
    Reader, ReceiptRecord, Receipts, SessionAnchoringRecord, SessionAnchorings, SessionAnchoringsByStatus, SessionKey,
    SessionRecord, Sessions, SessionsByMerkleRoot, SignedTransaction, Snapshot, StoreError, TransactionKey,
    TransactionsByHash, TransactionsBySender,
};
use lucid_types::{AnchoringId, TransactionRefusal};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;
use tracing::{info, warn};

/// Anchorings that may be under way at once: a day's sessions of a busy host, and little memory.
const MAX_ACTIVE_ANCHORINGS: usize = 256;

/// How long an anchoring may take before it is given up, in seconds: a week, over which a host may be cut off.
const ANCHORING_EXPIRY_SECS: u64 = 7 * 86_400;

/// How often anchorings are looked at where no block comes.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Tip of the node's own transactions, in wei per gas.
const TIP: u128 = 1_000_000_000;

/// Percentage of the old fee that a transaction sent in its place pays at least: a little above what the pool asks for.
const RAISED_FEE_PERCENT: u128 = 112;

/// The anchorings that are neither confirmed nor given up, and the nonces that they have taken of the node's account.
#[derive(Debug, Default)]
pub(super) struct Anchorings {
    active: BTreeMap<AnchoringId, Option<u64>>,
}

impl Anchorings {
    /// Those that a store says are under way.
    pub(super) fn load(snapshot: &Snapshot) -> Result<Self, StoreError> {
        let mut active = BTreeMap::new();
        for status in [AnchoringStatus::Pending, AnchoringStatus::Processing] {
            for row in snapshot.by_index::<SessionAnchoringsByStatus>(&status, Direction::Forward)? {
                let (id, record) = row?;
                active.insert(id, record.transactions.last().map(|transaction| transaction.nonce));
            }
        }
        Ok(Self { active })
    }

    /// The first nonce that no anchoring under way has taken.
    fn next_nonce(&self, at_least: u64) -> u64 {
        self.active.values().flatten().map(|nonce| nonce + 1).fold(at_least, u64::max)
    }
}

/// Looks after the anchorings until it is told to stop.
pub(super) async fn run(node: Arc<Node>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
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
        if node.anchorings().active.is_empty() {
            continue;
        }
        let worker = Arc::clone(&node);
        let advanced = tokio::task::spawn_blocking(move || worker.advance_anchorings()).await;
        advanced.map_err(|error| NodeError::Task(error.to_string()))??;
    }
}

/// A request whose parts were found to belong together.
struct Checked {
    request: AnchorRequest,
    session: Registration,
    calls: Vec<AnchorCall>,
    manifest: Vec<u8>,
    tree_height: u8,
}

impl Node {
    /// Takes a session to be anchored: when this returns, the job is on disk and its transactions wait in the pool.
    pub(super) fn accept_anchoring(&self, request: AnchorRequest) -> Result<AnchorAccepted, AnchorError> {
        let signer = self.account_of(&request)?;
        let account = signer.unwrap_or_else(|| self.keys.account().address());
        let checked = check_request(request, account)?;
        let id = AnchoringId::from_random(random_bytes()?);

        // Held until the job is written: two requests must not take the same nonces, or the same session twice.
        let mut anchorings = self.anchorings();
        if anchorings.active.len() >= MAX_ACTIVE_ANCHORINGS {
            return Err(AnchorError::TooMany(MAX_ACTIVE_ANCHORINGS));
        }
        let snapshot = self.store.snapshot().map_err(rpc::NodeError::from)?;
        refuse_duplicates(&snapshot, &checked.session, account)?;
        let transactions = match signer {
            Some(_) => self.take_signed(&snapshot, &checked)?,
            None => {
                let next = self.next_nonce(account).map_err(fault)?;
                let transactions = self.sign_calls(&checked.calls, anchorings.next_nonce(next));
                self.refuse_unpayable(&snapshot, &transactions)?;
                transactions
            }
        };
        let record = new_record(&checked, account, transactions, unix_now());
        self.write(|batch| write_job(batch, &id, &checked, &record))
            .map_err(|error: StoreError| rpc::NodeError::from(error))?;
        let own_nonce = record.transactions.last().filter(|_| signer.is_none()).map(|transaction| transaction.nonce);
        anchorings.active.insert(id, own_nonce);
        drop(anchorings);

        for transaction in &record.transactions {
            // Sent again until it is in a block, so a pool that is full now is no reason to refuse.
            if let Err(error) = self.submit(&transaction.raw) {
                warn!(anchoring = %id, transaction = %transaction.hash, %error, "not yet taken by the pool");
            }
        }
        Ok(self.accepted(id, &checked, &record))
    }

    fn accepted(
        &self,
        anchoring_id: AnchoringId,
        checked: &Checked,
        record: &SessionAnchoringRecord,
    ) -> AnchorAccepted {
        let slots = self.spec.slots();
        let slot = slots.slot_at(unix_now()).unwrap_or_default();
        let waits = self.spec.rules != lucid_types::Rules::Dev;
        AnchorAccepted {
            anchoring_id,
            session_id: checked.session.session_id,
            account: record.account,
            status: record.status,
            merkle_root: checked.session.merkle_root,
            transaction_hash: record.transactions.first().map(|transaction| transaction.hash).unwrap_or_default(),
            slot,
            slot_end_time: waits.then(|| slots.start_of(slot + 1)).flatten(),
        }
    }

    /// Who signed the request's transactions; `None` where the node is to sign.
    fn account_of(&self, request: &AnchorRequest) -> Result<Option<Address>, AnchorError> {
        let Some(raw) = request.transactions.first() else { return Ok(None) };
        let fault = |error: String| AnchorError::Transaction { index: 0, fault: error };
        let transaction = TxEnvelope::decode_2718_exact(raw).map_err(|error| fault(error.to_string()))?;
        use alloy_consensus::transaction::SignerRecoverable;
        transaction.recover_signer().map(Some).map_err(|error| fault(error.to_string()))
    }

    /// The transactions that the reader signed: exactly the calls of his session, in nonce order, by one account.
    fn take_signed(&self, snapshot: &Snapshot, checked: &Checked) -> Result<Vec<SignedTransaction>, AnchorError> {
        let raws = &checked.request.transactions;
        if raws.len() != checked.calls.len() {
            let fault = format!("there are {}, and this session takes {}", raws.len(), checked.calls.len());
            return Err(AnchorError::Transaction { index: raws.len().min(checked.calls.len()), fault });
        }
        let (base_fee, state) = (self.head().next_base_fee(), LatestState::new(snapshot));
        let mut taken: Vec<SignedTransaction> = Vec::with_capacity(raws.len());
        let mut account = None;
        for (index, (raw, call)) in raws.iter().zip(&checked.calls).enumerate() {
            let wrong = |fault: &str| Err(AnchorError::Transaction { index, fault: fault.to_owned() });
            let transaction = Mempool::check(raw, &self.spec, base_fee, &state).map_err(submit_fault)?;
            if *account.get_or_insert(transaction.signer()) != transaction.signer() {
                return wrong("another account signed it than the first");
            }
            if transaction.kind() != TxKind::Call(call.to) || *transaction.input() != call.input {
                return wrong("it is not the call that the request describes");
            }
            if taken.last().is_some_and(|last| last.nonce + 1 != transaction.nonce()) {
                return wrong("its nonce does not follow the one before");
            }
            taken.push(SignedTransaction {
                hash: *transaction.tx_hash(),
                nonce: transaction.nonce(),
                raw: raw.to_vec(),
            });
        }
        Ok(taken)
    }

    /// Signs the calls with the node's key, from `nonce` on.
    fn sign_calls(&self, calls: &[AnchorCall], nonce: u64) -> Vec<SignedTransaction> {
        let max_fee = u128::from(self.head().next_base_fee()) * 2 + TIP;
        let fees = Fees { max_fee, tip: TIP };
        (nonce..)
            .zip(calls)
            .map(|(nonce, call)| self.sign(call.to, call.input.clone(), call.gas_limit, nonce, fees))
            .collect()
    }

    fn sign(
        &self,
        to: Address,
        input: alloy_primitives::Bytes,
        gas_limit: u64,
        nonce: u64,
        fees: Fees,
    ) -> SignedTransaction {
        let transaction = TxEip1559 {
            chain_id: self.spec.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max_fee,
            max_priority_fee_per_gas: fees.tip,
            to: TxKind::Call(to),
            input,
            ..TxEip1559::default()
        };
        sign(transaction, self.keys.account())
    }

    /// The node's account must be able to pay for what it signed.
    fn refuse_unpayable(&self, snapshot: &Snapshot, transactions: &[SignedTransaction]) -> Result<(), AnchorError> {
        let (base_fee, state) = (self.head().next_base_fee(), LatestState::new(snapshot));
        for transaction in transactions {
            Mempool::check(&transaction.raw, &self.spec, base_fee, &state).map_err(submit_fault)?;
        }
        Ok(())
    }

    /// Looks at every anchoring under way once.
    pub(super) fn advance_anchorings(&self) -> Result<(), NodeError> {
        let ids: Vec<AnchoringId> = self.anchorings().active.keys().copied().collect();
        for id in ids {
            let snapshot = self.store.snapshot()?;
            let Some(record) = snapshot.get::<SessionAnchorings>(&id)? else { continue };
            let next = self.advance(&snapshot, record.clone())?;
            if next != record {
                self.write(|batch| write_progress(batch, &id, &next))?;
            }
            if !matches!(next.status, AnchoringStatus::Pending | AnchoringStatus::Processing) {
                self.anchorings().active.remove(&id);
                log_end(&id, &next);
            }
        }
        Ok(())
    }

    /// Where an anchoring stands now; sends what is in no block and in no pool.
    fn advance(
        &self,
        snapshot: &Snapshot,
        mut job: SessionAnchoringRecord,
    ) -> Result<SessionAnchoringRecord, NodeError> {
        let now = unix_now();
        let (mut open, mut sent) = (0, false);
        for place in 0..job.transactions.len() {
            match self.place_of(snapshot, &job, place)? {
                Some((hash, key, receipt)) => {
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
                None => {
                    open += 1;
                    sent |= self.resend(&mut job, place);
                }
            }
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

    /// The block that holds a transaction of a job, or the one with its nonce that does the same.
    fn place_of(
        &self,
        snapshot: &Snapshot,
        job: &SessionAnchoringRecord,
        place: usize,
    ) -> Result<Option<(B256, TransactionKey, ReceiptRecord)>, NodeError> {
        let ours = &job.transactions[place];
        let by_hash = snapshot.first_by_index::<TransactionsByHash>(&ours.hash)?;
        let found = match by_hash {
            Some(found) => Some(found),
            // With a raised fee it may be the earlier writing that came into a block.
            None => snapshot
                .first_by_index::<TransactionsBySender>(&(job.account, ours.nonce))?
                .filter(|(_, mined)| same_call(&mined.raw, &ours.raw)),
        };
        let Some((key, mined)) = found else { return Ok(None) };
        Ok(snapshot.get::<Receipts>(&key)?.map(|receipt| (mined.hash, key, receipt)))
    }

    /// Sends a transaction that is in no block, with a higher fee or another nonce where it needs one; says whether
    /// anything was sent.
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
        let sending = if too_cheap && mine { self.raised(&transaction, ours.nonce, base_fee) } else { ours };
        match self.submit(&sending.raw) {
            Ok(_) | Err(SubmitError::Refused(TransactionRefusal::AlreadyKnown)) => job.last_error = None,
            // The nonce went to a transaction that is not part of any anchoring.
            Err(SubmitError::Refused(TransactionRefusal::NonceTooLow { .. })) if mine => {
                if let Some(again) = self.with_new_nonce(&transaction) {
                    job.transactions[place] = again;
                    return true;
                }
            }
            Err(error) => {
                job.last_error = Some(error.to_string());
                return false;
            }
        }
        job.transactions[place] = sending;
        true
    }

    /// The same call with a fee that the next blocks take.
    fn raised(&self, old: &TxEnvelope, nonce: u64, base_fee: u64) -> SignedTransaction {
        let least = |old: u128| old.saturating_mul(RAISED_FEE_PERCENT) / 100 + 1;
        let tip = least(old.max_priority_fee_per_gas().unwrap_or(TIP));
        let fees = Fees { max_fee: least(old.max_fee_per_gas()).max(u128::from(base_fee) * 2 + tip), tip };
        self.sign(old.to().unwrap_or_default(), old.input().clone(), old.gas_limit(), nonce, fees)
    }

    /// The same call with the next free nonce, sent.
    fn with_new_nonce(&self, old: &TxEnvelope) -> Option<SignedTransaction> {
        let next = self.next_nonce(self.keys.account().address()).ok()?;
        let nonce = self.anchorings().next_nonce(next);
        let fees = Fees { max_fee: u128::from(self.head().next_base_fee()) * 2 + TIP, tip: TIP };
        let again = self.sign(old.to().unwrap_or_default(), old.input().clone(), old.gas_limit(), nonce, fees);
        self.submit(&again.raw).ok().map(|_| again)
    }
}

/// What a transaction of the node pays per gas, in wei.
#[derive(Clone, Copy)]
struct Fees {
    max_fee: u128,
    tip: u128,
}

fn sign(transaction: TxEip1559, key: &SecretKey) -> SignedTransaction {
    let nonce = transaction.nonce;
    let signature = key.sign_prehash_recoverable(transaction.signature_hash());
    let signed = TxEnvelope::from(transaction.into_signed(signature));
    SignedTransaction { hash: *signed.tx_hash(), nonce, raw: signed.encoded_2718() }
}

fn random_bytes() -> Result<[u8; 16], rpc::NodeError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| rpc::NodeError::Stopping)?;
    Ok(bytes)
}

/// Whether two signed transactions call the same contract with the same data.
fn same_call(one: &[u8], other: &[u8]) -> bool {
    match (TxEnvelope::decode_2718_exact(one), TxEnvelope::decode_2718_exact(other)) {
        (Ok(one), Ok(other)) => one.kind() == other.kind() && one.input() == other.input(),
        _ => false,
    }
}

fn succeeded(receipt: &ReceiptRecord) -> bool {
    alloy_consensus::ReceiptEnvelope::decode_2718_exact(&receipt.raw).is_ok_and(|receipt| receipt.status())
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

/// Holds the parts of a request against each other and makes its calls.
fn check_request(request: AnchorRequest, account: Address) -> Result<Checked, AnchorError> {
    let manifest_root = request.manifest.merkle_root;
    let tree = MerkleTree::new(request.leaves.clone())
        .map_err(|_| AnchorError::RootMismatch { manifest: manifest_root, leaves: B256::ZERO })?;
    if tree.root() != manifest_root {
        return Err(AnchorError::RootMismatch { manifest: manifest_root, leaves: tree.root() });
    }
    let manifest = request.manifest.canonical_bytes().map_err(|_| rpc::NodeError::Corrupt("manifest"))?;
    let session = Registration {
        session_id: request.manifest.session_id,
        manifest_hash: lucid_types::blake3([&manifest]),
        started_at: request.started_at,
        owner: request.owner.unwrap_or(account),
        merkle_root: manifest_root,
    };
    let chunks: Vec<_> = request
        .ciphertext_sha256
        .iter()
        .zip(&request.size_bytes)
        .map(|(ciphertext_sha256, size_bytes)| ChunkMetadata {
            ciphertext_sha256: *ciphertext_sha256,
            size_bytes: *size_bytes,
        })
        .collect();
    let calls = anchor_calls(&session, &chunks)
        .map_err(|error| AnchorError::Transaction { index: 0, fault: error.to_string() })?;
    Ok(Checked { tree_height: tree.height() as u8, request, session, calls, manifest })
}

/// Refuses a session, or a root, that this account has anchored or is anchoring.
fn refuse_duplicates(snapshot: &Snapshot, session: &Registration, account: Address) -> Result<(), AnchorError> {
    let taken = |status| !matches!(status, AnchoringStatus::Failed | AnchoringStatus::Expired);
    let store = rpc::NodeError::from;
    let key = SessionKey { session_id: session.session_id, account };
    if snapshot.get::<Sessions>(&key).map_err(store)?.is_some_and(|row| taken(row.status)) {
        return Err(AnchorError::AlreadyAnchored(session.session_id));
    }
    let same_root = snapshot.by_index::<SessionsByMerkleRoot>(&session.merkle_root, Direction::Forward);
    for row in same_root.map_err(store)? {
        let (key, row) = row.map_err(store)?;
        if key.account == account && taken(row.status) {
            return Err(AnchorError::RootAlreadyAnchored(session.merkle_root));
        }
    }
    Ok(())
}

fn new_record(
    checked: &Checked,
    account: Address,
    transactions: Vec<SignedTransaction>,
    now: u64,
) -> SessionAnchoringRecord {
    SessionAnchoringRecord {
        session_id: checked.session.session_id,
        account,
        owner: checked.session.owner,
        user_id: checked.request.user_id.clone(),
        status: AnchoringStatus::Pending,
        started_at: checked.session.started_at,
        manifest: checked.manifest.clone(),
        manifest_hash: checked.session.manifest_hash,
        merkle_root: checked.session.merkle_root,
        chunk_count: checked.request.manifest.chunk_count,
        transaction_id: transactions.first().map(|transaction| transaction.hash),
        transactions,
        attempts: 1,
        created_at: now,
        updated_at: now,
        last_error: None,
        block_number: None,
    }
}

/// Writes a new job: itself, the tree's leaves, and what is known of session and chunks before they are on chain.
fn write_job(
    batch: &mut Batch,
    id: &AnchoringId,
    checked: &Checked,
    job: &SessionAnchoringRecord,
) -> Result<(), StoreError> {
    batch.put::<SessionAnchorings>(id, job)?;
    let tree = MerkleTreeRecord {
        session_id: job.session_id,
        root_hash: job.merkle_root,
        height: checked.tree_height,
        leaf_count: job.chunk_count,
        leaves: checked.request.leaves.concat(),
        created_at: job.created_at,
    };
    batch.put::<MerkleTrees>(&tree.tree_id(), &tree)?;
    batch.put::<Sessions>(&SessionKey { session_id: job.session_id, account: job.account }, &pending_session(job))?;
    let request = &checked.request;
    for (idx, (ciphertext_sha256, size_bytes)) in
        (0u32..).zip(request.ciphertext_sha256.iter().zip(&request.size_bytes))
    {
        let key = ChunkKey { session_id: job.session_id, idx, account: job.account };
        let chunk = ChunkRecord {
            local_path: request.local_paths.get(idx as usize).cloned(),
            ciphertext_sha256: *ciphertext_sha256,
            size_bytes: *size_bytes,
            status: ChunkStatus::Pending,
        };
        batch.put::<Chunks>(&key, &chunk)?;
    }
    Ok(())
}

fn pending_session(job: &SessionAnchoringRecord) -> SessionRecord {
    SessionRecord {
        owner_addr: job.owner,
        started_at: job.started_at,
        ended_at: None,
        manifest_hash: job.manifest_hash,
        merkle_root: job.merkle_root,
        chunk_count: job.chunk_count,
        anchor_txid: None,
        block_number: None,
        gas_used: None,
        status: job.status,
    }
}

/// Writes where a job stands, and the same into its session as long as that is not on chain.
fn write_progress(batch: &mut Batch, id: &AnchoringId, job: &SessionAnchoringRecord) -> Result<(), StoreError> {
    batch.put::<SessionAnchorings>(id, job)?;
    let key = SessionKey { session_id: job.session_id, account: job.account };
    if let Some(session) = batch.get::<Sessions>(&key)?
        && session.status != AnchoringStatus::Confirmed
        && job.status != AnchoringStatus::Confirmed
    {
        batch.put::<Sessions>(&key, &SessionRecord { status: job.status, ..session })?;
    }
    Ok(())
}

fn fault(error: StateError) -> AnchorError {
    match state_fault(error) {
        rpc::StateError::Node(error) => AnchorError::Node(error),
        other => AnchorError::Node(rpc::NodeError::Corrupt(if matches!(other, rpc::StateError::NotKept { .. }) {
            "state that is no longer kept"
        } else {
            "part of the state"
        })),
    }
}
