//! Taking a request: everything is checked and on disk before it is answered.

use super::{
    super::{
        backend::{state_fault, submit_fault},
        clock::unix_now,
        guards::SealingStop,
        state::Node,
    },
    active::Anchorings,
    rows::write_job,
};
use crate::{
    anchoring::{AnchorCall, ChunkMetadata, MerkleTree, Registration, anchor_calls},
    chain::recover_sender,
    mempool::{Mempool, SubmitError},
    state::{LatestState, StateError, StateReader},
};
use alloy_consensus::{Transaction as _, TxEnvelope, transaction::TxHashRef};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, TxKind, U256};
use lucid_rpc::{self as rpc, AnchorAccepted, AnchorError, AnchorRequest};
use lucid_storage::{
    AnchoringStatus, Direction, Reader, SessionAnchoringRecord, SessionKey, Sessions, SessionsByMerkleRoot,
    SignedTransaction, Snapshot, StoreError,
};
use lucid_types::{AnchoringId, Rules, TransactionRefusal};
use tracing::warn;

/// Anchorings that may be under way at once: a day's sessions of a busy host, and little memory.
const MAX_ACTIVE_ANCHORINGS: usize = 256;

/// A request whose parts were found to belong together.
pub(super) struct Checked {
    pub(super) request: AnchorRequest,
    pub(super) session: Registration,
    pub(super) calls: Vec<AnchorCall>,
    pub(super) manifest: Vec<u8>,
    pub(super) tree_height: u8,
}

impl Node {
    /// Takes a session to be anchored: when this returns, the job is on disk and its transactions wait in the pool.
    pub(in crate::node) fn accept_anchoring(&self, request: AnchorRequest) -> Result<AnchorAccepted, AnchorError> {
        let signer = self.account_of(&request)?;
        let account = signer.unwrap_or_else(|| self.keys.account().address());
        let checked = check_request(request, account)?;
        let id = AnchoringId::from_random(random_bytes()?);
        let signed = signer.map(|_| self.take_signed(&checked)).transpose()?;
        let session = SessionKey { session_id: checked.session.session_id, account };
        let nonce = {
            let mut anchorings = self.anchorings();
            let snapshot = self.store.snapshot().map_err(rpc::NodeError::from)?;
            refuse_known_session(&snapshot, session)?;
            let calls = if signed.is_none() { checked.calls.as_slice() } else { &[] };
            self.reserve(&mut anchorings, &snapshot, id, session, checked.session.merkle_root, calls)?
        };
        // Signing and writing take a while. The place and the nonces are kept, so that others need not wait for them.
        let transactions = signed.unwrap_or_else(|| self.sign_calls(&checked.calls, nonce));
        let record = new_record(&checked, account, transactions, unix_now());
        let written = self.write(|batch| write_job(batch, &id, &checked, &record));
        self.begin(id, &record, written)
    }

    /// Keeps a place and nonces for an anchoring, where it may begin; gives the first nonce. Two requests must not take
    /// the same nonces, or the same session twice, so the lock is held for all of this.
    pub(super) fn reserve(
        &self,
        anchorings: &mut Anchorings,
        snapshot: &Snapshot,
        id: AnchoringId,
        session: SessionKey,
        merkle_root: B256,
        calls: &[AnchorCall],
    ) -> Result<u64, AnchorError> {
        if anchorings.len() >= MAX_ACTIVE_ANCHORINGS {
            return Err(AnchorError::TooMany(MAX_ACTIVE_ANCHORINGS));
        }
        match self.guards.disk_full() {
            None => {}
            Some(stop @ SealingStop::StoreFull { .. }) => return Err(AnchorError::StoreFull(stop.to_string())),
            Some(_) => return Err(AnchorError::DiskFull),
        }
        anchorings.refuse_duplicates(session, merkle_root)?;
        refuse_used_root(snapshot, session, merkle_root)?;
        self.refuse_unpayable(snapshot, session.account, calls)?;
        let next = self.next_nonce(session.account).map_err(fault)?;
        anchorings.reserve(id, session, merkle_root);
        Ok(anchorings.take_nonces(&id, next, calls.len()))
    }

    /// Sends an anchoring that has been written, or gives its place back where that failed.
    pub(super) fn begin(
        &self,
        id: AnchoringId,
        record: &SessionAnchoringRecord,
        written: Result<(), StoreError>,
    ) -> Result<AnchorAccepted, AnchorError> {
        if let Err(error) = written {
            self.anchorings().remove(&id);
            return Err(rpc::NodeError::from(error).into());
        }
        self.anchorings().insert(id, record);
        for transaction in &record.transactions {
            // Sent again until it is in a block, so a pool that is full now is no reason to refuse.
            match self.submit(&transaction.raw) {
                // The watch was faster, or an earlier attempt brought the transaction into a block.
                Ok(_)
                | Err(SubmitError::Refused(
                    TransactionRefusal::AlreadyKnown | TransactionRefusal::NonceTooLow { .. },
                )) => {}
                Err(error) => {
                    warn!(anchoring = %id, transaction = %transaction.hash, %error, "not yet taken by the pool");
                }
            }
        }
        Ok(self.accepted(id, record))
    }

    fn accepted(&self, anchoring_id: AnchoringId, record: &SessionAnchoringRecord) -> AnchorAccepted {
        let slots = self.spec.slots();
        let slot = slots.slot_at(unix_now()).unwrap_or_default();
        let waits = self.spec.rules != Rules::Dev;
        AnchorAccepted {
            anchoring_id,
            session_id: record.session_id,
            account: record.account,
            status: record.status,
            merkle_root: record.merkle_root,
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
        recover_sender(&transaction).map(Some).ok_or_else(|| fault("its signature is none".into()))
    }

    /// The transactions that the reader signed: exactly the calls of his session, in nonce order, by one account.
    fn take_signed(&self, checked: &Checked) -> Result<Vec<SignedTransaction>, AnchorError> {
        let snapshot = self.store.snapshot().map_err(rpc::NodeError::from)?;
        let raws = &checked.request.transactions;
        if raws.len() != checked.calls.len() {
            let fault = format!("there are {}, and this session takes {}", raws.len(), checked.calls.len());
            return Err(AnchorError::Transaction { index: raws.len().min(checked.calls.len()), fault });
        }
        let (base_fee, state) = (self.head().next_base_fee(), LatestState::new(&snapshot));
        let mut taken: Vec<SignedTransaction> = Vec::with_capacity(raws.len());
        let mut account = None;
        for (index, (raw, call)) in raws.iter().zip(&checked.calls).enumerate() {
            let wrong = |fault: &str| Err(AnchorError::Transaction { index, fault: fault.to_owned() });
            let transaction = match Mempool::check(raw, &self.spec, base_fee, &state) {
                Err(SubmitError::Refused(TransactionRefusal::InsufficientFunds { balance, cost })) => {
                    let account = self.account_of(&checked.request)?.unwrap_or_default();
                    return Err(AnchorError::InsufficientFunds { account, balance, cost });
                }
                outcome => outcome.map_err(submit_fault)?,
            };
            if *account.get_or_insert(transaction.signer()) != transaction.signer() {
                return wrong("another account signed it than the first");
            }
            if transaction.kind() != TxKind::Call(call.to)
                || *transaction.input() != call.input
                || !transaction.value().is_zero()
            {
                return wrong("it is not the call that the request describes");
            }
            match taken.last() {
                Some(last) if last.nonce + 1 != transaction.nonce() => {
                    return wrong("its nonce does not follow the one before");
                }
                Some(_) => {}
                // Behind a gap that nothing fills it would hold its place among the jobs for a week.
                None if transaction.nonce() > self.next_nonce(transaction.signer()).map_err(fault)? => {
                    return wrong("its nonce leaves a gap after the account's transactions");
                }
                None => {}
            }
            taken.push(SignedTransaction {
                hash: *transaction.tx_hash(),
                nonce: transaction.nonce(),
                raw: raw.to_vec(),
            });
        }
        Ok(taken)
    }

    /// The node's account must be able to pay for all that it is to sign.
    fn refuse_unpayable(&self, snapshot: &Snapshot, account: Address, calls: &[AnchorCall]) -> Result<(), AnchorError> {
        let known = LatestState::new(snapshot).account(account).map_err(fault)?;
        let balance = known.map_or(U256::ZERO, |account| account.balance);
        let cost = self.cost_of(calls);
        if balance < cost { Err(AnchorError::InsufficientFunds { account, balance, cost }) } else { Ok(()) }
    }
}

fn random_bytes() -> Result<[u8; 16], rpc::NodeError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| rpc::NodeError::Stopping)?;
    Ok(bytes)
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

/// Whether an anchoring with this status has, or will have, what it asked for.
const fn taken(status: AnchoringStatus) -> bool {
    !matches!(status, AnchoringStatus::Failed | AnchoringStatus::Expired)
}

/// Refuses a session that its account has anchored.
fn refuse_known_session(snapshot: &Snapshot, session: SessionKey) -> Result<(), AnchorError> {
    let SessionKey { session_id, account } = session;
    match snapshot.get::<Sessions>(&session).map_err(rpc::NodeError::from)? {
        Some(row) if taken(row.status) => Err(AnchorError::AlreadyAnchored { session_id, account }),
        _ => Ok(()),
    }
}

/// Refuses a root that the account has anchored for another session.
fn refuse_used_root(snapshot: &Snapshot, session: SessionKey, merkle_root: B256) -> Result<(), AnchorError> {
    let store = rpc::NodeError::from;
    for row in snapshot.by_index::<SessionsByMerkleRoot>(&merkle_root, Direction::Forward).map_err(store)? {
        let (other, row) = row.map_err(store)?;
        if other.account == session.account && other != session && taken(row.status) {
            let SessionKey { session_id, account } = other;
            return Err(AnchorError::RootAlreadyAnchored { merkle_root, session_id, account });
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

pub(super) fn fault(error: StateError) -> AnchorError {
    match state_fault(error) {
        rpc::StateError::Node(error) => AnchorError::Node(error),
        other => AnchorError::Node(rpc::NodeError::Corrupt(if matches!(other, rpc::StateError::NotKept { .. }) {
            "state that is no longer kept"
        } else {
            "part of the state"
        })),
    }
}
