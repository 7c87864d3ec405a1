//! What the RPC server asks of the node. Wire types and limits are the server's matter; here typed questions get typed
//! answers from a snapshot, the pool and the anchorings.

use super::{
    care,
    error::{NodeError, is_disk_full},
    guards::SealingStop,
    proof_pool::{MAX_WAITING_PROOFS, ProofRefused},
    state::Node,
    voting::Standing,
};
use crate::{
    anchoring::{self, MerkleTree},
    chain::{self, ChainError, LogFilter},
    consensus::poot::{self, Place, PootError},
    evm::{self, Simulation, World},
    keys::DEV_ACCOUNTS,
    mempool,
    network::{NetworkError, NetworkSnapshot, PeerInfo},
    state::{HistoricalState, LatestState, StateError, StateReader, prove},
};
use alloy_consensus::{Header, Sealed};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_trie::EMPTY_ROOT_HASH;
use lucid_rpc::{
    self as rpc, AnchorAccepted, AnchorError, AnchorRequest, CallError, CallRequest, ChainInfo,
    ConsensusStatusDocument, DbJobDocument, DbJobError, DbJobKind, DbStatsDocument, LeaderScheduleDocument, LogQuery,
    MerkleBuilt, MerkleError, NodeApi, NodeInfoDocument, PayoutError, PeerDocument, PendingTransaction, PlaceDocument,
    PoolStatus, ProofError, ProofRequest, SubmitError, SyncProgress, TaskProofAcceptedDocument, TaskProofError,
    VerifiedAnchor, VerifyError, VerifyRequest,
};
use lucid_storage::{
    AccountRecord, DocumentId, ExportStateRecord, ImportRow, Imported, PayoutRecord, RemovalStep, Snapshot, SourceName,
    StoreError, put_export_state,
};
use lucid_types::{AnchorProof, ChainEvent, Rules, SessionId};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;
use tracing::error;

/// What is offered as a tip, in wei per gas: no block here has been full for long, so one gwei is always enough.
const SUGGESTED_TIP: u128 = 1_000_000_000;

/// How an account that does not exist is answered (EIP-1186): no code and no storage.
const ABSENT: AccountRecord =
    AccountRecord { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY, storage_root: EMPTY_ROOT_HASH };

/// A node as the RPC server sees it.
pub(super) struct Backend {
    node: Arc<Node>,
    info: ChainInfo,
}

impl Backend {
    pub(super) fn new(node: Arc<Node>) -> Self {
        let info = ChainInfo {
            genesis_hash: node.genesis_hash,
            spec: Arc::new(node.spec.clone()),
            client_version: client_version(),
            node_address: node.keys.account().address(),
        };
        Self { node, info }
    }

    /// Runs `read` on the state after `block`.
    fn at<T>(
        &self,
        block: u64,
        read: impl FnOnce(&Snapshot, &dyn StateReader) -> Result<T, StateError>,
    ) -> Result<T, rpc::StateError> {
        let snapshot = NodeApi::snapshot(self)?;
        let head = chain::read_head(&snapshot).map_err(chain_fault)?.number;
        let answer = if block == head {
            read(&snapshot, &LatestState::new(&snapshot))
        } else {
            HistoricalState::new(&snapshot, block, head).and_then(|state| read(&snapshot, &state))
        };
        answer.map_err(state_fault)
    }

    /// Runs `run` on the state after a block, in an environment like that block's.
    fn simulate<T>(
        &self,
        block: u64,
        run: impl FnOnce(Simulation<'_>) -> Result<T, evm::CallError>,
    ) -> Result<T, CallError> {
        let snapshot = NodeApi::snapshot(self)?;
        let header: Sealed<Header> =
            chain::read_header(&snapshot, block).map_err(chain_fault)?.ok_or(rpc::NodeError::Corrupt("block"))?;
        let outcome = self.at(block, |snapshot, state| {
            Ok(run(Simulation::new(self.node.spec.chain_id, &header, World::new(state, snapshot))))
        });
        outcome?.map_err(call_fault)
    }
}

/// Name, version and platform, as `web3_clientVersion` answers.
fn client_version() -> String {
    format!("lucid-node/v{}/{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}

impl NodeApi for Backend {
    fn snapshot(&self) -> Result<Snapshot, rpc::NodeError> {
        Ok(self.node.snapshot())
    }

    fn chain_info(&self) -> ChainInfo {
        self.info.clone()
    }

    fn sealing_stop(&self) -> Option<String> {
        let stops = self.node.sealing_stops();
        (!stops.is_empty()).then(|| stops.to_string())
    }

    fn since_epoch(&self) -> Duration {
        super::clock::since_epoch()
    }

    fn next_schedule(&self, slot: Option<u64>) -> Result<Option<LeaderScheduleDocument>, rpc::NodeError> {
        let (snapshot, node) = (self.node.snapshot(), &self.node);
        let schedule = poot::next_schedule(&snapshot, &node.spec).map_err(|fault| node_fault(fault.into()))?;
        let slot = slot.unwrap_or(schedule.parent_slot + 1);
        if slot <= schedule.parent_slot {
            return Ok(None);
        }
        let (primary, fallbacks) = schedule.order.named();
        let place = |place: &Place| PlaceDocument { entity: place.entity, leader: place.leader, role: place.role };
        let order = schedule.order.places().iter().map(place).collect();
        // A slot to come has no reason yet.
        let has_begun = slot <= node.slot_now();
        let reason = has_begun.then(|| node.reason_without_block(&schedule, slot)).flatten().map(str::to_owned);
        let height = Some(schedule.height);
        Ok(Some(LeaderScheduleDocument { slot, height, primary, fallbacks, result: None, reason, order }))
    }

    fn consensus_status(&self) -> Result<ConsensusStatusDocument, rpc::NodeError> {
        let node = &self.node;
        let schedule = poot::next_schedule(&node.snapshot(), &node.spec).map_err(|fault| node_fault(fault.into()))?;
        let is_alone = node.author.is_alone(&schedule);
        let standing = match node.part.get() {
            Some(part) => part.standing(),
            None => Standing { may_sign: is_alone, ..Standing::default() },
        };
        Ok(ConsensusStatusDocument {
            height: schedule.height,
            is_open: standing.is_open,
            round: standing.round,
            leader: schedule.order.of_round(standing.round).leader,
            validators: schedule.set.members().len(),
            is_validator: schedule.set.get(&node.author.address()).is_some(),
            may_sign: standing.may_sign,
            stopped: self.sealing_stop(),
        })
    }

    async fn peers(&self) -> Result<Vec<PeerDocument>, rpc::NodeError> {
        let Some(part) = self.node.part.get() else { return Ok(Vec::new()) };
        Ok(part.snapshot().await.peers.into_iter().map(peer_document).collect())
    }

    fn peer_count(&self) -> u64 {
        self.node.part.get().map_or(0, |part| part.network.counts().connected as u64)
    }

    async fn node_info(&self) -> Result<NodeInfoDocument, rpc::NodeError> {
        let (part, mut snapshot) = (self.node.part.get(), NetworkSnapshot::default());
        if let Some(part) = part {
            snapshot = part.snapshot().await;
        }
        Ok(NodeInfoDocument {
            id: part.map(|part| part.network.local_id().to_string()),
            agent: self.info.client_version.clone(),
            address: self.info.node_address,
            listening: snapshot.listening,
            peers: snapshot.peers.len(),
            known_peers: snapshot.known,
        })
    }

    fn add_peer(&self, address: &str) -> Result<bool, String> {
        let address = address.parse().map_err(|error: NetworkError| error.to_string())?;
        Ok(self.node.part.get().is_some_and(|part| part.network.add_peer(address).is_ok()))
    }

    fn remove_peer(&self, id: &str) -> Result<bool, String> {
        let id = id.parse().map_err(|error: NetworkError| error.to_string())?;
        Ok(self.node.part.get().is_some_and(|part| part.network.remove_peer(id).is_ok()))
    }

    async fn submit_task_proof(&self, record: Bytes) -> Result<TaskProofAcceptedDocument, TaskProofError> {
        let node = Arc::clone(&self.node);
        let taken = tokio::task::spawn_blocking(move || node.submit_proof(&record)).await;
        let taken = taken.map_err(|_| TaskProofError::Node(rpc::NodeError::Stopping))?;
        match taken {
            Ok(key) => Ok(TaskProofAcceptedDocument { node_id: key.node_id, slot: key.slot, kind: key.kind }),
            Err(ProofRefused::Full) => Err(TaskProofError::Full(MAX_WAITING_PROOFS)),
            Err(ProofRefused::Node(error)) => Err(node_fault(error).into()),
            Err(refused) => Err(TaskProofError::CountsNothing(refused.to_string())),
        }
    }

    fn sync_progress(&self) -> Option<SyncProgress> {
        let noted = self.node.part.get()?.progress.get()?;
        let current_block = self.node.head().header.number;
        Some(SyncProgress { starting_block: noted.starting, current_block, highest_block: noted.highest })
    }

    fn dev_accounts(&self) -> Vec<Address> {
        match self.node.spec.rules {
            Rules::Dev => DEV_ACCOUNTS.iter().map(|account| account.address()).collect(),
            Rules::Poot => Vec::new(),
        }
    }

    fn next_base_fee(&self) -> u64 {
        self.node.head().next_base_fee()
    }

    fn suggested_tip(&self) -> u128 {
        SUGGESTED_TIP
    }

    fn account(&self, address: Address, block: u64) -> Result<rpc::AccountInfo, rpc::StateError> {
        let account = self.at(block, |_, state| state.account(address))?;
        Ok(account.map_or_else(rpc::AccountInfo::default, |account| rpc::AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
        }))
    }

    fn code(&self, address: Address, block: u64) -> Result<Bytes, rpc::StateError> {
        self.at(block, |_, state| match state.account(address)? {
            Some(account) => state.code(account.code_hash),
            None => Ok(Bytes::new()),
        })
    }

    fn storage(&self, address: Address, slot: B256, block: u64) -> Result<B256, rpc::StateError> {
        self.at(block, |_, state| state.storage(address, slot.into())).map(|value: U256| value.into())
    }

    fn prove_account(
        &self,
        snapshot: &Snapshot,
        address: Address,
        slots: &[B256],
        block: u64,
    ) -> Result<rpc::AccountProof, rpc::StateError> {
        let head = chain::read_head(snapshot).map_err(chain_fault)?.number;
        if block != head {
            return Err(rpc::StateError::NoTries { block, head });
        }
        let slots: Vec<U256> = slots.iter().map(|slot| (*slot).into()).collect();
        let proof = prove(snapshot, address, &slots).map_err(state_fault)?;
        let account = proof.account.unwrap_or(ABSENT);
        let slots = proof.slots.into_iter().map(|slot| rpc::SlotProof { value: slot.value, nodes: slot.nodes });
        Ok(rpc::AccountProof {
            account: rpc::AccountInfo { balance: account.balance, nonce: account.nonce },
            code_hash: account.code_hash,
            storage_root: account.storage_root,
            nodes: proof.nodes,
            slots: slots.collect(),
        })
    }

    fn call(&self, request: CallRequest) -> Result<Bytes, CallError> {
        let limits = evm::CallLimits { gas_cap: request.gas_cap, deadline: request.deadline };
        self.simulate(request.block, |simulation| simulation.call(request.transaction, request.overrides, limits))
    }

    fn estimate_gas(&self, request: CallRequest) -> Result<u64, CallError> {
        let limits = evm::CallLimits { gas_cap: request.gas_cap, deadline: request.deadline };
        self.simulate(request.block, |simulation| {
            simulation.estimate_gas(request.transaction, request.overrides, limits)
        })
    }

    async fn submit_transaction(&self, raw: Bytes) -> Result<B256, SubmitError> {
        let node = Arc::clone(&self.node);
        let added = tokio::task::spawn_blocking(move || match node.guards.disk_full() {
            // It would wait for a block that cannot come, and be lost with the power.
            Some(stop @ SealingStop::StoreFull { .. }) => Err(SubmitError::StoreFull(stop.to_string())),
            Some(_) => Err(SubmitError::DiskFull),
            None => node.submit(&raw).map_err(submit_fault),
        });
        added.await.map_err(|_| rpc::NodeError::Stopping)?
    }

    fn pending_transaction(&self, hash: B256) -> Option<PendingTransaction> {
        let pool = self.node.pool();
        let transaction = pool.get(&hash)?;
        Some(PendingTransaction { transaction: transaction.inner().clone(), sender: transaction.signer() })
    }

    fn events(&self) -> broadcast::Receiver<ChainEvent> {
        self.node.events.subscribe()
    }

    fn pooled(&self) -> broadcast::Receiver<Arc<PendingTransaction>> {
        self.node.pooled.subscribe()
    }

    fn pool_status(&self) -> PoolStatus {
        let (pending, queued) = self.node.pool().status();
        PoolStatus { pending, queued }
    }

    fn pending_nonce(&self, address: Address) -> Result<u64, rpc::StateError> {
        self.node.next_nonce(address).map_err(state_fault)
    }

    fn log_candidates(&self, query: &LogQuery, limit: usize) -> Result<Vec<(u64, u32)>, rpc::NodeError> {
        let filter = LogFilter {
            heights: query.from_block..=query.to_block,
            addresses: query.addresses.clone(),
            topics: query.topics.clone(),
        };
        chain::find_logs(&NodeApi::snapshot(self)?, &filter, limit).map_err(chain_fault)
    }

    async fn anchor_session(&self, request: AnchorRequest) -> Result<AnchorAccepted, AnchorError> {
        let node = Arc::clone(&self.node);
        let accepted = tokio::task::spawn_blocking(move || node.accept_anchoring(request)).await;
        accepted.map_err(|_| rpc::NodeError::Stopping)?
    }

    async fn retry_anchoring(
        &self,
        session_id: SessionId,
        account: Option<Address>,
    ) -> Result<AnchorAccepted, AnchorError> {
        let node = Arc::clone(&self.node);
        let accepted = tokio::task::spawn_blocking(move || node.retry_anchoring(session_id, account)).await;
        accepted.map_err(|_| rpc::NodeError::Stopping)?
    }

    async fn record_payout(&self, id: String, payout: PayoutRecord) -> Result<(), PayoutError> {
        let node = Arc::clone(&self.node);
        let recorded = tokio::task::spawn_blocking(move || node.record_payout(&id, &payout)).await;
        recorded.map_err(|_| rpc::NodeError::Stopping)?
    }

    fn build_anchor_proof(&self, request: ProofRequest) -> Result<AnchorProof, ProofError> {
        self.node.build_anchor_proof(&request)
    }

    fn verify_anchor_proof(&self, request: VerifyRequest) -> Result<VerifiedAnchor, VerifyError> {
        let genesis_hash = request.genesis_hash.unwrap_or(self.node.genesis_hash);
        let checked = anchoring::check(&request.proof, genesis_hash).map_err(|e| VerifyError::Failed(e.to_string()))?;
        if let Some(account) = request.account.filter(|account| *account != checked.account) {
            let found = checked.account;
            return Err(VerifyError::Failed(format!("the session was registered by {found}, not by {account}")));
        }
        Ok(VerifiedAnchor {
            session_id: checked.session_id,
            account: checked.account,
            owner: checked.owner,
            merkle_root: checked.merkle_root,
            manifest_hash: checked.manifest_hash,
            chunk_count: checked.chunk_count,
            chunks: checked.chunk_indexes().collect(),
            block_number: checked.block_number,
            block_hash: checked.block_hash,
            block_timestamp: checked.block_time,
            genesis_hash,
        })
    }

    async fn put_export_state(
        &self,
        target: String,
        state: ExportStateRecord,
        expected: Option<u64>,
    ) -> Result<bool, rpc::NodeError> {
        let node = Arc::clone(&self.node);
        let put = move || {
            let put = node.write(|batch| put_export_state(batch, &target, &state, expected));
            put.map_err(|error| node.write_fault(error))
        };
        tokio::task::spawn_blocking(put).await.map_err(|_| rpc::NodeError::Stopping)?
    }

    async fn import_rows(
        &self,
        source: SourceName,
        rows: Vec<(ImportRow, Option<DocumentId>)>,
    ) -> Result<Vec<Imported>, rpc::NodeError> {
        let node = Arc::clone(&self.node);
        let import = move || {
            let imported = node.write(|batch| {
                let imported = rows.iter().map(|(row, known_by)| batch.import_row(&source, row, *known_by));
                imported.collect::<Result<Vec<_>, StoreError>>()
            });
            imported.map_err(|error| node.write_fault(error))
        };
        tokio::task::spawn_blocking(import).await.map_err(|_| rpc::NodeError::Stopping)?
    }

    async fn remove_source(&self, source: SourceName) -> Result<Option<RemovalStep>, rpc::NodeError> {
        let node = Arc::clone(&self.node);
        let remove = move || {
            let removed = node.write(|batch| batch.remove_source(&source));
            removed.map_err(|error| node.write_fault(error))
        };
        tokio::task::spawn_blocking(remove).await.map_err(|_| rpc::NodeError::Stopping)?
    }

    fn db_stats(&self, sizes: bool) -> Result<DbStatsDocument, rpc::NodeError> {
        let store = &self.node.store;
        let (snapshot, written) = (self.node.snapshot(), store.stats()?);
        care::stats(&snapshot, store.meta(), written.file_bytes, Some((written, self.node.writes_for())), sizes)
            .map_err(node_fault)
    }

    fn begin_db_job(&self, kind: DbJobKind) -> Result<DbJobDocument, DbJobError> {
        self.node.begin_db_job(kind)
    }

    fn db_job(&self) -> Option<DbJobDocument> {
        self.node.db_jobs.last()
    }

    fn build_merkle(&self, leaves: &[B256], indexes: &[u32]) -> Result<MerkleBuilt, MerkleError> {
        let count = leaves.len();
        let tree = MerkleTree::new(leaves.to_vec()).map_err(|error| match error {
            anchoring::MerkleError::NoLeaves => MerkleError::Empty,
            _ => MerkleError::TooHigh { leaves: count, height_max: anchoring::MAX_TREE_HEIGHT as u32 },
        })?;
        let path =
            |index: &u32| tree.path(*index).map_err(|_| MerkleError::NoSuchLeaf { index: *index, leaves: count });
        Ok(MerkleBuilt {
            merkle_root: tree.root(),
            height: tree.height() as u32,
            paths: indexes.iter().map(path).collect::<Result<_, _>>()?,
        })
    }
}

impl Node {
    /// Why a write was not made, as a client is told.
    pub(super) fn write_fault(&self, error: StoreError) -> rpc::NodeError {
        match is_disk_full(&error) {
            true => {
                let reason = self.guards.disk_full().map(|stop| stop.to_string());
                rpc::NodeError::Full(reason.unwrap_or_else(|| "a write found none".to_owned()))
            }
            false => rpc::NodeError::Store(error),
        }
    }
}

fn peer_document(peer: PeerInfo) -> PeerDocument {
    PeerDocument {
        id: peer.id.to_string(),
        address: peer.address,
        is_outbound: peer.is_outbound,
        is_static: peer.is_static,
        agent: peer.agent,
        score: peer.score,
        connected_since: peer.connected_since,
        received_bytes: peer.received_bytes,
        sent_bytes: peer.sent_bytes,
        height: peer.head.map(|(height, _)| height),
    }
}

/// What cannot be read, for the store is damaged or its disk fails.
fn unread(what: &'static str, fault: &dyn std::error::Error, is_damage: bool) -> rpc::NodeError {
    error!(%fault, "{what} cannot be read");
    match is_damage {
        true => rpc::NodeError::Corrupt(what),
        false => rpc::NodeError::Store(StoreError::Engine(fault.to_string().into())),
    }
}

/// A fault of the node that is not the caller's.
pub(super) fn node_fault(fault: NodeError) -> rpc::NodeError {
    match fault {
        NodeError::Store(error) | NodeError::Poot(PootError::Store(error)) => rpc::NodeError::Store(error),
        NodeError::Chain(fault) => chain_fault(fault),
        fault => unread("part of the chain", &fault, fault.is_damage()),
    }
}

/// A fault of the chain room that is not the caller's.
pub(super) fn chain_fault(fault: ChainError) -> rpc::NodeError {
    match fault {
        ChainError::Store(error) => rpc::NodeError::Store(error),
        fault => unread("part of the chain", &fault, fault.is_damage()),
    }
}

pub(super) fn state_fault(fault: StateError) -> rpc::StateError {
    match fault {
        StateError::HistoryPruned { height, oldest } => rpc::StateError::NotKept { block: height, oldest },
        StateError::Store(error) => rpc::NodeError::Store(error).into(),
        fault => unread("part of the state", &fault, fault.is_damage()).into(),
    }
}

pub(super) fn submit_fault(fault: mempool::SubmitError) -> SubmitError {
    match fault {
        mempool::SubmitError::Refused(refusal) => SubmitError::Refused(refusal),
        mempool::SubmitError::State(fault) => SubmitError::Node(unread("part of the state", &fault, fault.is_damage())),
    }
}

fn call_fault(fault: evm::CallError) -> CallError {
    match fault {
        evm::CallError::Reverted(data) => CallError::Reverted { data },
        evm::CallError::OutOfGas { gas_limit } => CallError::OutOfGas { gas_limit },
        evm::CallError::GasAllowance { allowance } => CallError::GasRequiredExceedsAllowance { allowance },
        evm::CallError::Halted(reason) => CallError::Halted { reason },
        evm::CallError::Refused(refusal) => CallError::Refused(refusal),
        evm::CallError::InsufficientFunds { address, balance, cost } => {
            CallError::InsufficientFunds { address, balance, cost }
        }
        evm::CallError::Invalid(text) => CallError::Invalid(text),
        evm::CallError::TimedOut => CallError::TimedOut { timeout_ms: rpc::limits::CALL_TIMEOUT_MS },
        evm::CallError::State(fault) => unread("part of the state", &fault, fault.is_damage()).into(),
    }
}
