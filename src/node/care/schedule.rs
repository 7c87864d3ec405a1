//! Backups that a node makes by itself, where nobody else has it make them: `backup.interval-hours`.
//!
//! They are those of `db backup` through the node: of one moment, read back, in the folder of backups under names of height
//! and time. When one is due follows from the last name there, so a restart neither skips nor repeats one.

use super::super::{clock::unix_now, error::NodeError, state::Node};
use lucid_rpc::{DbJobError, DbJobKind};
use lucid_storage::{backups_beyond, last_backup};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tracing::{info, warn};

/// How often is looked whether a backup is due, and whether other work on the store has ended that one waits for.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// How long is waited after one that failed, as on a disk without room.
const FAILED_PAUSE: Duration = Duration::from_secs(3_600);

/// When a node makes backups by itself, and how many it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) struct BackupSchedule {
    /// From one to the next.
    pub(in crate::node) interval: Duration,
    /// How many stay, the new one included.
    pub(in crate::node) keep: usize,
}

/// Makes backups until the node is told to stop.
pub(in crate::node) async fn make_backups(
    node: Arc<Node>,
    schedule: BackupSchedule,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let mut ticks = tokio::time::interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut made, mut failed) = (None::<Instant>, None::<Instant>);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        let last = last_backup(node.db_jobs.folder()).map(|backup| backup.made_at);
        let pauses = failed.is_some_and(|failed| failed.elapsed() < FAILED_PAUSE);
        if pauses || !is_due(schedule.interval, unix_now(), last, made.map(|made| made.elapsed())) {
            continue;
        }
        match node.make_backup(schedule.keep).await {
            Ok(true) => (made, failed) = (Some(Instant::now()), None),
            // Somebody checks or copies the store just now.
            Ok(false) => {}
            // The work itself has said so in the log.
            Err(_) => failed = Some(Instant::now()),
        }
    }
}

/// Whether a backup is due at `now`, where the last one in the folder is of the time `last` (Unix seconds), and this run
/// has made one so long ago. A last one of a time to come was made by a clock that was ahead, and says nothing.
fn is_due(interval: Duration, now: u64, last: Option<u64>, made: Option<Duration>) -> bool {
    match made {
        Some(made) => made >= interval,
        None => last.and_then(|last| now.checked_sub(last)).is_none_or(|age| age >= interval.as_secs()),
    }
}

impl Node {
    /// Makes a backup and removes the oldest ones beyond `keep`. `false` where other work on the store is under way.
    pub(super) async fn make_backup(self: &Arc<Self>, keep: usize) -> Result<bool, NodeError> {
        let (job, at_work) = match self.start_db_job(DbJobKind::Backup) {
            Ok(started) => started,
            Err(DbJobError::Busy(_)) => return Ok(false),
            Err(error) => return Err(NodeError::Task(error.to_string())),
        };
        at_work.await.map_err(|error| NodeError::Task(error.to_string()))??;
        // Where somebody has begun other work since, the name is not known: the next backup removes what is too much.
        let Some(made) = self.db_jobs.last().filter(|last| last.id == job.id).and_then(|job| job.backup) else {
            return Ok(true);
        };
        for old in backups_beyond(self.db_jobs.folder(), Path::new(&made.path), keep) {
            match fs::remove_file(&old.path) {
                Ok(()) => info!(path = %old.path.display(), keep, "removed an old backup"),
                Err(error) => warn!(path = %old.path.display(), %error, "an old backup could not be removed"),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::anchorings::tests::node, *};
    use crate::node::DataDir;
    use lucid_storage::{NamedBackup, Options, Store};

    const HOUR: u64 = 3_600;

    #[test]
    fn a_backup_is_due_by_the_last_name_and_by_what_this_run_has_made() {
        let due =
            |now, last, made: Option<u64>| is_due(Duration::from_secs(HOUR), now, last, made.map(Duration::from_secs));
        assert!(due(10_000, None, None), "there is none");
        assert!(!due(10_000, Some(10_000), None) && !due(10_000, Some(10_001 - HOUR), None));
        assert!(due(10_000, Some(10_000 - HOUR), None));
        assert!(due(10_000, Some(90_000), None), "the clock was ahead");
        assert!(!due(10_000, Some(90_000), Some(HOUR - 1)), "and once is enough");
        assert!(due(10_000, Some(10_000), Some(HOUR)));
    }

    #[tokio::test]
    async fn backups_are_whole_and_the_oldest_go() {
        let datadir = DataDir::temporary().unwrap();
        let node = Arc::new(node(&datadir));
        let folder = datadir.backups();
        fs::create_dir(&folder).unwrap();
        let old = NamedBackup::to_make(&folder, 9, 100);
        for path in [&old.path, &folder.join("copy.redb")] {
            fs::write(path, "mine").unwrap();
        }
        let names = || -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names.into_iter().map(|name| name.into_string().unwrap()).collect()
        };
        assert!(node.make_backup(2).await.unwrap());
        assert_eq!(names().len(), 3, "{:?}", names());
        assert!(node.make_backup(2).await.unwrap());
        assert!(!old.path.exists() && names().len() == 3 && names()[0] == "copy.redb", "{:?}", names());
        let last = last_backup(&folder).unwrap();
        let (meta, snapshot) = Store::inspect(&last.path, &Options::default(), true).unwrap();
        assert_eq!((meta.genesis_hash, snapshot.sequence().unwrap()), (node.genesis_hash(), 1));
        drop(snapshot);
        assert!(node.make_backup(1).await.unwrap());
        assert!(!last.path.exists() && names().len() == 2, "{:?}", names());
    }

    #[tokio::test]
    async fn one_that_finds_other_work_under_way_is_not_made() {
        let datadir = DataDir::temporary().unwrap();
        let node = Arc::new(node(&datadir));
        let (_, at_work) = node.start_db_job(DbJobKind::Verify).unwrap();
        let busy = node.db_jobs.last().is_some_and(|job| !job.has_ended());
        assert_eq!(node.make_backup(1).await.unwrap(), !busy);
        at_work.await.unwrap().unwrap();
        assert!(node.make_backup(1).await.unwrap());
    }

    #[tokio::test]
    async fn a_node_told_to_makes_one_at_its_start_and_ends_when_it_is_stopped() {
        let datadir = DataDir::temporary().unwrap();
        let node = Arc::new(node(&datadir));
        let (stop, stopped) = watch::channel(false);
        let schedule = BackupSchedule { interval: Duration::from_secs(HOUR), keep: 1 };
        let task = tokio::spawn(make_backups(Arc::clone(&node), schedule, stopped));
        let began = Instant::now();
        while last_backup(&datadir.backups()).is_none() {
            assert!(began.elapsed() < Duration::from_secs(30), "no backup comes");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.send(true).unwrap();
        task.await.unwrap().unwrap();
    }
}
