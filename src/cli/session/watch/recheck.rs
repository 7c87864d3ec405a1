//! An anchored recording is now and then held against the node and its own folder.

use super::{
    anchor::shown,
    memory::{Key, Known, short},
    notes::{AnchoredNote, Notes},
    tell::News,
    work::{Chain, MAX_UNDER_WAY, Watch},
};
use crate::anchoring::ChunkFolder;
use lucid_storage::AnchoringStatus;
use std::{ffi::OsString, path::Path, sync::Arc};

impl Watch {
    /// Anchors it again where the node no longer has it, as after a backup was put back; tells once where its folder is no
    /// longer what was anchored. An error is one that the next would meet too.
    pub(super) async fn recheck(&mut self, name: OsString, chain: Chain) -> anyhow::Result<()> {
        let (settings, folder, key) = (Arc::clone(&self.settings), self.folder(&name), Key::of(&name));
        let looked = tokio::task::spawn_blocking(move || look_again(&settings.notes, &folder)).await?;
        let Some((note, change)) = looked else {
            // Somebody has removed the note, to have the recording anchored again, or has spoilt it.
            self.memory.forget(key);
            let is_spoilt = self.settings.notes.has_anchored(&self.folder(&name));
            return if is_spoilt { self.anchor(name, chain).await } else { Ok(()) };
        };
        let session_id = note.session_id;
        if let Some(change) = change
            && self.memory.get(key) != Some(Known::Anchored { told: change })
        {
            self.tell(&News::Changed { folder: shown(&name), session_id });
            self.memory.set(key, Known::Anchored { told: change });
        }
        if note.genesis_hash != chain.genesis_hash {
            if !std::mem::replace(&mut self.told_other_chain, true) {
                let note = self.settings.notes.anchored_path(&self.folder(&name)).display().to_string();
                self.tell(&News::OtherChain { folder: shown(&name), session_id, note });
            }
            return Ok(());
        }
        let session = self.client.session(session_id, Some(note.account)).await?;
        self.pulse.beat();
        let is_final = session.is_some_and(|session| {
            session.status == AnchoringStatus::Confirmed && session.merkle_root == note.merkle_root
        });
        if is_final || self.under_way.len() >= MAX_UNDER_WAY {
            return Ok(());
        }
        let reason = "the node no longer has it in a block; was a backup put back?".to_owned();
        self.tell(&News::Again { folder: shown(&name), session_id, reason });
        self.memory.forget(key);
        self.anchor(name, chain).await
    }
}

/// The note of a recording, and a number for how its folder differs from what was anchored, where it does.
fn look_again(notes: &Notes, folder: &Path) -> Option<(AnchoredNote, Option<u64>)> {
    let (note, is_touched) = notes.anchored(folder)?;
    let change = is_touched.then(|| difference(folder, &note)).flatten();
    if is_touched && change.is_none() {
        // Something hidden came or went. Without the new time the folder is listed once more later.
        let _ = notes.set_unchanged(folder);
    }
    Some((note, change))
}

/// A number for how a folder differs from what was anchored, where it does. Its chunks are listed and not read.
pub(super) fn difference(folder: &Path, note: &AnchoredNote) -> Option<u64> {
    let now = match ChunkFolder::open(folder) {
        Ok(now) => now.contents_hash(),
        Err(error) => lucid_types::blake3([error.to_string().as_bytes()]),
    };
    // 0 stands for nothing.
    (now != note.contents_hash).then(|| short(now).max(1))
}
