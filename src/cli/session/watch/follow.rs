//! What the node has taken is followed until it is final, and then noted.

use super::{
    anchor::shown,
    memory::{Key, Known},
    notes::{AnchoredNote, NoteError, Notes},
    read::Refusal,
    tell::News,
    work::{Chain, Watch},
};
use crate::anchoring::{ChunkFacts, ChunkFolder};
use alloy_primitives::{Address, B256};
use lucid_rpc::{ClientError, SessionDocument};
use lucid_storage::AnchoringStatus;
use lucid_types::SessionId;
use std::{ffi::OsString, path::Path, sync::Arc};

/// How often an anchoring that has failed is begun again before somebody has to look.
const MAX_RETRIES: u32 = 3;

/// A recording that the node has.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    pub(super) name: OsString,
    pub(super) session_id: SessionId,
    pub(super) account: Address,
    pub(super) facts: ChunkFacts,
    pub(super) contents_hash: B256,
    pub(super) retries: u32,
}

impl Watch {
    /// Asks the node how each of them stands. An error is one that the next would meet too.
    pub(super) async fn follow(&mut self, chain: Chain) -> anyhow::Result<()> {
        let mut place = 0;
        while let Some(job) = self.under_way.get(place) {
            let job = job.clone();
            let session = self.client.session(job.session_id, Some(job.account)).await?;
            self.pulse.beat();
            let has_ended = match session {
                None => {
                    let reason = "the node no longer knows it".to_owned();
                    self.tell(&News::Again { folder: shown(&job.name), session_id: job.session_id, reason });
                    self.memory.forget(Key::of(&job.name));
                    true
                }
                Some(session) => match session.status {
                    AnchoringStatus::Confirmed => {
                        self.confirm(&job, &session, chain).await?;
                        true
                    }
                    AnchoringStatus::Failed | AnchoringStatus::Expired => {
                        self.begin_again(place, &job, session.status).await?
                    }
                    AnchoringStatus::Pending | AnchoringStatus::Processing => false,
                },
            };
            if has_ended {
                self.under_way.swap_remove(place);
            } else {
                place += 1;
            }
        }
        Ok(())
    }

    /// It is final. From its note on a recording is left alone.
    async fn confirm(&mut self, job: &UnderWay, session: &SessionDocument, chain: Chain) -> anyhow::Result<()> {
        let note = AnchoredNote {
            session_id: job.session_id,
            account: job.account,
            genesis_hash: chain.genesis_hash,
            merkle_root: job.facts.merkle_root,
            chunk_count: job.facts.chunk_count,
            total_size: job.facts.total_size,
            transaction_hash: session.anchor_txid,
            block_number: session.block_number,
            contents_hash: job.contents_hash,
        };
        let (settings, folder) = (Arc::clone(&self.settings), self.folder(&job.name));
        let written = tokio::task::spawn_blocking(move || write(&settings.notes, &folder, &note)).await?;
        if let Err(error) = written {
            if error.is_of_all() {
                return Err(error.into());
            }
            let reason = format!("it is anchored as session {}, but that cannot be noted: {error}", job.session_id);
            return self.refuse(&job.name, Refusal::for_now(reason)).await;
        }
        self.memory.set(Key::of(&job.name), Known::Anchored { told: 0 });
        self.tell(&News::Anchored {
            folder: shown(&job.name),
            session_id: job.session_id,
            merkle_root: job.facts.merkle_root,
            transaction_hash: session.anchor_txid,
            block_number: session.block_number,
        });
        Ok(())
    }

    /// It came into no block. Gives whether it is given up.
    async fn begin_again(&mut self, place: usize, job: &UnderWay, status: AnchoringStatus) -> anyhow::Result<bool> {
        let known = self.client.anchoring(job.session_id, Some(job.account)).await?;
        let reason = known.and_then(|known| known.last_error).unwrap_or_else(|| status.as_str().to_owned());
        if job.retries == MAX_RETRIES {
            let reason = format!("the anchoring of session {} {}: {reason}", job.session_id, status.as_str());
            self.refuse(&job.name, Refusal::for_now(reason)).await?;
            return Ok(true);
        }
        if let Err(error) = self.client.retry_anchoring(job.session_id, Some(job.account)).await {
            if !is_about_the_session(&error) {
                return Err(error.into());
            }
            self.refuse(&job.name, Refusal::for_now(error.to_string())).await?;
            return Ok(true);
        }
        if let Some(job) = self.under_way.get_mut(place) {
            job.retries += 1;
        }
        self.tell(&News::Again { folder: shown(&job.name), session_id: job.session_id, reason });
        Ok(false)
    }
}

/// Whether it is this one session that cannot be begun again (docs/anchoring.md).
fn is_about_the_session(error: &ClientError) -> bool {
    let code = error.fault().and_then(|fault| fault.lucid_code());
    matches!(code, Some("LUCID_ERR_6001" | "LUCID_ERR_6002"))
}

/// Notes that a recording is anchored, unless its folder has been removed meanwhile.
fn write(notes: &Notes, folder: &Path, note: &AnchoredNote) -> Result<(), NoteError> {
    if !folder.is_dir() {
        return Ok(());
    }
    notes.write_anchored(folder, note)?;
    // Where it has changed since it was read, the times differ, and that is found out and told later.
    if ChunkFolder::open(folder).is_ok_and(|now| now.contents_hash() == note.contents_hash) {
        // Without it the folder is listed once more later.
        let _ = notes.set_unchanged(folder);
    }
    Ok(())
}
