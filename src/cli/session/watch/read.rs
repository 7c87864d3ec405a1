//! Reading one finished recording, as far as the node need not be asked.

use super::{
    super::submit::{Recording, read_meta, reading_bar, show},
    finished::DONE,
    life::Pulse,
    memory::{Refused, short},
    notes::{NoteError, RefusedNote},
    tell::Teller,
    work::Settings,
};
use crate::{
    anchoring::{ChunkFacts, ChunkFolder, ReadError, SessionMeta},
    cli::{app::with_causes, time::unix_now},
};
use alloy_primitives::B256;
use lucid_rpc::AnchorRequestDocument;
use lucid_types::{IdError, SessionId};
use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    sync::Arc,
};

/// The file in which a recorder says what it knows of a session, as for `session anchor --meta`.
const META: &str = ".meta.json";

/// What the ids of sessions are made of whose folders are not named by one; the root follows.
const ID_DOMAIN: &[u8] = b"lucid: session id of a Merkle root";

/// A recording that was read.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: OsString,
    pub(super) session_id: SessionId,
    /// Whether the folder's name is the session's id.
    pub(super) is_named: bool,
    pub(super) facts: ChunkFacts,
    pub(super) contents_hash: B256,
    pub(super) stamp_hash: B256,
    pub(super) request: AnchorRequestDocument,
}

/// Why a recording cannot be anchored.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// The chunks' names, sizes and times; none where they could not be listed.
    pub(super) stamp_hash: Option<B256>,
    /// Whether it may go another time though nothing of it has changed.
    pub(super) retry: bool,
}

impl Refusal {
    /// One that may pass by itself.
    pub(super) fn for_now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), stamp_hash: None, retry: true }
    }

    /// One that was found without reading the chunks, and is as soon found again.
    fn unread(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), stamp_hash: None, retry: false }
    }

    /// One that only a change of the chunks can mend.
    pub(super) fn for_good(reason: impl Into<String>, stamp_hash: B256) -> Self {
        Self { reason: reason.into(), stamp_hash: Some(stamp_hash), retry: false }
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Ready(Box<Ready>),
    Refused(Refusal),
    /// As it was when it was refused before.
    Same(Refused),
    /// It changed while it was read, and its recorder has not said that it has finished; or it is gone.
    NotFinished,
    /// Nothing can be noted of any recording.
    Blocked(NoteError),
}

/// Who reads, on a thread of its own.
pub(super) struct Reader {
    pub(super) settings: Arc<Settings>,
    pub(super) teller: Teller,
    pub(super) pulse: Pulse,
}

impl Reader {
    /// Reads the recording `name`: not where it was refused `before` and is the same, nor where it was read as `ready` and
    /// is the same.
    pub(super) fn run(&self, name: OsString, before: Option<Refused>, ready: Option<Box<Ready>>) -> Outcome {
        let path = self.settings.dir.join(&name);
        let folder = match ChunkFolder::open(&path) {
            Ok(folder) => folder,
            Err(error) => return Outcome::Refused(Refusal::unread(error.to_string())),
        };
        let stamp_hash = folder.stamp_hash();
        if let Some(before) = before.filter(|before| !before.retry && before.stamp == Some(short(stamp_hash))) {
            return Outcome::Same(before);
        }
        if let Some(RefusedNote { reason, .. }) =
            self.settings.notes.refused(&path).filter(|note| note.stamp_hash == stamp_hash)
        {
            return Outcome::Refused(Refusal::for_good(reason, stamp_hash));
        }
        if let Some(ready) = ready.filter(|ready| ready.stamp_hash == stamp_hash) {
            return Outcome::Ready(ready);
        }
        if let Err(error) = self.settings.notes.prepare(&path) {
            return if error.is_of_all() {
                Outcome::Blocked(error)
            } else {
                Outcome::Refused(Refusal::unread(error.to_string()))
            };
        }
        let meta = match meta_of(&path) {
            Ok(meta) => meta,
            Err(error) => return Outcome::Refused(Refusal::unread(with_causes(&error))),
        };
        match self.read(&folder, meta.started_at) {
            Ok(recording) => ready_from(name, &folder, recording, meta),
            Err(error) => match error.downcast::<ReadError>() {
                Ok(error) => refused_by(error, &path),
                Err(error) => Outcome::Refused(Refusal::for_good(with_causes(&error), stamp_hash)),
            },
        }
    }

    fn read(&self, folder: &ChunkFolder, started_at: Option<u64>) -> anyhow::Result<Recording> {
        let bar = reading_bar(folder.total_bytes())?;
        self.teller.show(Some(bar.clone()));
        let recording = Recording::read(folder, started_at, |progress| {
            self.pulse.beat();
            show(&bar, progress);
        });
        self.teller.show(None);
        recording
    }
}

fn meta_of(folder: &Path) -> anyhow::Result<SessionMeta> {
    let path = folder.join(META);
    if path.symlink_metadata().is_err() { Ok(SessionMeta::default()) } else { read_meta(&path) }
}

fn refused_by(error: ReadError, folder: &Path) -> Outcome {
    let is_done = folder.join(DONE).symlink_metadata().is_ok();
    match &error {
        ReadError::Changed(_) if !is_done => Outcome::NotFinished,
        ReadError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound && !is_done => Outcome::NotFinished,
        _ => Outcome::Refused(Refusal::for_now(error.to_string())),
    }
}

fn ready_from(name: OsString, folder: &ChunkFolder, recording: Recording, meta: SessionMeta) -> Outcome {
    let (stamp_hash, facts) = (folder.stamp_hash(), recording.facts);
    let made = session_id(&name, facts.merkle_root).map_err(|error| error.to_string()).and_then(|(id, is_named)| {
        let manifest = meta.into_manifest(id, facts, unix_now()).map_err(|error| error.to_string())?;
        Ok((id, is_named, recording.into_request(manifest, None, None)))
    });
    match made {
        Ok((session_id, is_named, request)) => Outcome::Ready(Box::new(Ready {
            name,
            session_id,
            is_named,
            facts,
            contents_hash: folder.contents_hash(),
            stamp_hash,
            request,
        })),
        Err(reason) => Outcome::Refused(Refusal::for_now(reason)),
    }
}

/// The session of a folder: the one that its name says, or else one that follows from the root, so that the same chunks
/// are the same session whatever was forgotten. And whether it was the name.
fn session_id(name: &OsStr, merkle_root: B256) -> Result<(SessionId, bool), IdError> {
    if let Some(id) = named_session(name) {
        return Ok((id, true));
    }
    let hash = lucid_types::blake3([ID_DOMAIN, merkle_root.as_slice()]);
    let mut bytes: [u8; 16] = hash.0.first_chunk().copied().unwrap_or_default();
    // A version 8 UUID: made by the rule of an application (RFC 9562, section 5.8).
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok((SessionId::from_bytes(bytes)?, false))
}

/// The session that the name of a folder says.
pub(super) fn named_session(name: &OsStr) -> Option<SessionId> {
    name.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_chunks_are_the_same_session_and_a_uuid_is_its_own() {
        let id = |name: &str, root: u8| session_id(OsStr::new(name), B256::repeat_byte(root)).unwrap();
        let named = "5e551011-0000-4000-8000-000000000001";
        assert_eq!((id(named, 1).0.to_string(), id(named, 1).1), (named.to_owned(), true));
        assert_eq!(id("evening", 1), id("morning", 1));
        assert_ne!(id("evening", 1).0, id("evening", 2).0);
        // Pinned: with another rule a restart would anchor once more what is anchored.
        assert_eq!(id("evening", 1).0.to_string(), "0e92c0b9-01c8-8892-b9f6-5e31e25ec516");
    }
}
