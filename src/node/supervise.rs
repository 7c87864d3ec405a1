//! What the service manager hears of a running node: when it serves, what it is at, and that it makes progress.
//!
//! A sign of life is sent only when everything that a block needs could be had just then: each lock, a row of the store,
//! a thread for it, and among others the one that drives consensus. A node that is stuck sends none, and is started anew.

use super::{error::NodeError, state::Node, voting::Part};
use crate::service::Notifier;
use lucid_storage::{BlockchainState, Current, Reader, StoreError};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{error, info};

/// How long one write may take. A worn card may stand still for half a minute and go on.
const MAX_WRITE: Duration = Duration::from_secs(120);

/// How long the thread that drives consensus may be at one thing. A block of a peer runs for seconds, and the write that
/// comes of it may stand still for as long as [`MAX_WRITE`], which is told of by itself.
const MAX_CONSENSUS_ROUND: Duration = Duration::from_secs(180);

/// How long things may take before the node is held for stuck.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    write: Duration,
    consensus_round: Duration,
}

const BOUNDS: Bounds = Bounds { write: MAX_WRITE, consensus_round: MAX_CONSENSUS_ROUND };

/// How often the node looks at itself and tells the manager what it is at, where no watchdog asks more often.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// How long a look may take where no watchdog says.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often, while the store is being opened, the manager is asked for more time, and for how much.
const START_INTERVAL: Duration = Duration::from_secs(5);
const START_EXTENSION: Duration = Duration::from_secs(60);

/// Most time that is asked for. Checking a store of some gigabytes on a slow card after a power cut takes minutes.
const MAX_START: Duration = Duration::from_secs(3_600);

/// Whether the node makes progress.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What is being written, by number: since when. Each thread writes one thing at a time.
    writes: Mutex<BTreeMap<u64, Instant>>,
    /// Why it makes none, as it was last seen.
    stuck: Mutex<Option<String>>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Notes that a write begins; it ends when the answer is dropped.
    pub(super) fn begin_write(&self) -> impl Drop + '_ {
        let mut writes = self.writes();
        let number = writes.last_key_value().map_or(0, |(number, _)| number + 1);
        writes.insert(number, Instant::now());
        Ended { progress: self, number }
    }

    /// How long the write has taken that has been at work the longest.
    fn write_lasts(&self) -> Option<Duration> {
        self.writes().first_key_value().map(|(_, began)| began.elapsed())
    }

    fn writes(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ended<'a> {
    progress: &'a Progress,
    number: u64,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.progress.writes().remove(&self.number);
    }
}

/// Why a node shows no sign of life.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("a write has taken {0} s and does not end")]
    Write(u64),
    #[error("the thread that drives consensus has been at one thing for {0} s and does not end")]
    Consensus(u64),
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("a lock is not given back, or no thread is free")]
    Waits,
}

impl Node {
    /// Goes where a block has to go. May wait without end, which is an answer too.
    fn check_progress(&self, bounds: Bounds) -> Result<(), Stuck> {
        if let Some(lasts) = self.progress.write_lasts().filter(|lasts| *lasts > bounds.write) {
            return Err(Stuck::Write(lasts.as_secs()));
        }
        let silent = self.part.get().map(Part::silent_for);
        if let Some(silent) = silent.filter(|silent| *silent > bounds.consensus_round) {
            return Err(Stuck::Consensus(silent.as_secs()));
        }
        self.snapshot().get::<BlockchainState>(&Current)?;
        drop(self.pool());
        drop(self.anchorings());
        Ok(())
    }

    /// Why the node makes no progress; `None` where it did when that was last looked at.
    pub(super) fn stuck(&self) -> Option<String> {
        self.progress.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_stuck(&self, stuck: Option<String>) {
        *self.progress.stuck.lock().unwrap_or_else(PoisonError::into_inner) = stuck;
    }

    /// What the node is at, in one line.
    fn summary(&self) -> String {
        let height = self.head().header.number;
        let stops = self.sealing_stops();
        match (stops.is_empty(), self.head_ahead_secs()) {
            (true, None) => format!("block {height}; {} transactions wait", self.pool().len()),
            (true, Some(ahead)) => {
                format!("block {height}, of a slot that begins {ahead} s after what the clock shows")
            }
            (false, _) => format!("block {height}; makes no blocks: {stops}"),
        }
    }
}

/// Opens a node, and asks the manager for time meanwhile.
pub(super) async fn starting<T>(notifier: &Notifier, opening: impl Future<Output = T>) -> T {
    notifier.status("opening the store");
    tokio::pin!(opening);
    let began = Instant::now();
    let mut ticks = interval(START_INTERVAL);
    loop {
        tokio::select! {
            opened = &mut opening => return opened,
            _ = ticks.tick() => {
                if began.elapsed() < MAX_START {
                    notifier.extend_timeout(START_EXTENSION);
                }
            }
        }
    }
}

/// Shows signs of life until the node is told to stop.
pub(super) async fn supervise(
    node: Arc<Node>,
    notifier: Notifier,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    // Twice at least in the time that the manager waits, so that one sign may come late.
    let patience = notifier.watchdog().map_or(PATIENCE, |watchdog| watchdog / 2);
    let mut ticks = interval(patience.min(LOOK_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut said, mut was_stuck) = (String::new(), false);
    let mut look = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => {
                notifier.stopping();
                return Ok(());
            }
        }
        // One that waits is waited for: a thread for each look would be one more that is stuck.
        let at_work = look.get_or_insert_with(|| {
            let node = Arc::clone(&node);
            tokio::task::spawn_blocking(move || node.check_progress(BOUNDS).map(|()| node.summary()))
        });
        let found = match timeout(patience, at_work).await {
            Ok(found) => {
                look = None;
                found.map_err(|error| NodeError::Task(error.to_string()))?
            }
            Err(_) => Err(Stuck::Waits),
        };
        match &found {
            Ok(summary) => {
                notifier.alive();
                if was_stuck {
                    info!("the node makes progress again");
                }
                if *summary != said {
                    notifier.status(summary);
                    said.clone_from(summary);
                }
            }
            Err(reason) if !was_stuck => error!(%reason, "the node makes no progress"),
            Err(_) => {}
        }
        was_stuck = found.is_err();
        node.set_stuck(found.err().map(|reason| reason.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{anchorings::tests::node, datadir::DataDir, error::NodeError},
        *,
    };
    use crate::network::{Network, NetworkConfig};
    use std::{os::unix::net::UnixDatagram, sync::mpsc, thread};

    #[test]
    fn a_write_that_does_not_end_is_no_sign_of_life() {
        let node = Arc::new(node(&DataDir::temporary().unwrap()));
        let within = |write| Bounds { write, ..BOUNDS };
        node.check_progress(within(Duration::ZERO)).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let writer = Arc::clone(&node);
        let write = thread::spawn(move || {
            writer.write(|_| {
                begun.send(()).unwrap();
                may_go.recv().unwrap();
                Ok::<_, NodeError>(())
            })
        });
        has_begun.recv().unwrap();
        thread::sleep(Duration::from_millis(30));
        node.check_progress(within(Duration::from_secs(60))).unwrap();
        let stuck = node.check_progress(within(Duration::from_millis(10))).unwrap_err();
        assert!(matches!(stuck, Stuck::Write(0)), "{stuck}");
        go.send(()).unwrap();
        write.join().unwrap().unwrap();
        node.check_progress(within(Duration::ZERO)).unwrap();
    }

    #[tokio::test]
    async fn a_thread_of_consensus_that_goes_round_no_more_is_no_sign_of_life() {
        let node = node(&DataDir::temporary().unwrap());
        let within = |consensus_round| Bounds { consensus_round, ..BOUNDS };
        node.check_progress(within(Duration::ZERO)).expect("a node that is alone has no such thread");
        let (_network, handle, _events) = Network::new(&NetworkConfig::new(), [1; 32], &[2; 32], &[]).unwrap();
        node.part.set(Part::new(handle)).unwrap();
        thread::sleep(Duration::from_millis(30));
        node.check_progress(BOUNDS).expect("it may be at a block");
        let stuck = node.check_progress(within(Duration::from_millis(10))).unwrap_err();
        assert!(matches!(stuck, Stuck::Consensus(0)), "{stuck}");
        node.part.get().unwrap().note_alive();
        node.check_progress(within(Duration::from_millis(10))).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_watchdog_is_fed_by_a_node_that_can_work_and_starves_with_one_that_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let node = Arc::new(node(&DataDir::temporary().unwrap()));
        let notifier = Notifier::new(Some(path.into()), Some(Duration::from_millis(400)));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(supervise(Arc::clone(&node), notifier, stopped));
        let hear = |manager: &UnixDatagram| {
            manager.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
            let mut buffer = [0; 256];
            manager.recv(&mut buffer).map(|len| String::from_utf8(buffer[..len].to_vec()).unwrap())
        };
        assert_eq!(hear(&manager).unwrap(), "WATCHDOG=1");
        assert_eq!(hear(&manager).unwrap(), "STATUS=block 0; 0 transactions wait");
        assert_eq!(hear(&manager).unwrap(), "WATCHDOG=1");
        let held = Arc::clone(&node);
        let (go, may_go) = mpsc::channel::<()>();
        let holder = thread::spawn(move || {
            let _pool = held.pool();
            may_go.recv().unwrap();
        });
        // One that was on its way may still come.
        let _ = hear(&manager);
        assert!(hear(&manager).is_err(), "a sign of life while the pool is stuck");
        go.send(()).unwrap();
        holder.join().unwrap();
        assert_eq!(hear(&manager).unwrap(), "WATCHDOG=1");
        stop.send(true).unwrap();
        task.await.unwrap().unwrap();
        let last = std::iter::from_fn(|| hear(&manager).ok()).last();
        assert_eq!(last.as_deref(), Some("STOPPING=1"));
    }
}
