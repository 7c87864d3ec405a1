//! Saving the pool: at most once a second, at the stop, and never where nothing has changed.

use super::{error::NodeError, state::Node};
use crate::mempool::SavedPool;
use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How long changes of the pool are gathered: what a kill may lose of it. Most of what comes is in a block by then, and
/// needs no writing.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// Saves the pool until it is told to stop.
pub(super) async fn save_pool(node: Arc<Node>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    loop {
        let changed = async {
            node.pool_unsaved.notified().await;
            tokio::time::sleep(SAVE_INTERVAL).await;
        };
        tokio::select! {
            () = changed => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        let saver = Arc::clone(&node);
        let saved = tokio::task::spawn_blocking(move || saver.save_pool()).await;
        saved.map_err(|error| NodeError::Task(error.to_string()))??;
    }
}

impl Node {
    pub(super) fn saved_pool(&self) -> MutexGuard<'_, SavedPool> {
        self.saved_pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the rows to the pool as it is now. While the disk is nearly full nothing is written, and nothing fails.
    pub(super) fn save_pool(&self) -> Result<(), NodeError> {
        let mut saved = self.saved_pool();
        let changes = saved.changes(&self.pool());
        if changes.is_empty() {
            return Ok(());
        }
        let written = self.write(|batch| {
            changes.write(batch);
            Ok::<_, NodeError>(())
        });
        match written {
            Ok(()) => saved.committed(changes),
            // It filled up just now.
            Err(error) if error.is_disk_full() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
