use super::{clock::unix_now, datadir::DataDir, error::NodeError};
use crate::{
    chain::{self, next_base_fee},
    consensus::{Solo, SoloChain},
    keys::NodeKeys,
    mempool::{Mempool, PoolLimits},
    state::LatestState,
};
use alloy_consensus::{Header, Sealed};
use alloy_primitives::B256;
use lucid_storage::{Batch, Meta, Options, Reader, Seals, Snapshot, Store, StoreError};
use lucid_types::{Certificate, ChainEvent, ChainSpec};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::{Notify, broadcast};

/// Events that a slow listener may lag behind before it misses some.
const EVENT_CAPACITY: usize = 256;

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
#[derive(Debug)]
pub struct Node {
    pub(super) store: Store,
    pub(super) spec: ChainSpec,
    pub(super) genesis_hash: B256,
    pub(super) keys: NodeKeys,
    pub(super) solo: Solo,
    pub(super) events: broadcast::Sender<ChainEvent>,
    /// Told whenever the pool has something new.
    pub(super) pool_changed: Notify,
    head: RwLock<Arc<Head>>,
    pool: Mutex<Mempool>,
    /// Held from the beginning of a batch to its commit: there is one writer.
    writer: Mutex<()>,
}

impl Node {
    /// Opens the chain in `datadir`, or makes the one that `new_spec` describes where there is none.
    pub fn open(
        datadir: &DataDir,
        keys: NodeKeys,
        options: &Options,
        new_spec: impl FnOnce(&NodeKeys) -> Result<ChainSpec, NodeError>,
    ) -> Result<Self, NodeError> {
        let path = datadir.store();
        let store = if path.exists() {
            Store::open(&path, options)?
        } else {
            create(&path, &new_spec(&keys)?, options)?
        };
        let spec = ChainSpec::from_json(&store.meta().chain_spec)?;
        let genesis_hash = store.meta().genesis_hash;
        let snapshot = store.snapshot()?;
        let genesis = chain::read_header(&snapshot, 0)?;
        if genesis.is_none_or(|genesis| genesis.hash() != genesis_hash || genesis.extra_data != *spec.hash()) {
            return Err(NodeError::Genesis);
        }
        let solo = Solo::new(SoloChain::new(&spec, genesis_hash, spec.genesis_set().map_err(lucid_types::SpecError::from)?)?, &keys)?;
        let header = chain::read_head(&snapshot)?;
        let certificate = snapshot.get::<Seals>(&header.number)?.map(|seal| seal.certificate);
        Ok(Self {
            store,
            spec,
            genesis_hash,
            keys,
            solo,
            events: broadcast::channel(EVENT_CAPACITY).0,
            pool_changed: Notify::new(),
            head: RwLock::new(Arc::new(Head { header, certificate })),
            pool: Mutex::new(Mempool::new(PoolLimits::default())),
            writer: Mutex::new(()),
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

    /// A view of the last committed block and everything with it.
    pub fn snapshot(&self) -> Result<Snapshot, NodeError> {
        Ok(self.store.snapshot()?)
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

    /// Runs `change` on a new batch and commits it. There is no other way to write.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Batch) -> Result<T, E>,
    ) -> Result<T, E> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = self.store.begin()?;
        let value = change(&mut batch)?;
        self.store.commit(batch)?;
        Ok(value)
    }
}
