//! Waiting until an anchoring is final, and what to say meanwhile.

use crate::cli::time::unix_now;
use anyhow::{Context, bail};
use indicatif::ProgressBar;
use lucid_rpc::{AnchorAcceptedDocument, Client, SessionDocument};
use lucid_storage::AnchoringStatus;
use std::time::Duration;

/// How often the node is asked how far an anchoring has come.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Asks the node until the session's registration is final.
pub(super) async fn wait_until_final(
    client: &Client,
    accepted: &AnchorAcceptedDocument,
) -> anyhow::Result<SessionDocument> {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(POLL_INTERVAL);
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
            AnchoringStatus::Pending | AnchoringStatus::Processing => bar.set_message(waiting_text(accepted)),
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
