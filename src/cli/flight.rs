//! The flight recorder of this process: it hears of the start, of warnings, and of the end, however that comes.

use super::time::unix_now;
use crate::{
    node::{DataDir, RunFacts},
    service::{FlightLog, Recorder, RecorderError, boot_id},
};
use std::sync::{Arc, OnceLock};
use tracing::{info, warn};

/// For the panic hook, which is handed nothing.
static RECORDER: OnceLock<Arc<Recorder>> = OnceLock::new();

/// Notes the start of a node on this folder; from now on `log` has its warnings noted too. A node whose recorder cannot
/// be written starts all the same. Gives what is known of this run and those before.
pub(super) fn start(datadir: &DataDir, log: &FlightLog) -> RunFacts {
    let recorder = match Recorder::start(datadir.path(), env!("CARGO_PKG_VERSION"), &boot_id(), unix_now()) {
        Ok(recorder) => Arc::new(recorder),
        // Another node runs on the folder, which this one is about to learn from the store.
        Err(RecorderError::InUse(_)) => return RunFacts::default(),
        Err(error) => {
            warn!(%error, "nothing is recorded for `lucid-node why`");
            return RunFacts::default();
        }
    };
    info!(before = %recorder.before(), "starting {}", env!("CARGO_PKG_VERSION"));
    if let Err(error) = log.open(Arc::clone(&recorder)) {
        warn!(%error, "warnings are not recorded for `lucid-node why`");
    }
    let facts = RunFacts {
        before: Some(recorder.before().name().to_owned()),
        starts: recorder.starts().iter().map(|(ending, count)| (ending.name().to_owned(), *count)).collect(),
    };
    // One process runs one node.
    let _ = RECORDER.set(recorder);
    facts
}

/// Notes that the node ends with this exit code.
pub(super) fn stop(code: u8, reason: &str) {
    if let Some(recorder) = RECORDER.get() {
        recorder.stop(code, reason, unix_now());
    }
}

/// Notes that a fault ends the node.
pub(super) fn fault(reason: &str) {
    if let Some(recorder) = RECORDER.get() {
        recorder.fault(reason, unix_now());
    }
}
