//! What must hold before this node seals a block: its clock, what its key has signed, the room on its disk.
//!
//! A node that may not seal serves on. Why it does not seal is known to its status, and logged when it changes and once
//! an hour.

use super::{
    clock,
    datadir::{DataDir, free_bytes},
    error::{NodeError, is_at_bound},
    state::Node,
    store_bound::StoreBound,
};
use crate::{
    consensus::{ClockPolicy, ClockReading, ClockStop, judge_clock},
    keys::{HIGHEST_SIGNED_FILE, HighestSigned, HighestSignedFile, KeyError},
};
use lucid_storage::StoreError;
use lucid_types::Rules;
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Free bytes on the disk below which nothing is written: a full block takes a quarter of it, and what else lives on the
/// disk needs room to be cleaned up.
pub(super) const MIN_FREE_BYTES: u64 = 64 << 20;

/// How long nothing is written after a write that found no room: the store was opened again, which reads all of it.
pub(super) const NO_ROOM_PAUSE: Duration = Duration::from_secs(10);

/// How often a condition that lasts is logged again.
const LOG_AGAIN: Duration = Duration::from_secs(3_600);

/// Why a node does not seal blocks. It serves all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealingStop {
    /// The clock is not good enough.
    #[error("{0}; `lucid-node doctor` says what mends that, and --accept-clock overrides it for one run")]
    Clock(#[from] ClockStop),
    /// The chain has not begun.
    #[error(
        "the chain begins {ahead_secs} s after what the clock shows: where it was made by a clock that was ahead, make it \
         anew, since every block would be of that time (operate.md)"
    )]
    BeforeGenesis {
        /// By how much.
        ahead_secs: u64,
    },
    /// The keys have signed a block that the store does not have.
    #[error(
        "the keys have signed height {signed}, and the store ends at {head}: it has lost blocks, and signing them \
         again could give two blocks for one height; see `run --accept-restored`"
    )]
    Ahead {
        /// Highest height that was signed.
        signed: u64,
        /// Height of the store's head.
        head: u64,
    },
    /// Nobody knows what the keys have signed.
    #[error(
        "the file {HIGHEST_SIGNED_FILE} beside the keys is missing, so nobody knows what they have signed; see \
         `run --accept-restored`"
    )]
    NothingKnown,
    /// The file that knows cannot be read.
    #[error(
        "the file {HIGHEST_SIGNED_FILE} beside the keys is damaged, so nobody knows what they have signed; see \
         `run --accept-restored`"
    )]
    Unreadable,
    /// The disk is nearly full.
    #[error("the disk of the data folder has {free_mib} MiB left, and nothing is written below {needed_mib}")]
    DiskFull {
        /// What is left, in MiB.
        free_mib: u64,
        /// What must be left, in MiB.
        needed_mib: u64,
    },
    /// A write found no room, whatever the disk says of itself: somebody else took it, or a quota is used up.
    #[error("a write to the data folder found no room on the disk; it is tried again within {} s", NO_ROOM_PAUSE.as_secs())]
    NoRoom,
    /// The store's file has taken what it may.
    #[error(
        "the store's file takes {taken_mib} of the {max_mib} MiB that storage.max-size-mib allows and would have to grow: \
         raise that and start the node anew, or have `lucid-node db compact` write the file anew (operate.md)"
    )]
    StoreFull {
        /// What it takes of its disk, in MiB.
        taken_mib: u64,
        /// What it may take, in MiB.
        max_mib: u64,
    },
}

/// All that keeps a node from sealing at a moment, so that nobody puts one thing right to be told of the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealingStops(Vec<SealingStop>);

impl SealingStops {
    /// Whether the node seals.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &SealingStop> {
        self.0.iter()
    }

    /// Whether these are of the same kinds as others. Numbers in them may differ.
    fn are_like(&self, others: &Self) -> bool {
        self.iter().map(std::mem::discriminant).eq(others.iter().map(std::mem::discriminant))
    }
}

impl fmt::Display for SealingStops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, stop) in self.iter().enumerate() {
            write!(f, "{}{stop}", if place == 0 { "" } else { "; also: " })?;
        }
        Ok(())
    }
}

/// What the key may sign, and where it is written down.
#[derive(Debug)]
pub(super) enum Signing {
    /// Everything; nothing is written down. The chain goes with the process.
    Unrecorded,
    /// What is above the file.
    Recorded(HighestSignedFile),
    /// Nothing.
    Stopped(SealingStop),
}

impl Signing {
    /// Holds the file beside the keys against the store's head.
    ///
    /// `accept_restored` goes on from the head (a height and its slot) whatever the file says, and makes the file say so.
    pub(super) fn open(keys: &Path, (head, slot): (u64, u64), accept_restored: bool) -> Result<Self, NodeError> {
        let file = HighestSignedFile::in_folder(keys);
        let (stop, known) = match file.read() {
            Ok(Some(signed)) if signed.height > head => {
                (SealingStop::Ahead { signed: signed.height, head }, signed.to_string())
            }
            Ok(Some(signed)) => {
                if accept_restored {
                    info!(%signed, store_height = head, "--accept-restored: the keys have signed nothing that the store lacks");
                }
                return Ok(Self::Recorded(file));
            }
            Ok(None) => (SealingStop::NothingKnown, "nothing known".to_owned()),
            Err(KeyError::HighestSigned { .. }) => (SealingStop::Unreadable, "a damaged file".to_owned()),
            Err(error) => return Err(error.into()),
        };
        if !accept_restored {
            return Ok(Self::Stopped(stop));
        }
        // What is overwritten stands nowhere else.
        warn!(
            overridden = known,
            store_height = head,
            store_slot = slot,
            "--accept-restored: going on from the store's head; blocks after it that went out may exist twice"
        );
        file.write(HighestSigned::precommit(head, 0))?;
        Ok(Self::Recorded(file))
    }
}

/// The guards of one node.
#[derive(Debug)]
pub(super) struct Guards {
    /// `None` on a development chain, whose time is nobody's business.
    pub(super) clock: Option<ClockPolicy>,
    pub(super) signing: Signing,
    /// The last time that was recorded without doubt, in Unix seconds.
    pub(super) recorded: u64,
    folder: PathBuf,
    min_free_bytes: u64,
    /// How much the store's file may take, where that is bounded.
    pub(super) store_bound: Option<StoreBound>,
    /// When a write last found no room.
    no_room: Mutex<Option<Instant>>,
    condition: Mutex<Condition>,
}

#[derive(Debug, Default)]
struct Condition {
    stops: SealingStops,
    logged: Option<Instant>,
    gap_logged: bool,
}

impl Guards {
    pub(super) fn new(datadir: &DataDir, clock: Option<ClockPolicy>, signing: Signing, recorded: u64) -> Self {
        let folder = datadir.path().to_owned();
        let (no_room, condition) = (Mutex::default(), Mutex::default());
        let (min_free_bytes, store_bound) = (MIN_FREE_BYTES, None);
        Self { clock, signing, recorded, folder, min_free_bytes, store_bound, no_room, condition }
    }

    /// The file at `store` may take no more than so many bytes.
    pub(super) fn with_store_bound(mut self, store: &Path, max_bytes: Option<u64>) -> Self {
        self.store_bound = max_bytes.map(|max_bytes| StoreBound::new(store, max_bytes));
        self
    }

    /// Nothing is written while more than this is not free.
    #[cfg(test)]
    pub(super) fn with_min_free_bytes(mut self, min_free_bytes: u64) -> Self {
        self.min_free_bytes = min_free_bytes;
        self
    }

    /// Whether the disk has too little room left to write, or the store's file has taken what it may of it.
    pub(super) fn disk_full(&self) -> Option<SealingStop> {
        if let Some(stop) = self.store_bound.as_ref().and_then(StoreBound::stop) {
            return Some(stop);
        }
        if self.no_room().is_some_and(|noted| noted.elapsed() < NO_ROOM_PAUSE) {
            return Some(SealingStop::NoRoom);
        }
        // A disk that does not say how full it is will say so when it is written to.
        let free = free_bytes(&self.folder)?;
        let (free_mib, needed_mib) = (free >> 20, self.min_free_bytes >> 20);
        (free < self.min_free_bytes).then_some(SealingStop::DiskFull { free_mib, needed_mib })
    }

    /// Notes that a write found no room, and why.
    pub(super) fn note_no_room(&self, error: &StoreError) {
        match &self.store_bound {
            Some(bound) if is_at_bound(error) => bound.note_refused(),
            _ => *self.no_room() = Some(Instant::now()),
        }
    }

    fn no_room(&self) -> MutexGuard<'_, Option<Instant>> {
        self.no_room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk as an error of writing.
    pub(super) fn check_disk(&self) -> Result<(), StoreError> {
        match self.disk_full() {
            None => Ok(()),
            Some(stop) => Err(StoreError::Io {
                path: self.folder.clone(),
                source: io::Error::new(io::ErrorKind::StorageFull, stop.to_string()),
            }),
        }
    }
}

impl Node {
    /// Why this node would not seal a block now; empty where it would.
    pub fn sealing_stops(&self) -> SealingStops {
        let signing = match &self.guards.signing {
            Signing::Stopped(stop) => Some(stop.clone()),
            Signing::Unrecorded | Signing::Recorded(_) => None,
        };
        let clock = self.judge_clock().err().map(|stop| match stop {
            ClockStop::BeforeHead { behind_secs } if self.head().header.number == 0 => {
                SealingStop::BeforeGenesis { ahead_secs: behind_secs }
            }
            stop => SealingStop::Clock(stop),
        });
        SealingStops([signing, self.guards.disk_full(), clock].into_iter().flatten().collect())
    }

    /// By how many seconds the last block's slot begins after what the clock shows, where that is more than a slot. A node
    /// that was told to accept its clock goes on from there, slot by slot, and makes blocks of a time to come.
    pub fn head_ahead_secs(&self) -> Option<u64> {
        let ahead = self.head().header.timestamp.checked_sub(clock::unix_now())?;
        (self.spec.rules != Rules::Dev && ahead > self.spec.slots().duration_secs).then_some(ahead)
    }

    /// Judges the clock as it is now; gives a remarkable time since the last record, in seconds.
    pub(super) fn judge_clock(&self) -> Result<Option<u64>, ClockStop> {
        let Some(policy) = self.guards.clock.filter(|_| self.spec.rules != Rules::Dev) else { return Ok(None) };
        let head_time = self.head().header.timestamp;
        let reading = ClockReading {
            now: clock::unix_now(),
            synchronised: clock::clock_synchronised(),
            head_time,
            recorded: self.guards.recorded.max(head_time),
        };
        judge_clock(&reading, self.spec.slots(), policy)
    }

    /// Whether the time of now is worth recording: it is judged at all, and without doubt.
    pub(super) fn records_time(&self) -> bool {
        self.guards.clock.is_some() && self.spec.rules != Rules::Dev && self.judge_clock().is_ok()
    }

    /// Looks at the guards, and logs what changed or has lasted for an hour. Says whether the node seals.
    pub(super) fn note_condition(&self) -> bool {
        let stops = self.sealing_stops();
        let mut condition = self.guards.condition();
        if stops.is_empty()
            && !condition.gap_logged
            && let Ok(Some(gap)) = self.judge_clock()
        {
            condition.gap_logged = true;
            warn!(days = gap / 86_400, "this node has recorded nothing for long; is the clock right?");
        }
        let changed = !stops.are_like(&condition.stops);
        let again = condition.logged.is_some_and(|logged| logged.elapsed() >= LOG_AGAIN);
        let seals = stops.is_empty();
        if !seals && (changed || again) {
            warn!(reason = %stops, "not sealing blocks");
            condition.logged = Some(Instant::now());
        } else if seals && changed {
            info!("sealing blocks");
            condition.logged = None;
        }
        condition.stops = stops;
        seals
    }

    /// What the file beside the keys says was signed; nothing where there is no file, or a damaged one.
    pub(super) fn highest_signed(&self) -> Result<Option<HighestSigned>, KeyError> {
        match &self.guards.signing {
            Signing::Recorded(file) => match file.read() {
                Err(KeyError::HighestSigned { .. }) => Ok(None),
                read => read,
            },
            Signing::Unrecorded => Ok(Some(HighestSigned::NOTHING)),
            Signing::Stopped(_) => Ok(None),
        }
    }

    /// Writes down a step that is about to be said.
    pub(super) fn record_step(&self, step: HighestSigned) -> Result<(), KeyError> {
        match &self.guards.signing {
            Signing::Recorded(file) => file.write(step),
            Signing::Unrecorded | Signing::Stopped(_) => Ok(()),
        }
    }

    /// Writes down that a height was signed, once its block is on disk.
    pub(super) fn record_signed(&self, height: u64) -> Result<(), KeyError> {
        match &self.guards.signing {
            Signing::Recorded(file) => file.write(HighestSigned::precommit(height, 0)),
            Signing::Unrecorded | Signing::Stopped(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::dev_chain_spec, *};
    use crate::{
        chain,
        keys::NodeKeys,
        testing::{Tx, key},
    };
    use alloy_eips::eip2718::Encodable2718;
    use lucid_storage::Options;
    use std::fs;

    fn keys(signed: Option<HighestSigned>) -> DataDir {
        let folder = DataDir::temporary().unwrap();
        if let Some(signed) = signed {
            HighestSignedFile::in_folder(folder.path()).write(signed).unwrap();
        }
        folder
    }

    #[test]
    fn a_store_that_lost_blocks_is_not_signed_on_until_somebody_accepts_it() {
        let folder = keys(Some(HighestSigned::precommit(9, 0)));
        let open = |head, accept| Signing::open(folder.path(), (head, 7), accept).unwrap();
        let stopped = open(8, false);
        assert!(matches!(stopped, Signing::Stopped(SealingStop::Ahead { signed: 9, head: 8 })), "{stopped:?}");
        // A crash after the batch and before the file: the store knows more, and that is no harm.
        assert!(matches!(open(9, false), Signing::Recorded(_)));
        assert!(matches!(open(10, false), Signing::Recorded(_)));
        assert!(matches!(open(8, true), Signing::Recorded(_)));
        assert!(matches!(open(8, false), Signing::Recorded(_)), "accepted once, and that is enough");
    }

    #[test]
    fn a_missing_or_damaged_file_stops_signing_too() {
        let missing = keys(None);
        let stopped = Signing::open(missing.path(), (0, 0), false).unwrap();
        assert!(matches!(stopped, Signing::Stopped(SealingStop::NothingKnown)), "{stopped:?}");
        assert!(HighestSignedFile::in_folder(missing.path()).read().unwrap().is_none(), "nothing is made up");
        let damaged = keys(Some(HighestSigned::NOTHING));
        fs::write(HighestSignedFile::in_folder(damaged.path()).path(), "x").unwrap();
        assert!(matches!(
            Signing::open(damaged.path(), (0, 0), false).unwrap(),
            Signing::Stopped(SealingStop::Unreadable)
        ));
        for folder in [missing, damaged] {
            assert!(matches!(Signing::open(folder.path(), (4, 9), true).unwrap(), Signing::Recorded(_)));
            let file = HighestSignedFile::in_folder(folder.path());
            assert_eq!(file.read().unwrap(), Some(HighestSigned::precommit(4, 0)));
        }
    }

    /// Reading goes on, and what waits keeps its place.
    #[test]
    fn a_node_on_a_full_disk_writes_nothing_and_lives() {
        let folder = keys(None);
        let keys = NodeKeys::new(key(1), key(101)).unwrap();
        let spec = dev_chain_spec(&keys, 1_800_000_000).unwrap();
        let mut node = Node::open(&folder, keys, &Options::default(), |_| Ok(spec)).unwrap();
        let transaction = Tx::default().sign(1).encoded_2718();
        node.guards = Guards::new(&folder, None, Signing::Unrecorded, 0).with_min_free_bytes(u64::MAX);
        let hash = node.submit(&transaction).unwrap();
        assert!(!node.note_condition());
        assert!(matches!(node.sealing_stops().0[..], [SealingStop::DiskFull { .. }]));
        assert!(node.make_block().unwrap_err().is_disk_full());
        node.save_pool().unwrap();
        assert_eq!(chain::read_head(&node.snapshot()).unwrap().number, 0);
        assert!(node.pool().get(&hash).is_some());

        node.guards = Guards::new(&folder, None, Signing::Unrecorded, 0);
        assert!(node.note_condition());
        assert!(node.make_block().unwrap().is_some(), "with room again it goes on");
    }

    /// Told one by one, each is put right in the hope that it was the last.
    #[test]
    fn all_that_keeps_a_node_from_sealing_is_told_at_once() {
        let folder = keys(None);
        let keys = NodeKeys::new(key(1), key(101)).unwrap();
        // In the year 2100, which no clock shows, so that it does not matter what this machine's kernel says of its own.
        let spec = crate::node::solo_chain_spec(&keys, 4_102_444_800).unwrap();
        let mut node = Node::open(&folder, keys, &Options::default(), |_| Ok(spec)).unwrap();
        let signing = Signing::open(folder.path(), (0, 0), false).unwrap();
        let clock = Some(ClockPolicy::default());
        node.guards = Guards::new(&folder, clock, signing, 0).with_min_free_bytes(u64::MAX);
        let stops = node.sealing_stops();
        assert!(
            matches!(
                stops.0[..],
                [SealingStop::NothingKnown, SealingStop::DiskFull { .. }, SealingStop::BeforeGenesis { .. }]
            ),
            "{stops:?}"
        );
        let text = stops.to_string();
        assert!(
            text.contains("is missing")
                && text.contains("; also: the disk")
                && text.contains("; also: the chain begins")
        );
        // Accepted it goes on, and is not well.
        node.guards.clock = Some(ClockPolicy { accept: true, ..ClockPolicy::default() });
        assert_eq!(node.sealing_stops().0.len(), 2);
        assert!(node.head_ahead_secs().is_some_and(|secs| secs > 86_400));
        assert!(!node.note_condition());
    }

    #[test]
    fn a_full_disk_is_said_to_be_full() {
        let folder = keys(None);
        let guards = || Guards::new(&folder, None, Signing::Unrecorded, 0);
        assert_eq!(guards().with_min_free_bytes(0).disk_full(), None);
        let full = guards().with_min_free_bytes(u64::MAX);
        assert!(matches!(full.disk_full(), Some(SealingStop::DiskFull { .. })));
        assert!(full.check_disk().unwrap_err().to_string().contains("nothing is written below"));
    }
}
