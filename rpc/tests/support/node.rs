//! The stand-in for the node: it records what it is asked and answers from what the test put there.

use super::chain::{BASE_FEE, CHAIN_ID, TestChain, sender, session_id};
use alloy_consensus::TxEnvelope;
use alloy_eips::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, address, hex, keccak256};
use k256::ecdsa::SigningKey;
use lucid_rpc::{
    AccountInfo, AccountProof, AnchorAccepted, AnchorError, AnchorRequest, CallError, CallRequest, ChainInfo,
    ConsensusStatusDocument, DbJobDocument, DbJobError, DbJobKind, DbStatsDocument, HeadDocument,
    LeaderScheduleDocument, LogQuery, MerkleBuilt, MerkleError, NodeApi, NodeError, NodeInfoDocument, PayoutError,
    PeerDocument, PendingTransaction, PlaceDocument, PoolStatus, ProofError, ProofRequest, SlotProof, StateError,
    SubmitError, SyncProgress, TaskProofAcceptedDocument, TaskProofError, VerifiedAnchor, VerifyError, VerifyRequest,
};
use lucid_storage::{
    AnchoringStatus, BlockchainState, Current, Direction, DocumentId, ExportStateRecord, ImportRow, Imported,
    PayoutRecord, Payouts, Reader, Receipts, RemovalStep, ScheduleRole, Snapshot, SourceName, StoreError,
    TaskProofType, put_export_state,
};
use lucid_types::{
    AnchorProof, AnchoringId, ChainEvent, ChainSpec, ChunkPath, CommittedBlock, ConsensusKey, GenesisValidator, Preset,
    Rules, SessionId, TransactionRefusal, blake3,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::broadcast;

/// A call to this address reverts with `Error("too late")`.
pub(crate) const REVERTING: Address = address!("0x00000000000000000000000000000000000000ee");
/// Reading the code of this address fails as a broken disk does.
pub(crate) const LIAR: Address = address!("0x00000000000000000000000000000000000000ff");

/// News that a listener may lag behind.
pub(crate) const EVENT_CAPACITY: usize = 16;

pub(crate) struct StandIn {
    pub(crate) chain: TestChain,
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) calls: Mutex<Vec<CallRequest>>,
    pub(crate) pool: Mutex<Vec<Bytes>>,
    pub(crate) anchored: Mutex<Vec<AnchorRequest>>,
    pub(crate) log_queries: Mutex<Vec<LogQuery>>,
    pub(crate) syncing: Mutex<Option<SyncProgress>>,
    /// How often the store was looked at.
    pub(crate) snapshots: AtomicU64,
    pub(crate) events: broadcast::Sender<ChainEvent>,
    pub(crate) pooled: broadcast::Sender<Arc<PendingTransaction>>,
    /// How long an anchoring takes to reach the disk.
    pub(crate) anchor_delay_ms: AtomicU64,
    /// What its clock shows, in milliseconds since 1970.
    pub(crate) clock_ms: AtomicU64,
}

impl StandIn {
    pub(crate) fn new(chain: TestChain) -> Self {
        let key = SigningKey::from_slice(&[1; 32]).unwrap();
        let point = key.verifying_key().to_encoded_point(true);
        let validator = GenesisValidator {
            node: sender(),
            operator: sender(),
            consensus_key: ConsensusKey::from_bytes(point.as_bytes().try_into().unwrap()).unwrap(),
        };
        let spec = ChainSpec {
            chain_id: CHAIN_ID,
            rules: Rules::Dev,
            genesis_time: 1_800_000_000,
            slot_origin: 1_800_000_000,
            parameters: Preset::Dev.params(),
            server: sender(),
            validators: vec![validator],
            allocations: BTreeMap::new(),
            contracts: BTreeMap::new(),
        };
        Self {
            chain,
            spec: Arc::new(spec),
            calls: Mutex::default(),
            pool: Mutex::default(),
            anchored: Mutex::default(),
            log_queries: Mutex::default(),
            syncing: Mutex::default(),
            snapshots: AtomicU64::default(),
            events: broadcast::channel(EVENT_CAPACITY).0,
            pooled: broadcast::channel(EVENT_CAPACITY).0,
            anchor_delay_ms: AtomicU64::default(),
            clock_ms: AtomicU64::new(1_800_000_100_000),
        }
    }
}

impl StandIn {
    /// Commits a block of one transaction that logs once for each topic, and tells those who listen.
    pub(crate) fn commit(&self, nonce: u64, topics: &[B256]) -> Arc<CommittedBlock> {
        let block = self.chain.commit(nonce, topics);
        // Nobody may listen.
        let _ = self.events.send(ChainEvent::BlockCommitted(block.clone()));
        block
    }
}

impl NodeApi for StandIn {
    fn snapshot(&self) -> Result<Snapshot, NodeError> {
        self.snapshots.fetch_add(1, Ordering::Relaxed);
        Ok(self.chain.store.snapshot()?)
    }

    fn chain_info(&self) -> ChainInfo {
        ChainInfo {
            genesis_hash: TestChain::header(0).hash_slow(),
            spec: self.spec.clone(),
            client_version: "lucid-node/v0.1.0/test".into(),
            node_address: sender(),
        }
    }

    fn sealing_stop(&self) -> Option<String> {
        None
    }

    fn since_epoch(&self) -> Duration {
        Duration::from_millis(self.clock_ms.load(Ordering::Relaxed))
    }

    fn next_schedule(&self, slot: Option<u64>) -> Result<Option<LeaderScheduleDocument>, NodeError> {
        let primary = sender();
        let order = vec![PlaceDocument { entity: primary, leader: primary, role: ScheduleRole::EmergencyFallback }];
        let slot = slot.unwrap_or(101);
        let head = self.snapshot()?.get::<BlockchainState>(&Current)?.ok_or(NodeError::Corrupt("head"))?;
        let height = Some(head.height + 1);
        Ok(Some(LeaderScheduleDocument { slot, height, primary, fallbacks: vec![], result: None, reason: None, order }))
    }

    fn consensus_status(&self) -> Result<ConsensusStatusDocument, NodeError> {
        Ok(ConsensusStatusDocument {
            height: 3,
            is_open: true,
            round: 1,
            leader: sender(),
            validators: 1,
            is_validator: true,
            may_sign: true,
            stopped: None,
        })
    }

    async fn peers(&self) -> Result<Vec<PeerDocument>, NodeError> {
        Ok(Vec::new())
    }

    fn peer_count(&self) -> u64 {
        17
    }

    async fn node_info(&self) -> Result<NodeInfoDocument, NodeError> {
        let (id, agent, address) = (None, "test".to_owned(), sender());
        Ok(NodeInfoDocument { id, agent, address, listening: vec![], peers: 0, known_peers: 0 })
    }

    fn add_peer(&self, address: &str) -> Result<bool, String> {
        if address.starts_with('/') { Ok(true) } else { Err(format!("`{address}` is no address of a peer")) }
    }

    fn remove_peer(&self, _: &str) -> Result<bool, String> {
        Ok(false)
    }

    async fn submit_task_proof(&self, record: Bytes) -> Result<TaskProofAcceptedDocument, TaskProofError> {
        match record.len() {
            97 => Ok(TaskProofAcceptedDocument { node_id: sender(), slot: 7, kind: TaskProofType::UptimeBeacon }),
            length => Err(TaskProofError::CountsNothing(format!("a record has 97 bytes, and this one {length}"))),
        }
    }

    fn sync_progress(&self) -> Option<SyncProgress> {
        *self.syncing.lock().unwrap()
    }

    fn dev_accounts(&self) -> Vec<Address> {
        vec![sender()]
    }

    fn next_base_fee(&self) -> u64 {
        BASE_FEE
    }

    fn suggested_tip(&self) -> u128 {
        5
    }

    fn account(&self, address: Address, block: u64) -> Result<AccountInfo, StateError> {
        let known = address == sender();
        Ok(if known { AccountInfo { balance: U256::from(1000 + block), nonce: 4 } } else { AccountInfo::default() })
    }

    fn code(&self, address: Address, _: u64) -> Result<Bytes, StateError> {
        if address == LIAR {
            return Err(NodeError::Store(StoreError::Missing("/secret/place".into())).into());
        }
        Ok(Bytes::from_static(&[0x60, 0x01]))
    }

    fn storage(&self, _: Address, slot: B256, block: u64) -> Result<B256, StateError> {
        match block {
            0 => Err(StateError::NotKept { block, oldest: 1 }),
            _ => Ok(slot),
        }
    }

    /// Nodes that only tell what they would prove.
    fn prove_account(
        &self,
        snapshot: &Snapshot,
        address: Address,
        slots: &[B256],
        block: u64,
    ) -> Result<AccountProof, StateError> {
        let head = snapshot.get::<BlockchainState>(&Current).unwrap().unwrap().height;
        if block != head {
            return Err(StateError::NoTries { block, head });
        }
        let slot = |slot: &B256| SlotProof { value: (*slot).into(), nodes: vec![Bytes::copy_from_slice(&slot[31..])] };
        Ok(AccountProof {
            account: self.account(address, block)?,
            code_hash: KECCAK256_EMPTY,
            storage_root: B256::repeat_byte(0x5a),
            nodes: vec![Bytes::copy_from_slice(&address[..2])],
            slots: slots.iter().map(slot).collect(),
        })
    }

    fn call(&self, request: CallRequest) -> Result<Bytes, CallError> {
        let to = request.transaction.to.and_then(|to| to.to().copied());
        let input = request.transaction.input.input().cloned().unwrap_or_default();
        self.calls.lock().unwrap().push(request);
        if to == Some(REVERTING) {
            let data = hex!(
                "08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000"
                "00000000000000000000000000000008746f6f206c617465000000000000000000000000000000000000000000000000"
            );
            return Err(CallError::Reverted { data: data.into() });
        }
        Ok(input)
    }

    fn estimate_gas(&self, request: CallRequest) -> Result<u64, CallError> {
        self.call(request).map(|_| 21_000)
    }

    async fn submit_transaction(&self, raw: Bytes) -> Result<B256, SubmitError> {
        let decoded =
            TxEnvelope::decode_2718(&mut &raw[..]).map_err(|e| TransactionRefusal::Malformed(e.to_string()))?;
        let mut pool = self.pool.lock().unwrap();
        if pool.contains(&raw) {
            return Err(TransactionRefusal::AlreadyKnown.into());
        }
        pool.push(raw);
        let news = PendingTransaction { transaction: decoded.clone(), sender: sender() };
        let _ = self.pooled.send(Arc::new(news));
        Ok(*decoded.tx_hash())
    }

    fn pending_transaction(&self, hash: B256) -> Option<PendingTransaction> {
        let pool = self.pool.lock().unwrap();
        let raw = pool.iter().find(|raw| keccak256(raw) == hash)?;
        Some(PendingTransaction { transaction: TxEnvelope::decode_2718(&mut &raw[..]).unwrap(), sender: sender() })
    }

    fn events(&self) -> broadcast::Receiver<ChainEvent> {
        self.events.subscribe()
    }

    fn pooled(&self) -> broadcast::Receiver<Arc<PendingTransaction>> {
        self.pooled.subscribe()
    }

    fn pool_status(&self) -> PoolStatus {
        PoolStatus { pending: self.pool.lock().unwrap().len() as u64, queued: 17 }
    }

    fn pending_nonce(&self, _: Address) -> Result<u64, StateError> {
        Ok(9)
    }

    /// Every transaction of the range: more than match, as an index may give.
    fn log_candidates(&self, query: &LogQuery, limit: usize) -> Result<Vec<(u64, u32)>, NodeError> {
        self.log_queries.lock().unwrap().push(query.clone());
        let snapshot = self.snapshot()?;
        let mut found = Vec::new();
        for block in query.from_block..=query.to_block {
            for row in snapshot.range_prefix::<Receipts>(&block, Direction::Forward)? {
                found.push((block, row?.0.index));
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn anchor_session(&self, request: AnchorRequest) -> Result<AnchorAccepted, AnchorError> {
        let session_id = request.manifest.session_id;
        let delay = Duration::from_millis(self.anchor_delay_ms.load(Ordering::Relaxed));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut anchored = self.anchored.lock().unwrap();
        if anchored.iter().any(|other| other.manifest.session_id == session_id) {
            return Err(AnchorError::AlreadyAnchored { session_id, account: sender() });
        }
        let accepted = AnchorAccepted {
            anchoring_id: AnchoringId::from_random([9; 16]),
            session_id,
            account: sender(),
            status: AnchoringStatus::Pending,
            merkle_root: request.manifest.merkle_root,
            transaction_hash: B256::repeat_byte(0x77),
            slot: 12,
            slot_end_time: None,
        };
        anchored.push(request);
        Ok(accepted)
    }

    async fn retry_anchoring(&self, session_id: SessionId, _: Option<Address>) -> Result<AnchorAccepted, AnchorError> {
        Err(AnchorError::Unknown(session_id))
    }

    /// Whatever is asked for; a payout of nothing stands for one that was promised otherwise.
    async fn record_payout(&self, id: String, payout: PayoutRecord) -> Result<(), PayoutError> {
        if payout.usdt_amount == 0 {
            return Err(PayoutError::Altered { id, field: "usdt_amount" });
        }
        let store = &self.chain.store;
        let mut batch = store.begin().map_err(NodeError::from)?;
        batch.put::<Payouts>(&id, &payout).map_err(NodeError::from)?;
        store.commit(batch).map_err(NodeError::from)?;
        Ok(())
    }

    fn build_anchor_proof(&self, request: ProofRequest) -> Result<AnchorProof, ProofError> {
        if request.chunks.last().is_some_and(|last| *last > 2) {
            return Err(ProofError::NoSuchChunk { index: 3, chunk_count: 3 });
        }
        Err(ProofError::UnknownSession(request.session_id))
    }

    fn verify_anchor_proof(&self, request: VerifyRequest) -> Result<VerifiedAnchor, VerifyError> {
        if request.proof.version != 1 {
            return Err(VerifyError::Failed("the proof has version 2".into()));
        }
        Ok(VerifiedAnchor {
            session_id: session_id(1),
            account: request.proof.account,
            owner: request.proof.account,
            merkle_root: B256::repeat_byte(1),
            manifest_hash: B256::repeat_byte(2),
            chunk_count: 3,
            chunks: Vec::new(),
            block_number: 1,
            block_hash: B256::repeat_byte(3),
            block_timestamp: 1_800_000_001,
            genesis_hash: request.genesis_hash.unwrap_or(self.chain_info().genesis_hash),
        })
    }

    /// A tree of two levels at most, which is all that a test of the interface needs.
    fn build_merkle(&self, leaves: &[B256], indexes: &[u32]) -> Result<MerkleBuilt, MerkleError> {
        let (left, right) = match leaves {
            [] => return Err(MerkleError::Empty),
            [left] => (left, left),
            [left, right] => (left, right),
            more => return Err(MerkleError::TooHigh { leaves: more.len(), height_max: 1 }),
        };
        let path = |index: &u32| {
            let leaf = leaves.get(*index as usize).copied();
            let leaf = leaf.ok_or(MerkleError::NoSuchLeaf { index: *index, leaves: leaves.len() })?;
            Ok(ChunkPath { index: *index, leaf, siblings: vec![if *index == 0 { *right } else { *left }] })
        };
        let paths = indexes.iter().map(path).collect::<Result<_, MerkleError>>()?;
        Ok(MerkleBuilt { merkle_root: blake3([left.as_slice(), right.as_slice()]), height: 1, paths })
    }

    async fn put_export_state(
        &self,
        target: String,
        state: ExportStateRecord,
        expected: Option<u64>,
    ) -> Result<bool, NodeError> {
        let mut batch = self.chain.store.begin()?;
        let put = put_export_state(&mut batch, &target, &state, expected)?;
        self.chain.store.commit(batch)?;
        Ok(put)
    }

    async fn import_rows(
        &self,
        source: SourceName,
        rows: Vec<(ImportRow, Option<DocumentId>)>,
    ) -> Result<Vec<Imported>, NodeError> {
        let mut batch = self.chain.store.begin()?;
        let import = |(row, known_by): (ImportRow, _)| batch.import_row(&source, &row, known_by);
        let imported = rows.into_iter().map(import).collect::<Result<_, _>>()?;
        self.chain.store.commit(batch)?;
        Ok(imported)
    }

    async fn remove_source(&self, source: SourceName) -> Result<Option<RemovalStep>, NodeError> {
        let mut batch = self.chain.store.begin()?;
        let step = batch.remove_source(&source)?;
        self.chain.store.commit(batch)?;
        Ok(step)
    }

    /// The numbers of a store without tables.
    fn db_stats(&self, _: bool) -> Result<DbStatsDocument, NodeError> {
        Ok(DbStatsDocument {
            chain_id: CHAIN_ID,
            genesis_hash: B256::ZERO,
            head: HeadDocument { number: 0, hash: B256::ZERO, timestamp: 0 },
            format_version: 1,
            sequence: 7,
            file_bytes: 1 << 20,
            since_start: None,
            writes_for: None,
            collections: Vec::new(),
            tables: Vec::new(),
        })
    }

    /// A check that never ends, and backups that are refused for it.
    fn begin_db_job(&self, kind: DbJobKind) -> Result<DbJobDocument, DbJobError> {
        let job = self.db_job().ok_or(NodeError::Stopping)?;
        if kind == job.kind { Ok(job) } else { Err(DbJobError::Busy(job.kind)) }
    }

    fn db_job(&self) -> Option<DbJobDocument> {
        let (step, kind) = ("rows".to_owned(), DbJobKind::Verify);
        Some(DbJobDocument { step, done: 1, total: 2, ..DbJobDocument::new(1, kind) })
    }
}
