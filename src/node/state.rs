use super::{
    anchorings::Anchorings,
    care::{self, DbJobs},
    clock,
    datadir::DataDir,
    error::{NodeError, is_disk_full},
    guards::{Guards, Signing},
    proof_pool::ProofPool,
    supervise::Progress,
    voting::{Part, read_log},
};
use crate::{
    chain::{self, ChainError, next_base_fee},
    consensus::{
        Author, ClockPolicy,
        bft::SigningGuard,
        poot::{self, replay_block, replayed_height},
    },
    keys::{HighestSignedFile, NodeKeys},
    mempool::{Mempool, PoolLimits, SavedPool, SubmitError},
    state::{HISTORY_BLOCKS, LatestState, StateError, StateReader},
};
use alloy_consensus::{Header, Sealed, transaction::Recovered};
use alloy_primitives::{Address, B256};
use lucid_rpc::{DbWritesDocument, DbWritesForDocument, PendingTransaction};
use lucid_storage::{
    Batch, BlockchainState, CommitCosts, Compacted, Current, FORMAT_VERSION, Meta, Options, Reader, RunningCompaction,
    Seals, SharedCommits, Snapshot, Store, StoreError, prune_expired,
};
use lucid_types::{Certificate, ChainEvent, ChainSpec};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::{Notify, broadcast};
use tracing::{debug, info};

/// Events that a slow listener may lag behind before it misses some.
const EVENT_CAPACITY: usize = 256;

/// Mode of the store's file: local paths and payouts are nobody else's business.
const STORE_MODE: u32 = 0o600;
/// Transactions that came into the pool that a slow listener may lag behind before it misses some: a full block.
const POOLED_CAPACITY: usize = 1_024;

/// The last block.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) header: Sealed<Header>,
    /// What made it final; genesis has none.
    pub(super) certificate: Option<Certificate>,
}

impl Head {
    /// Base fee of the next block, in wei.
    pub(super) fn next_base_fee(&self) -> u64 {
        next_base_fee(&self.header)
    }
}

/// A node: the store and what is known of its chain. Shared by the server, the block maker and the anchorings.
pub struct Node {
    pub(super) store: Store,
    pub(super) spec: ChainSpec,
    pub(super) genesis_hash: B256,
    /// How many blocks back the state is kept.
    pub(super) history_blocks: u64,
    pub(super) keys: NodeKeys,
    pub(super) author: Author,
    pub(super) guards: Guards,
    pub(super) db_jobs: DbJobs,
    pub(super) events: broadcast::Sender<ChainEvent>,
    pub(super) pooled: broadcast::Sender<Arc<PendingTransaction>>,
    /// Task proofs that are new here.
    pub(super) proven: broadcast::Sender<Vec<u8>>,
    /// Told whenever the pool has something new.
    pub(super) pool_changed: Notify,
    head: RwLock<Arc<Head>>,
    /// Whoever writes to the store, and what answers are read from. A block that is on disk is not told of until its
    /// signing is recorded too.
    commits: SharedCommits,
    pool: Mutex<Mempool>,
    /// Told whenever the pool has something that may have no row yet.
    pub(super) pool_unsaved: Notify,
    /// Locked before anything is written, where both are.
    pub(super) saved_pool: Mutex<SavedPool>,
    anchorings: Mutex<Anchorings>,
    /// Sessions that came to be anchored since the start.
    pub(super) sessions_anchored: AtomicU64,
    pub(super) progress: Progress,
    proofs: Mutex<ProofPool>,
    /// Where the node takes part with others.
    pub(super) part: OnceLock<Part>,
}

/// How an existing chain is opened.
#[derive(Debug, Clone)]
pub(super) struct OpenOptions {
    pub(super) store: Options,
    /// How many blocks back the state is kept.
    pub(super) history_blocks: u64,
    pub(super) pool: PoolLimits,
    /// `None` where the chain is a development chain, whose clock is not looked at.
    pub(super) clock: Option<ClockPolicy>,
    /// To sign on from the store's head, whatever was signed.
    pub(super) accept_restored: bool,
    /// Whether it takes part in consensus over a network, also where it is the only validator now.
    pub(super) takes_part: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            store: Options::default(),
            history_blocks: HISTORY_BLOCKS,
            pool: PoolLimits::default(),
            clock: None,
            accept_restored: false,
            takes_part: false,
        }
    }
}

impl Node {
    /// Opens the development chain in `datadir`, or makes the one that `new_spec` describes where there is none.
    pub fn open(
        datadir: &DataDir,
        keys: NodeKeys,
        options: &Options,
        new_spec: impl FnOnce(&NodeKeys) -> Result<ChainSpec, NodeError>,
    ) -> Result<Self, NodeError> {
        if !datadir.store().exists() {
            create_store(datadir, &new_spec(&keys)?, options)?;
        }
        Self::open_existing(datadir, keys, &OpenOptions { store: options.clone(), ..OpenOptions::default() })
    }

    /// Opens the chain in `datadir`.
    pub(super) fn open_existing(datadir: &DataDir, keys: NodeKeys, options: &OpenOptions) -> Result<Self, NodeError> {
        let store = open_store(datadir, &options.store)?;
        let spec = ChainSpec::from_json(&store.meta().chain_spec)?;
        let genesis_hash = store.meta().genesis_hash;
        let snapshot = with_genesis(&store, &spec)?;
        let author = Author::new(&spec, genesis_hash, &keys);
        let is_alone = author.is_alone(&poot::next_schedule(&snapshot, &spec)?);
        let header = chain::read_head(&snapshot)?;
        let certificate = snapshot.get::<Seals>(&header.number)?.map(|seal| seal.certificate);
        let anchorings = Anchorings::load(&snapshot, keys.account().address())?;
        let (pool, saved_pool) = load_pool(&snapshot, &spec, &header, options.pool)?;
        let signing = if datadir.is_temporary() {
            Signing::Unrecorded
        } else if is_alone && !(options.takes_part && log_knows_all(&snapshot, &datadir.keys(), &header, &author)?) {
            let slot = spec.slots().slot_at(header.timestamp).unwrap_or_default();
            Signing::open(&datadir.keys(), (header.number, slot), options.accept_restored)?
        } else {
            // With others a node follows until it knows that it may sign.
            Signing::Recorded(HighestSignedFile::in_folder(&datadir.keys()))
        };
        Ok(Self {
            commits: SharedCommits::new(store.clone())?,
            db_jobs: DbJobs::new(datadir.backups()),
            guards: Guards::new(datadir, options.clock, signing, clock::recorded(datadir))
                .with_store_bound(store.path(), options.store.max_file_bytes),
            store,
            spec,
            genesis_hash,
            history_blocks: options.history_blocks,
            keys,
            author,
            events: broadcast::channel(EVENT_CAPACITY).0,
            pooled: broadcast::channel(POOLED_CAPACITY).0,
            proven: broadcast::channel(POOLED_CAPACITY).0,
            pool_changed: Notify::new(),
            head: RwLock::new(Arc::new(Head { header, certificate })),
            pool: Mutex::new(pool),
            pool_unsaved: Notify::new(),
            saved_pool: Mutex::new(saved_pool),
            anchorings: Mutex::new(anchorings),
            sessions_anchored: AtomicU64::new(0),
            progress: Progress::new(),
            proofs: Mutex::default(),
            part: OnceLock::new(),
        })
    }

    /// The chain spec.
    pub fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// Hash of the genesis header.
    pub fn genesis_hash(&self) -> B256 {
        self.genesis_hash
    }

    /// Whether this node is the only one whose votes count on the next block.
    pub(super) fn is_alone(&self) -> Result<bool, NodeError> {
        Ok(self.author.is_alone(&poot::next_schedule(&self.snapshot(), &self.spec)?))
    }

    /// That others vote too, or instead.
    pub(super) fn not_alone(&self) -> Result<NodeError, NodeError> {
        let schedule = poot::next_schedule(&self.snapshot(), &self.spec)?;
        let node = self.author.address();
        Ok(match schedule.set.members() {
            [only] if only.address != node => NodeError::OtherValidator { validator: only.address, node },
            members => NodeError::NotAlone { validators: members.len(), node },
        })
    }

    /// A view of the last block that may be told of, and everything with it.
    pub fn snapshot(&self) -> Snapshot {
        self.commits.snapshot()
    }

    /// Listens to what happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ChainEvent> {
        self.events.subscribe()
    }

    pub(super) fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_head(&self, head: Head) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(head);
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn proofs(&self) -> MutexGuard<'_, ProofPool> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn anchorings(&self) -> MutexGuard<'_, Anchorings> {
        self.anchorings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a signed transaction into the pool.
    pub(super) fn submit(&self, raw: &[u8]) -> Result<B256, SubmitError> {
        let transaction = Mempool::decode(raw, &self.spec)?;
        // Copied only for somebody who listens.
        let news = (self.pooled.receiver_count() > 0).then(|| transaction.clone());
        let base_fee = self.head().next_base_fee();
        // Locked before the snapshot is taken: a block that is committed in between updates the pool afterwards.
        let mut pool = self.pool();
        let snapshot = self.store.snapshot().map_err(StateError::from)?;
        let hash = pool.add(transaction, &self.spec, base_fee, &LatestState::new(&snapshot))?;
        drop(pool);
        self.pool_changed.notify_one();
        self.pool_unsaved.notify_one();
        if let Some((transaction, sender)) = news.map(Recovered::into_parts) {
            // Whoever listened may be gone by now, and that is no error.
            let _ = self.pooled.send(Arc::new(PendingTransaction { transaction, sender }));
        }
        Ok(hash)
    }

    /// The nonce after an account's transactions, those that wait included.
    pub(super) fn next_nonce(&self, address: Address) -> Result<u64, StateError> {
        let pool = self.pool();
        match pool.next_nonce(&address) {
            Some(nonce) => Ok(nonce),
            None => {
                let account = LatestState::new(&self.store.snapshot()?).account(address)?;
                Ok(account.map_or(0, |account| account.nonce))
            }
        }
    }

    /// Whether a block made now could take anything that waits.
    pub(super) fn has_ready(&self) -> bool {
        self.has_ready_in(self.slot_now())
    }

    /// Whether a block made while the clock shows `slot` could take anything that waits.
    pub(super) fn has_ready_in(&self, slot: u64) -> bool {
        let base_fee = self.head().next_base_fee();
        self.pool().has_ready(base_fee) || self.proofs_due(slot)
    }

    /// Makes a change that is on disk, and in what answers are read from, when this returns. Those who write at the same
    /// time share a commit. Refused while the disk is nearly full. Where it fills up in the midst of a write, nothing is
    /// written, and reading goes on.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Batch) -> Result<T, E>,
    ) -> Result<T, E> {
        self.writing(|| self.commits.write(|batch| change(batch).map_err(Refused::Change)))
    }

    /// As [`Node::write`], waiting for nobody, and with what has to be done between the commit and the first answer.
    pub(super) fn write_then<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Batch) -> Result<T, E>,
        committed: impl FnOnce(&T) -> Result<(), E>,
    ) -> Result<T, E> {
        self.writing(|| {
            self.commits.write_now(
                |batch| change(batch).map_err(Refused::Change),
                |value| committed(value).map_err(Refused::Change),
            )
        })
    }

    /// As [`Node::write`], waiting for nobody, and counted as the log of consensus.
    pub(super) fn write_to_log<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Batch) -> Result<T, E>,
    ) -> Result<T, E> {
        self.writing(|| self.commits.write_log(|batch| change(batch).map_err(Refused::Change)))
    }

    /// Puts a copy of the store in its place while nobody writes. Answers are read from it from then on.
    pub(super) fn finish_compaction(&self, copy: RunningCompaction) -> Result<Compacted, StoreError> {
        self.commits.hold(|_| copy.finish())
    }

    /// What went to the file since the start, by what it was for. Only blocks and the log of consensus wait for nobody.
    pub(super) fn writes_for(&self) -> DbWritesForDocument {
        let writes = |costs: CommitCosts| DbWritesDocument {
            commits: costs.commits,
            bytes_written: costs.bytes_written,
            syncs: costs.syncs,
        };
        let costs = self.commits.costs();
        DbWritesForDocument {
            blocks: writes(costs.at_once),
            last_block: writes(costs.last_at_once),
            consensus: writes(costs.log),
            sessions: writes(costs.shared),
            sessions_anchored: self.sessions_anchored.load(Relaxed),
        }
    }

    /// There is no other way to write than through this.
    fn writing<T, E: From<StoreError>>(&self, write: impl FnOnce() -> Result<T, Refused<E>>) -> Result<T, E> {
        let _writing = self.progress.begin_write();
        self.guards.check_disk()?;
        write().map_err(|refused| match refused {
            Refused::Commit(error) => {
                if is_disk_full(&error) {
                    self.guards.note_no_room(&error);
                }
                error.into()
            }
            Refused::Change(error) => error,
        })
    }
}

/// Whether the log of the height after the head has all that the keys have signed. A node that votes signs before there is a
/// block, so the file beside its keys may be ahead of the head by right.
fn log_knows_all(snapshot: &Snapshot, keys: &Path, head: &Sealed<Header>, author: &Author) -> Result<bool, NodeError> {
    let Ok(signed) = HighestSignedFile::in_folder(keys).read() else { return Ok(false) };
    let log = read_log(snapshot, head.number + 1)?;
    Ok(SigningGuard::at_start(signed, head.number, &log, author.address(), 0).may_sign())
}

/// Who refused a write.
enum Refused<E> {
    /// The store.
    Commit(StoreError),
    /// What was to be written, or done with it.
    Change(E),
}

impl<E> From<StoreError> for Refused<E> {
    fn from(error: StoreError) -> Self {
        Self::Commit(error)
    }
}

/// The pool as it was saved, without what the state has overtaken.
fn load_pool(
    snapshot: &Snapshot,
    spec: &ChainSpec,
    head: &Sealed<Header>,
    limits: PoolLimits,
) -> Result<(Mempool, SavedPool), NodeError> {
    let (saved, raws) = SavedPool::load(snapshot)?;
    let mut pool = Mempool::new(limits);
    for raw in raws {
        let taken = Mempool::decode(&raw, spec)
            .map_err(SubmitError::from)
            .and_then(|transaction| pool.add(transaction, spec, next_base_fee(head), &LatestState::new(snapshot)));
        match taken {
            Ok(_) => {}
            Err(SubmitError::State(error)) => return Err(error.into()),
            Err(SubmitError::Refused(refusal)) => debug!(%refusal, "a saved transaction is no longer taken"),
        }
    }
    Ok((pool, saved))
}

/// Opens the store. One that an earlier version wrote is migrated first, with a backup of it before.
fn open_store(datadir: &DataDir, options: &Options) -> Result<Store, NodeError> {
    match Store::open(datadir.store(), options) {
        Err(StoreError::OlderFormat { found, .. }) => {
            info!(from = found, to = FORMAT_VERSION, "the store has an older format, and is migrated");
            let migrated = care::migrate(datadir, true, &mut |_| Ok(()))?;
            info!(backup = ?migrated.backup, "migrated");
            Ok(Store::open(datadir.store(), options)?)
        }
        opened => Ok(opened?),
    }
}

/// Makes the store of a chain with its genesis block, for its owner's eyes only; goes on where a crash cut it short.
pub(super) fn create_store(datadir: &DataDir, spec: &ChainSpec, options: &Options) -> Result<(), NodeError> {
    let path = datadir.store();
    let store = if path.exists() {
        Store::open(&path, options)?
    } else {
        let genesis_hash = chain::genesis_header(spec)?.hash();
        Store::create(&path, &Meta::new(spec.to_canonical_json(), genesis_hash), options)?
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(STORE_MODE))
        .map_err(|source| NodeError::Io { path, source })?;
    with_genesis(&store, &ChainSpec::from_json(&store.meta().chain_spec)?).map(drop)
}

/// Blocks whose rows of consensus are made again in a batch.
const REPLAYED_BLOCKS: u64 = 500;

/// The store with its genesis block: a crash may have come between the making of the file and its first batch. And with
/// the rows of consensus, which a store of an earlier version has not: they follow from its blocks.
pub(super) fn with_genesis(store: &Store, spec: &ChainSpec) -> Result<Snapshot, NodeError> {
    let mut snapshot = store.snapshot()?;
    if !snapshot.contains::<BlockchainState>(&Current)? {
        let mut batch = store.begin()?;
        chain::write_genesis(&mut batch, spec)?;
        poot::write_genesis(&mut batch, spec)?;
        store.commit(batch)?;
        snapshot = store.snapshot()?;
    }
    match chain::read_header(&snapshot, 0)? {
        Some(genesis) if genesis.hash() == store.meta().genesis_hash => {}
        _ => return Err(NodeError::Genesis),
    }
    while let Some(batch) = replay_batch(store, &snapshot, spec)? {
        store.commit(batch)?;
        snapshot = store.snapshot()?;
    }
    Ok(snapshot)
}

/// The rows of consensus of the next blocks that have none; nothing where every block has.
fn replay_batch(store: &Store, snapshot: &Snapshot, spec: &ChainSpec) -> Result<Option<Batch>, NodeError> {
    let head = snapshot.get::<BlockchainState>(&Current)?.ok_or(ChainError::NoChain)?.height;
    let first = replayed_height(snapshot)?.map_or(0, |height| height + 1);
    if first > head {
        return Ok(None);
    }
    if first > 0 {
        info!(from = first, to = head, "what follows from blocks is made for the first time");
    }
    let mut batch = store.begin()?;
    for height in first..=head.min(first + REPLAYED_BLOCKS - 1) {
        replay_block(&mut batch, snapshot, spec, store.meta().genesis_hash, height)?;
        let header = chain::read_header(snapshot, height)?.ok_or(ChainError::NoChain)?;
        let slot = spec.slots().slot_at(header.timestamp).unwrap_or_default();
        prune_expired(&mut batch, spec.parameters.first_task_proof_slot(slot))?;
    }
    Ok(Some(batch))
}
