//! One finished recording is read and handed to the node.

use super::{
    follow::UnderWay,
    look::stamp,
    memory::{Key, Known, Refused, short},
    notes::RefusedNote,
    read::{Outcome, Reader, Ready, Refusal},
    tell::News,
    trouble::{Blame, blame},
    work::{Chain, Watch},
};
use lucid_rpc::{ClientError, SessionQuery};
use lucid_types::SessionId;
use std::{
    ffi::{OsStr, OsString},
    sync::Arc,
    time::Instant,
};
use tracing::debug;

impl Watch {
    /// Anchors a recording, as far as the node lets it. An error is one that the next recording would meet too.
    pub(super) async fn anchor(&mut self, name: OsString, chain: Chain) -> anyhow::Result<()> {
        let key = Key::of(&name);
        let before = self.memory.refused(key);
        let ready = self.ready.take().filter(|ready| ready.name == name);
        let (settings, teller, pulse) = (Arc::clone(&self.settings), self.teller.clone(), self.pulse.clone());
        let reader = Reader { settings, teller, pulse };
        let read_name = name.clone();
        match tokio::task::spawn_blocking(move || reader.run(read_name, before, ready)).await? {
            Outcome::Ready(ready) => self.submit(ready, chain).await?,
            Outcome::Refused(refusal) => self.refuse(&name, refusal).await?,
            Outcome::Same(before) => {
                self.leave_alone(&name, Refused::next(Some(before), before.told, before.stamp, false, Instant::now()));
            }
            Outcome::NotFinished => self.memory.forget(key),
            Outcome::Blocked(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn submit(&mut self, ready: Box<Ready>, chain: Chain) -> anyhow::Result<()> {
        let answer = self.client.anchor_session(&ready.request).await;
        self.pulse.beat();
        let error = match answer {
            Ok(accepted) => {
                let (session_id, merkle_root) = (accepted.session_id, accepted.merkle_root);
                self.tell(&News::Accepted { folder: shown(&ready.name), session_id, merkle_root });
                self.take(&ready, session_id, chain);
                return Ok(());
            }
            Err(error) => error,
        };
        match blame(&error) {
            Blame::Recording => self.refuse(&ready.name, Refusal::for_good(error.to_string(), ready.stamp_hash)).await,
            Blame::HasIt => match self.find(&ready, chain).await {
                Ok(Holder::This(session_id)) => {
                    self.take(&ready, session_id, chain);
                    Ok(())
                }
                Ok(Holder::Other(reason)) => {
                    self.refuse(&ready.name, Refusal::for_good(reason, ready.stamp_hash)).await
                }
                // It is being taken just now, by a request whose answer did not come.
                Ok(Holder::Nobody) => self.keep(ready, error),
                Err(error) => self.keep(ready, error),
            },
            Blame::Node => self.keep(ready, error),
        }
    }

    /// The node cannot take it now: what was read is kept for the next time.
    fn keep(&mut self, ready: Box<Ready>, error: ClientError) -> anyhow::Result<()> {
        self.ready = Some(ready);
        Err(error.into())
    }

    /// Which session of the node's account has the recording's id or root.
    async fn find(&self, ready: &Ready, chain: Chain) -> Result<Holder, ClientError> {
        let root = ready.facts.merkle_root;
        if let Some(session) = self.client.session(ready.session_id, Some(chain.account)).await? {
            if session.merkle_root == root {
                return Ok(Holder::This(session.session_id));
            }
            let text = "is anchored with another Merkle root, so the chunks here are not those that were anchored";
            let anchored = session.merkle_root;
            return Ok(Holder::Other(format!(
                "the session {} {text} (there {anchored}, here {root})",
                ready.session_id
            )));
        }
        let query = SessionQuery { merkle_root: Some(root), ..SessionQuery::default() };
        let sessions = self.client.sessions(&query).await?.sessions;
        let Some(other) = sessions.into_iter().find(|other| other.account == chain.account) else {
            return Ok(Holder::Nobody);
        };
        if ready.is_named {
            let id = other.session_id;
            return Ok(Holder::Other(format!(
                "its chunks are anchored already, as the session {id} and not as this one"
            )));
        }
        Ok(Holder::This(other.session_id))
    }

    /// The node has it: from now on it is followed.
    fn take(&mut self, ready: &Ready, session_id: SessionId, chain: Chain) {
        self.memory.set(Key::of(&ready.name), Known::UnderWay);
        self.follow_backoff.reset();
        self.under_way.push(UnderWay {
            name: ready.name.clone(),
            session_id,
            account: chain.account,
            facts: ready.facts,
            contents_hash: ready.contents_hash,
            retries: 0,
        });
    }

    /// Tells, once for each change of the folder, that a recording cannot be anchored, and leaves it alone for a while.
    pub(super) async fn refuse(&mut self, name: &OsStr, refusal: Refusal) -> anyhow::Result<()> {
        self.has_refused = true;
        let Refusal { reason, stamp_hash, retry } = refusal;
        let told = short(lucid_types::blake3([reason.as_bytes()]));
        let before = self.memory.refused(Key::of(name));
        let stamp = stamp_hash.map(short);
        if before.is_none_or(|before| (before.told, before.stamp) != (told, stamp)) {
            self.tell(&News::Refused { folder: shown(name), reason: reason.clone() });
            if let Some(stamp_hash) = stamp_hash {
                let (settings, folder) = (Arc::clone(&self.settings), self.folder(name));
                let note = RefusedNote { reason, stamp_hash };
                let written = tokio::task::spawn_blocking(move || settings.notes.write_refused(&folder, &note)).await?;
                // It was told; without the note it is found out anew after a restart.
                if let Err(error) = written {
                    debug!(%error, "a refusal is not noted");
                }
            }
        }
        self.leave_alone(name, Refused::next(before, told, stamp, retry, Instant::now()));
        Ok(())
    }

    fn leave_alone(&mut self, name: &OsStr, mut refused: Refused) {
        refused.folder = stamp(&self.folder(name));
        self.memory.set(Key::of(name), Known::Refused(refused));
    }
}

/// Who has what a recording asks for.
enum Holder {
    /// The recording itself, as this session.
    This(SessionId),
    /// Another one, as this sentence says.
    Other(String),
    Nobody,
}

/// A folder's name for people.
pub(super) fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
