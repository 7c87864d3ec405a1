//! How the node is, put together for those who ask.

use super::{
    clock::{clock_synchronised, unix_now},
    datadir::{DataDir, free_bytes},
    state::Node,
    store_bound::StoreBound,
    voting::Standing,
};
use crate::network::NetworkCounts;
use lucid_rpc::{
    CallsDocument, CatchingUpDocument, ConsensusUseDocument, HeadDocument, PoolUseDocument, StatusDocument,
    StoreUseDocument,
};
use lucid_storage::{Snapshot, StoreError, TableId, last_backup};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tracing::debug;

/// How often the pages of the store are counted, which reads all of it. They are counted only where somebody asks.
const COUNT_INTERVAL: Duration = Duration::from_secs(24 * 3_600);

/// What is known of this run of the node beside its chain.
#[derive(Debug, Clone, Default)]
pub struct RunFacts {
    /// How the run before ended, in one word.
    pub before: Option<String>,
    /// Starts so far, by how the run before each ended.
    pub starts: BTreeMap<String, u64>,
}

/// Who can say how a node is.
pub(super) struct Observer {
    node: Arc<Node>,
    datadir: DataDir,
    rpc_addr: SocketAddr,
    facts: RunFacts,
    started: Instant,
    counted: Arc<Counted>,
}

/// What the last count of the store's pages gave.
#[derive(Debug, Default)]
struct Counted {
    last: Mutex<Option<(Instant, Use)>>,
    at_work: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Use {
    allocated_bytes: u64,
    fragmented_bytes: u64,
}

impl Observer {
    pub(super) fn new(node: Arc<Node>, datadir: DataDir, rpc_addr: SocketAddr, facts: RunFacts) -> Self {
        let counted = Arc::default();
        Self { node, datadir, rpc_addr, facts, started: Instant::now(), counted }
    }

    /// Looks. `calls` are those since the start.
    pub(super) fn look(&self, calls: BTreeMap<String, CallsDocument>) -> StatusDocument {
        let node = &self.node;
        let head = node.head();
        let timestamp = head.header.timestamp;
        let stops = node.sealing_stops();
        let counts = node.part.get().map(|part| part.network.counts()).unwrap_or_default();
        StatusDocument {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_secs: self.started.elapsed().as_secs(),
            rpc_addr: self.rpc_addr.to_string(),
            chain_id: node.spec().chain_id,
            genesis_hash: node.genesis_hash(),
            head: HeadDocument { number: head.header.number, hash: head.header.hash(), timestamp },
            finality_age_secs: unix_now().saturating_sub(timestamp),
            head_ahead_secs: node.head_ahead_secs(),
            clock_synchronised: clock_synchronised(),
            sealing_stop: (!stops.is_empty()).then(|| stops.to_string()),
            stuck: node.stuck(),
            peers: saturate(counts.connected),
            consensus: node.part.get().map(|part| consensus(part.standing(), counts)),
            catching_up: self.catching_up(head.header.number),
            pool: self.pool(),
            anchorings: node.anchorings().len() as u64,
            store: self.store(),
            resident_bytes: resident_bytes(),
            run_before: self.facts.before.clone(),
            starts: self.facts.starts.clone(),
            calls,
        }
    }

    fn catching_up(&self, height: u64) -> Option<CatchingUpDocument> {
        let noted = self.node.part.get()?.progress.get()?;
        let (blocks_per_sec, left_secs) = noted.estimate(height).unzip();
        let (starting_block, highest_block) = (noted.starting, noted.highest);
        Some(CatchingUpDocument { starting_block, highest_block, blocks_per_sec, left_secs })
    }

    fn pool(&self) -> PoolUseDocument {
        let pool = self.node.pool();
        let (pending, queued) = pool.status();
        PoolUseDocument { pending, queued, bytes: pool.bytes() as u64 }
    }

    fn store(&self) -> StoreUseDocument {
        // A file that cannot be asked has other troubles, which the node meets with its next block.
        let stats = self.node.store.stats().unwrap_or_default();
        let counted = self.counted(stats.file_bytes);
        StoreUseDocument {
            file_bytes: stats.file_bytes,
            allocated_bytes: counted.map(|used| used.allocated_bytes),
            fragmented_bytes: counted.map(|used| used.fragmented_bytes),
            taken_bytes: self.datadir.store_taken_bytes(),
            max_bytes: self.node.guards.store_bound.as_ref().map(StoreBound::max_bytes),
            disk_free_bytes: free_bytes(self.datadir.path()),
            commits: stats.commits,
            bytes_written: stats.bytes_written,
            syncs: stats.syncs,
            writes_for: self.node.writes_for(),
            last_backup: last_backup(&self.datadir.backups()).map(|backup| backup.made_at),
        }
    }

    /// The last count; a new one is begun where that is old, and is there for who asks later.
    fn counted(&self, file_bytes: u64) -> Option<Use> {
        let last = *self.counted.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = last.is_some_and(|(at, _)| at.elapsed() < COUNT_INTERVAL);
        if !is_fresh && !self.counted.at_work.swap(true, Relaxed) {
            let (counted, snapshot) = (Arc::clone(&self.counted), self.node.snapshot());
            let begun = thread::Builder::new().name("store-count".to_owned()).spawn(move || {
                match count(&snapshot, file_bytes) {
                    Ok(used) => {
                        *counted.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), used));
                    }
                    Err(error) => debug!(%error, "the pages of the store could not be counted"),
                }
                counted.at_work.store(false, Relaxed);
            });
            if begun.is_err() {
                self.counted.at_work.store(false, Relaxed);
            }
        }
        last.map(|(_, used)| used)
    }
}

/// How the node takes part, as the thread that drives consensus left word.
fn consensus(standing: Standing, counts: NetworkCounts) -> ConsensusUseDocument {
    let Standing { height, is_open, round, validators, is_validator, may_sign, lacks_voters, .. } = standing;
    let (validators, banned_peers) = (saturate(validators), saturate(counts.banned));
    ConsensusUseDocument { height, is_open, round, validators, is_validator, may_sign, lacks_voters, banned_peers }
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Counts the bytes of the pages that tables have. The rest of the file is free.
fn count(snapshot: &Snapshot, file_bytes: u64) -> Result<Use, StoreError> {
    let mut allocated_bytes = 0;
    for table in TableId::ALL {
        let bytes = snapshot.table_bytes(table)?;
        allocated_bytes += bytes.stored + bytes.overhead;
    }
    Ok(Use { allocated_bytes, fragmented_bytes: file_bytes.saturating_sub(allocated_bytes) })
}

/// Memory of this process, from the kernel; 0 where it does not say.
fn resident_bytes() -> u64 {
    bytes_in("/proc/self/status", "VmRSS:").unwrap_or_default()
}

/// Memory of the machine; `None` where the kernel does not say.
pub(super) fn machine_bytes() -> Option<u64> {
    bytes_in("/proc/meminfo", "MemTotal:")
}

/// A number of KiB that a file of the kernel has after a name, as bytes.
fn bytes_in(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::{super::anchorings::tests::node, *};

    #[test]
    fn a_look_counts_the_pages_once_and_shows_them_to_the_next() {
        let datadir = DataDir::temporary().unwrap();
        let node = Arc::new(node(&datadir));
        let observer = Observer::new(node, datadir, ([127, 0, 0, 1], 1).into(), RunFacts::default());
        let first = observer.look(BTreeMap::new());
        assert_eq!((first.head.number, first.store.allocated_bytes), (0, None));
        assert!(
            first.resident_bytes > 1 << 20 && first.store.file_bytes > 0 && first.store.bytes_written > 0,
            "{first:?}"
        );
        let began = Instant::now();
        while observer.counted.at_work.load(Relaxed) && began.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(5));
        }
        let store = observer.look(BTreeMap::new()).store;
        let (allocated, fragmented) = (store.allocated_bytes.unwrap(), store.fragmented_bytes.unwrap());
        assert!(allocated > 0 && fragmented > 0 && allocated + fragmented == store.file_bytes, "{store:?}");
        assert!(!observer.counted.at_work.load(Relaxed), "counted again within the day");
    }
}
