//! Taking a request: everything is checked and on disk before it is answered.

use super::{
    super::{
        backend::{state_fault, submit_fault},
        clock::unix_now,
        state::Node,
    },
    rows::write_job,
};
use crate::{
    anchoring::{AnchorCall, ChunkMetadata, MerkleTree, Registration, anchor_calls},
    mempool::Mempool,
    state::{LatestState, StateError},
};
use alloy_consensus::{
    Transaction as _, TxEnvelope,
    transaction::{SignerRecoverable, TxHashRef},
};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, TxKind};
use lucid_rpc::{self as rpc, AnchorAccepted, AnchorError, AnchorRequest};
use lucid_storage::{
    AnchoringStatus, Direction, Reader, SessionAnchoringRecord, SessionKey, Sessions, SessionsByMerkleRoot,
    SignedTransaction, Snapshot,
};
use lucid_types::{AnchoringId, Rules};
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

        // Held until the job is written: two requests must not take the same nonces, or the same session twice.
        let mut anchorings = self.anchorings();
        if anchorings.len() >= MAX_ACTIVE_ANCHORINGS {
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
        self.write(|batch| write_job(batch, &id, &checked, &record)).map_err(rpc::NodeError::from)?;
        anchorings.insert(id, &record);
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
        let waits = self.spec.rules != Rules::Dev;
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

    /// The node's account must be able to pay for what it signed.
    fn refuse_unpayable(&self, snapshot: &Snapshot, transactions: &[SignedTransaction]) -> Result<(), AnchorError> {
        let (base_fee, state) = (self.head().next_base_fee(), LatestState::new(snapshot));
        for transaction in transactions {
            Mempool::check(&transaction.raw, &self.spec, base_fee, &state).map_err(submit_fault)?;
        }
        Ok(())
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
