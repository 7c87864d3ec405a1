//! The one piece of long work on the store that a running node does for its operator.

use super::{
    super::{clock::unix_now, error::NodeError, state::Node},
    backup::backup_into,
    compact::compact_running,
    progress::StepProgress,
    reindex::reindex,
    verify::verify,
};
use lucid_rpc::{DbJobDocument, DbJobError, DbJobKind};
use lucid_storage::StoreError;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// The work under way or done last.
#[derive(Debug)]
pub(in crate::node) struct DbJobs {
    /// Where backups go.
    folder: PathBuf,
    last: Mutex<Option<DbJobDocument>>,
    stop: AtomicBool,
}

impl DbJobs {
    /// None yet.
    pub(in crate::node) fn new(folder: PathBuf) -> Self {
        Self { folder, last: Mutex::default(), stop: AtomicBool::new(false) }
    }

    /// Where backups go.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends what is under way, soon; nothing new begins after it.
    pub(in crate::node) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// How the last one stands.
    pub(in crate::node) fn last(&self) -> Option<DbJobDocument> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<DbJobDocument>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the one place.
    fn begin(&self, kind: DbJobKind) -> Result<DbJobDocument, DbJobError> {
        let mut last = self.lock();
        let id = match &*last {
            Some(job) if !job.has_ended() => return Err(DbJobError::Busy(job.kind)),
            Some(job) => job.id + 1,
            None => 1,
        };
        Ok(last.insert(DbJobDocument::new(id, kind)).clone())
    }

    fn change(&self, change: impl FnOnce(&mut DbJobDocument)) {
        if let Some(job) = self.lock().as_mut() {
            change(job);
        }
    }

    /// Tells of progress; ends the work where the node stops.
    fn progress(&self, at: StepProgress) -> Result<(), StoreError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(StoreError::Stopped);
        }
        self.change(|job| {
            if job.step != at.step {
                job.step = at.step.to_owned();
            }
            (job.done, job.total) = (at.done, at.total);
        });
        Ok(())
    }
}

impl Node {
    /// Begins work on the whole store, on a thread that may block. Called from within the runtime.
    pub(in crate::node) fn begin_db_job(self: &Arc<Self>, kind: DbJobKind) -> Result<DbJobDocument, DbJobError> {
        self.start_db_job(kind).map(|(job, _)| job)
    }

    /// As [`Node::begin_db_job`], for who waits for what comes of it.
    pub(super) fn start_db_job(
        self: &Arc<Self>,
        kind: DbJobKind,
    ) -> Result<(DbJobDocument, JoinHandle<Result<(), NodeError>>), DbJobError> {
        let job = self.db_jobs.begin(kind)?;
        let node = Arc::clone(self);
        let at_work = tokio::task::spawn_blocking(move || {
            let outcome = node.run_db_job(kind);
            match &outcome {
                Ok(()) => info!(kind = kind.name(), "work on the whole store has ended"),
                Err(error) => {
                    warn!(kind = kind.name(), %error, "work on the whole store failed");
                    let (text, is_damage) = (error.to_string(), error.is_damage());
                    node.db_jobs.change(|job| (job.error, job.damaged) = (Some(text), is_damage));
                }
            }
            outcome
        });
        Ok((job, at_work))
    }

    fn run_db_job(&self, kind: DbJobKind) -> Result<(), NodeError> {
        let (jobs, meta) = (&self.db_jobs, self.store.meta());
        let progress = &mut |at| jobs.progress(at);
        match kind {
            DbJobKind::Verify => {
                let verified = verify(&self.snapshot(), meta, progress)?;
                jobs.change(|job| job.verified = Some(verified));
            }
            DbJobKind::Backup => {
                let store_bytes = self.store.stats()?.file_bytes;
                let backup = backup_into(&jobs.folder, &self.snapshot(), meta, store_bytes, unix_now(), progress)?;
                jobs.change(|job| job.backup = Some(backup));
            }
            DbJobKind::Compact => {
                let compacted = compact_running(self, progress)?;
                jobs.change(|job| job.compacted = Some(compacted));
            }
            DbJobKind::Reindex => {
                let reindexed = reindex(self, progress)?;
                jobs.change(|job| job.reindexed = Some(reindexed));
            }
        }
        Ok(())
    }
}
