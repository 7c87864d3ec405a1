use super::{
    AccountInfo, AccountProof, AnchorAccepted, AnchorError, AnchorRequest, CallError, CallRequest, ChainInfo,
    DbJobError, LogQuery, MerkleBuilt, MerkleError, NodeError, PayoutError, PendingTransaction, PoolStatus, ProofError,
    ProofRequest, StateError, SubmitError, SyncProgress, TaskProofError, VerifiedAnchor, VerifyError, VerifyRequest,
};
use crate::wire::{
    ConsensusStatusDocument, DbJobDocument, DbJobKind, DbStatsDocument, LeaderScheduleDocument, NodeInfoDocument,
    PeerDocument, TaskProofAcceptedDocument,
};
use alloy_primitives::{Address, B256, Bytes};
use lucid_storage::{
    DocumentId, ExportStateRecord, ImportRow, Imported, PayoutRecord, RemovalStep, Snapshot, SourceName,
};
use lucid_types::{AnchorProof, ChainEvent, SessionId};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::broadcast;

/// What a node offers to those who call it.
///
/// Functions that can fail may read the disk or execute: the interface calls them on threads that may block, and
/// bounds how many run at once. The others are called from asynchronous code and answer from memory at once.
/// Asynchronous functions run to their end even when the caller hangs up. `block` is always the height of a
/// block that the node has.
pub trait NodeApi: Send + Sync + 'static {
    /// A consistent view of the store, at the last block that is on disk or later.
    fn snapshot(&self) -> Result<Snapshot, NodeError>;

    /// What the chain and this node are.
    fn chain_info(&self) -> ChainInfo;

    /// Why this node makes no blocks at this moment; `None` where it does. It serves in any case. No path is in the text.
    fn sealing_stop(&self) -> Option<String>;

    /// How far this node is behind its peers; `None` when it is not catching up.
    fn sync_progress(&self) -> Option<SyncProgress>;

    /// Accounts whose keys everybody knows; empty outside of `dev`.
    fn dev_accounts(&self) -> Vec<Address>;

    /// Base fee of the next block, in wei per gas.
    fn next_base_fee(&self) -> u64;

    /// A tip that gets a transaction into the next block, in wei per gas.
    fn suggested_tip(&self) -> u128;

    /// Balance and nonce of an account after `block`; zeros where it does not exist.
    fn account(&self, address: Address, block: u64) -> Result<AccountInfo, StateError>;

    /// Code of an account after `block`; empty where it has none.
    fn code(&self, address: Address, block: u64) -> Result<Bytes, StateError>;

    /// Value of a storage slot after `block`; zero where it was never written.
    fn storage(&self, address: Address, slot: B256, block: u64) -> Result<B256, StateError>;

    /// Proves an account and some of its slots against the state root of `block`, as `snapshot` has it: where it has
    /// no longer the tries of that block, the error is [`StateError::NoTries`].
    fn prove_account(
        &self,
        snapshot: &Snapshot,
        address: Address,
        slots: &[B256],
        block: u64,
    ) -> Result<AccountProof, StateError>;

    /// Executes a call over the state after a block and answers with what it returned.
    fn call(&self, request: CallRequest) -> Result<Bytes, CallError>;

    /// The least gas limit with which the call succeeds.
    fn estimate_gas(&self, request: CallRequest) -> Result<u64, CallError>;

    /// Checks a signed transaction (EIP-2718 bytes) and puts it into the pool. Answers with its hash.
    fn submit_transaction(&self, raw: Bytes) -> impl Future<Output = Result<B256, SubmitError>> + Send;

    /// A transaction that waits in the pool. One that leaves it for a block is in a snapshot before it leaves.
    fn pending_transaction(&self, hash: B256) -> Option<PendingTransaction>;

    /// Listens to what happens on the chain from now on. A listener that lags far behind misses some, and is told.
    fn events(&self) -> broadcast::Receiver<ChainEvent>;

    /// Listens to transactions that come into the pool from now on, likewise.
    fn pooled(&self) -> broadcast::Receiver<Arc<PendingTransaction>>;

    /// How many transactions wait in the pool.
    fn pool_status(&self) -> PoolStatus;

    /// The nonce that an account's next transaction has after all that wait in the pool.
    fn pending_nonce(&self, address: Address) -> Result<u64, StateError>;

    /// Transactions `(block, index)`, in chain order and each once, whose receipts may hold a log that matches:
    /// every match is among them, and the interface filters once more. At most `limit` of them, the first ones.
    /// The query has an address or a topic.
    fn log_candidates(&self, query: &LogQuery, limit: usize) -> Result<Vec<(u64, u32)>, NodeError>;

    /// Takes a session to be anchored. The answer is given once the job is on disk.
    fn anchor_session(
        &self,
        request: AnchorRequest,
    ) -> impl Future<Output = Result<AnchorAccepted, AnchorError>> + Send;

    /// Begins a failed or expired anchoring of the node's own account again. The answer is given once that is on disk.
    fn retry_anchoring(
        &self,
        session_id: SessionId,
        account: Option<Address>,
    ) -> impl Future<Output = Result<AnchorAccepted, AnchorError>> + Send;

    /// Writes a payout, new or as far as it has come by now. The answer is given once it is on disk.
    fn record_payout(&self, id: String, payout: PayoutRecord) -> impl Future<Output = Result<(), PayoutError>> + Send;

    /// What the node's clock shows, as the time since 1970.
    fn since_epoch(&self) -> Duration;

    /// The order of the height after the head, as that of `slot`, or of the slot after the head's. `None` for a slot whose
    /// order nobody knows: one at or before the head's that has no block, or one in another epoch than the head's next.
    fn next_schedule(&self, slot: Option<u64>) -> Result<Option<LeaderScheduleDocument>, NodeError>;

    /// How consensus stands.
    fn consensus_status(&self) -> Result<ConsensusStatusDocument, NodeError>;

    /// The nodes that are connected; none where there is no network.
    fn peers(&self) -> impl Future<Output = Result<Vec<PeerDocument>, NodeError>> + Send;

    /// How many nodes are connected; none where there is no network.
    fn peer_count(&self) -> u64;

    /// This node among nodes.
    fn node_info(&self) -> impl Future<Output = Result<NodeInfoDocument, NodeError>> + Send;

    /// Knows a node from now on. Says whether there is a network to know it; the error is what is wrong with the address.
    fn add_peer(&self, address: &str) -> Result<bool, String>;

    /// Hangs up on a node and dials it no more, likewise.
    fn remove_peer(&self, id: &str) -> Result<bool, String>;

    /// Judges a task proof and keeps it until it is brought to the chain. It may be lost with the process.
    fn submit_task_proof(
        &self,
        record: Bytes,
    ) -> impl Future<Output = Result<TaskProofAcceptedDocument, TaskProofError>> + Send;

    /// Builds the proof of a session whose registration is final.
    fn build_anchor_proof(&self, request: ProofRequest) -> Result<AnchorProof, ProofError>;

    /// Checks a proof as a third party would, against `request.genesis_hash` or this chain's own.
    fn verify_anchor_proof(&self, request: VerifyRequest) -> Result<VerifiedAnchor, VerifyError>;

    /// Builds the Merkle tree over `leaves` and the paths of the leaves at `indexes`.
    fn build_merkle(&self, leaves: &[B256], indexes: &[u32]) -> Result<MerkleBuilt, MerkleError>;

    /// Notes how far the export to a target has come, where its step is still `expected`, or there is none. Says whether it
    /// was, once it is on disk.
    fn put_export_state(
        &self,
        target: String,
        state: ExportStateRecord,
        expected: Option<u64>,
    ) -> impl Future<Output = Result<bool, NodeError>> + Send;

    /// Takes in rows of a source, each with the id by which the source knows its document where that is not its key's text.
    /// Says of each what became of it, once they are on disk.
    fn import_rows(
        &self,
        source: SourceName,
        rows: Vec<(ImportRow, Option<DocumentId>)>,
    ) -> impl Future<Output = Result<Vec<Imported>, NodeError>> + Send;

    /// Removes documents of a source, so many as one batch may. Says what it did, once that is on disk; `None` where there is
    /// nothing of the source.
    fn remove_source(&self, source: SourceName) -> impl Future<Output = Result<Option<RemovalStep>, NodeError>> + Send;

    /// What the store holds; with the bytes of each table where `sizes` asks for them, which reads all of it.
    fn db_stats(&self, sizes: bool) -> Result<DbStatsDocument, NodeError>;

    /// Begins work on the whole store as it is now, on a thread of its own; called from within the runtime.
    fn begin_db_job(&self, kind: DbJobKind) -> Result<DbJobDocument, DbJobError>;

    /// How the work that was begun last stands; `None` where none was.
    fn db_job(&self) -> Option<DbJobDocument>;
}
