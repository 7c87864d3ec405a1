//! Waiting until an anchoring is final, and what to say meanwhile.

use super::anchor::Anchored;
use crate::cli::{
    exit_codes::{FAILED, INTERRUPTED, coded},
    signals::StopSignals,
    time::unix_now,
};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressFinish};
use lucid_rpc::{AnchorAcceptedDocument, Client, ClientError, SessionDocument};
use lucid_storage::AnchoringStatus;
use lucid_types::SessionId;
use std::time::{Duration, Instant};

/// How often the node is asked how far an anchoring has come.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How often it is asked whether it makes blocks: what it answers is longer, and changes when somebody does something.
const CONDITION_INTERVAL: Duration = Duration::from_secs(2);

/// Sees an anchoring through that the node has taken, unless `no_wait`. From the first moment on its caller knows the
/// session's id, and what keeps the node from making its block.
pub(super) async fn follow(
    client: &Client,
    accepted: &AnchorAcceptedDocument,
    no_wait: bool,
) -> anyhow::Result<Anchored> {
    let id = accepted.session_id;
    if no_wait {
        // It has the job: that it does not say more changes nothing for the caller.
        if let Ok(Some(news)) = SealingWatch::default().news(client).await {
            eprintln!("{news}");
        }
        return Ok(Anchored::of(accepted, None));
    }
    let mut stop = StopSignals::listen().context("cannot wait for signals")?;
    eprintln!("Session {id}: the node has it on its disk; waiting until it is final");
    tokio::select! {
        session = wait_until_final(client, accepted) => {
            Ok(Anchored::of(accepted, Some(session.map_err(|error| with_fate(error, id))?)))
        }
        () = stop.received() => Err(coded(
            INTERRUPTED,
            format!("stopped waiting, and the node goes on: `lucid-node session status {id}` tells how it stands"),
        )),
    }
}

/// The error; where it is that the node is gone, with what becomes of an anchoring that it has taken.
fn with_fate(error: anyhow::Error, id: SessionId) -> anyhow::Error {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { .. } | ClientError::TimedOut { .. }) => coded(
            FAILED,
            format!(
                "stopped waiting: {error}\nThe anchoring is kept on the node's disk, and goes on when the node runs again: \
                 `lucid-node session status {id}` then tells how it stands"
            ),
        ),
        _ => error,
    }
}

/// Asks the node until the session's registration is final.
pub(in crate::cli) async fn wait_until_final(
    client: &Client,
    accepted: &AnchorAcceptedDocument,
) -> anyhow::Result<SessionDocument> {
    let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(POLL_INTERVAL);
    let mut sealing = SealingWatch::default();
    loop {
        let session = client.session(accepted.session_id, Some(accepted.account)).await?;
        let session = session.context("the node no longer knows the session")?;
        match session.status {
            AnchoringStatus::Confirmed => {
                bar.finish_and_clear();
                return Ok(session);
            }
            AnchoringStatus::Failed | AnchoringStatus::Expired => {
                bar.finish_and_clear();
                let job = client.anchoring(accepted.session_id, Some(accepted.account)).await?;
                let reason = job.and_then(|job| job.last_error).unwrap_or_else(|| "the node's log says why".to_owned());
                bail!("the anchoring of the session {} {}: {reason}", session.session_id, session.status.as_str());
            }
            AnchoringStatus::Pending | AnchoringStatus::Processing => {
                if let Some(news) = sealing.news(client).await? {
                    bar.suspend(|| eprintln!("{news}"));
                }
                bar.set_message(waiting_text(accepted));
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn waiting_text(accepted: &AnchorAcceptedDocument) -> String {
    match accepted.slot_end_time {
        None => format!("Slot {}: waiting for the block", accepted.slot),
        Some(end) => match end.checked_sub(unix_now()) {
            Some(left) => format!("Slot {}: {left} s until it ends", accepted.slot),
            None => format!("Slot {} has ended: waiting for the next block", accepted.slot),
        },
    }
}

/// What was told of why the node makes no blocks.
#[derive(Debug, Default)]
struct SealingWatch {
    asked: Option<Instant>,
    /// What was told last, without its numbers: a disk that fills and a clock that goes are no news.
    told: Option<String>,
}

impl SealingWatch {
    /// What there is to tell: at once, and when it changes.
    async fn news(&mut self, client: &Client) -> Result<Option<String>, ClientError> {
        if self.asked.is_some_and(|asked| asked.elapsed() < CONDITION_INTERVAL) {
            return Ok(None);
        }
        self.asked = Some(Instant::now());
        Ok(self.note(client.chain_info().await?.sealing_stop.as_deref()))
    }

    fn note(&mut self, stop: Option<&str>) -> Option<String> {
        let kind = stop.map(|stop| stop.replace(|c: char| c.is_ascii_digit(), ""));
        if kind == self.told {
            return None;
        }
        self.told = kind;
        Some(stop.map_or_else(|| "The node makes blocks again".to_owned(), no_blocks))
    }
}

/// The sentence for a node that makes no blocks.
pub(super) fn no_blocks(stop: &str) -> String {
    format!("The node makes no blocks: {stop}.\nThe anchoring is kept, and goes on by itself once that is put right")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_node_from_making_blocks_is_told_once_and_when_it_changes() {
        let mut watch = SealingWatch::default();
        assert_eq!(watch.note(None), None, "nothing is wrong, and nothing is said");
        assert!(watch.note(Some("12 MiB left")).unwrap().contains("12 MiB left"));
        assert_eq!(watch.note(Some("11 MiB left")), None);
        assert!(watch.note(Some("12 MiB left; also: the clock")).unwrap().contains("the clock"));
        assert!(watch.note(None).unwrap().contains("again"));
        assert_eq!(watch.note(None), None);
    }
}
