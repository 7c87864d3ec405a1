//! What is kept of a recording: that it is anchored, or why it cannot be. One small file for each, hidden in the
//! recording's folder or in a state folder, replaced as a whole and synced, so that a power cut leaves the old or the new.

use alloy_primitives::{Address, B256, hex};
use anyhow::Context;
use lucid_types::SessionId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Begins the names of all files of the watch in a recording's folder.
pub(super) const PREFIX: &str = ".lucid-";

/// Reading leaves no trace: else the disk would have to write when a note was last read (open(2)). It is allowed for one's own
/// files, and to root.
const O_NOATIME: i32 = 0o1_000_000;

/// Most bytes of a note that are read; one has a few hundred, and a reason of some length.
const MAX_NOTE_BYTES: u64 = 64 * 1024;

/// A recording that is anchored: its session is final on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AnchoredNote {
    /// The session.
    pub(super) session_id: SessionId,
    /// The account that registered it.
    pub(super) account: Address,
    /// The chain.
    pub(super) genesis_hash: B256,
    /// Root over the chunks.
    pub(super) merkle_root: B256,
    /// Number of chunks.
    pub(super) chunk_count: u32,
    /// Bytes of all chunks.
    pub(super) total_size: u64,
    /// The transaction that registered the session.
    pub(super) transaction_hash: Option<B256>,
    /// Height of its block.
    pub(super) block_number: Option<u64>,
    /// Names and sizes of the chunks, as one hash: tells whether the folder is still the one that was anchored.
    pub(super) contents_hash: B256,
}

/// A recording that cannot be anchored as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefusedNote {
    /// Why.
    pub(super) reason: String,
    /// The chunks' names, sizes and times when that was found.
    pub(super) stamp_hash: B256,
}

/// Which file.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Anchored,
    Refused,
    /// A note that is being written.
    New,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Anchored => "anchored.json",
            Self::Refused => "refused.json",
            Self::New => "new",
        }
    }
}

/// Where the notes of a folder of recordings lie.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    /// The state folder, and the folder of recordings by its full path.
    state: Option<(PathBuf, PathBuf)>,
}

impl Notes {
    /// Notes of the recordings in `dir`: in each one's folder, or in `state_dir`.
    pub(super) fn open(dir: &Path, state_dir: Option<&Path>) -> anyhow::Result<Self> {
        let Some(state_dir) = state_dir else { return Ok(Self { state: None }) };
        let dir = dir.canonicalize().with_context(|| format!("cannot read {}", dir.display()))?;
        Ok(Self { state: Some((state_dir.to_owned(), dir)) })
    }

    fn path(&self, folder: &Path, kind: Kind) -> PathBuf {
        let Some((state, dir)) = &self.state else { return folder.join(format!("{PREFIX}{}", kind.name())) };
        let name = folder.file_name().unwrap_or_default();
        // Of one length whatever the names are, and not the same for recordings of one name in two folders.
        let hash = lucid_types::blake3([dir.as_os_str().as_bytes(), &[0], name.as_bytes()]);
        state.join(format!("{}.{}", hex::encode(&hash[..16]), kind.name()))
    }

    /// The file of the note that the recording is anchored.
    pub(super) fn anchored_path(&self, folder: &Path) -> PathBuf {
        self.path(folder, Kind::Anchored)
    }

    /// Whether there is a note that the recording is anchored. Only looks whether the file is there.
    pub(super) fn has_anchored(&self, folder: &Path) -> bool {
        self.path(folder, Kind::Anchored).symlink_metadata().is_ok_and(|file| file.len() > 0)
    }

    /// The note that a recording is anchored, and whether anything was put into its folder or taken out since.
    pub(super) fn anchored(&self, folder: &Path) -> Option<(AnchoredNote, bool)> {
        let path = self.path(folder, Kind::Anchored);
        let note = read(&path)?;
        let modified = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
        Some((note, modified(&path) != modified(folder)))
    }

    /// Why a recording cannot be anchored, where that is noted.
    pub(super) fn refused(&self, folder: &Path) -> Option<RefusedNote> {
        read(&self.path(folder, Kind::Refused))
    }

    /// Finds out whether a note could be written. Better known before a recording is read and anchored than after.
    pub(super) fn prepare(&self, folder: &Path) -> Result<(), NoteError> {
        let path = self.path(folder, Kind::New);
        File::create(&path).map(drop).map_err(|source| NoteError { path, source })
    }

    /// Notes that a recording is anchored.
    pub(super) fn write_anchored(&self, folder: &Path, note: &AnchoredNote) -> Result<(), NoteError> {
        self.write(folder, Kind::Anchored, note)?;
        let refused = self.path(folder, Kind::Refused);
        match fs::remove_file(&refused) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(NoteError { path: refused, source }),
            _ => Ok(()),
        }
    }

    /// Gives the note the folder's own time: as long as they are the same, nothing came to the folder and nothing went.
    pub(super) fn set_unchanged(&self, folder: &Path) -> io::Result<()> {
        let modified: SystemTime = folder.metadata()?.modified()?;
        File::options().write(true).open(self.path(folder, Kind::Anchored))?.set_modified(modified)
    }

    /// Notes why a recording cannot be anchored.
    pub(super) fn write_refused(&self, folder: &Path, note: &RefusedNote) -> Result<(), NoteError> {
        self.write(folder, Kind::Refused, note)
    }

    fn write(&self, folder: &Path, kind: Kind, note: &impl Serialize) -> Result<(), NoteError> {
        let (path, new) = (self.path(folder, kind), self.path(folder, Kind::New));
        let written = || {
            let mut file = File::create(&new)?;
            serde_json::to_writer_pretty(&mut file, note)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            // The name is on the disk once its folder is.
            path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        written().map_err(|source| NoteError { path, source })
    }
}

/// A note cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write {}: {source}; give the watch's user the right to write there, or name a folder of its own with --state-dir",
    path.display()
)]
pub(super) struct NoteError {
    path: PathBuf,
    source: io::Error,
}

impl NoteError {
    /// Whether the next recording would meet it too: the disk is full, or may not be written.
    pub(super) fn is_of_all(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        matches!(self.source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
    }
}

/// A note; one that is no note is as good as none, and is written anew.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    let open = |flags| File::options().read(true).custom_flags(flags).open(path);
    open(O_NOATIME).or_else(|_| open(0)).ok()?.take(MAX_NOTE_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> AnchoredNote {
        AnchoredNote {
            session_id: SessionId::from_random([1; 16]),
            account: Address::repeat_byte(2),
            genesis_hash: B256::repeat_byte(3),
            merkle_root: B256::repeat_byte(4),
            chunk_count: 5,
            total_size: 6,
            transaction_hash: Some(B256::repeat_byte(7)),
            block_number: Some(8),
            contents_hash: B256::repeat_byte(9),
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::open(folder.path(), None).unwrap();
        assert!(!notes.has_anchored(folder.path()) && notes.anchored(folder.path()).is_none());
        notes.prepare(folder.path()).unwrap();
        let refused = RefusedNote { reason: "r".to_owned(), stamp_hash: B256::ZERO };
        notes.write_refused(folder.path(), &refused).unwrap();
        assert_eq!(notes.refused(folder.path()), Some(refused));
        notes.write_anchored(folder.path(), &note()).unwrap();
        assert!(notes.has_anchored(folder.path()));
        assert_eq!(notes.anchored(folder.path()).unwrap().0, note());
        assert!(notes.anchored_path(folder.path()).is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the refusal is gone, and what was being written");
    }

    #[test]
    fn what_comes_to_a_folder_after_its_note_is_seen_without_reading_it() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::open(folder.path(), None).unwrap();
        notes.write_anchored(folder.path(), &note()).unwrap();
        notes.set_unchanged(folder.path()).unwrap();
        assert!(!notes.anchored(folder.path()).unwrap().1);
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(folder.path().join("late"), "x").unwrap();
        assert!(notes.anchored(folder.path()).unwrap().1);
    }

    #[test]
    fn a_state_folder_keeps_the_notes_of_two_folders_apart_and_leaves_the_recordings_alone() {
        let (one, two, state) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = |dir: &tempfile::TempDir| Notes::open(dir.path(), Some(state.path())).unwrap();
        // As long as a name may be.
        let name = "n".repeat(255);
        fs::create_dir(one.path().join(&name)).unwrap();
        open(&one).write_anchored(&one.path().join(&name), &note()).unwrap();
        assert!(open(&one).has_anchored(&one.path().join(&name)));
        assert!(!open(&two).has_anchored(&two.path().join(&name)));
        assert_eq!(fs::read_dir(one.path().join(&name)).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_no_note_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::open(folder.path(), None).unwrap();
        fs::write(notes.anchored_path(folder.path()), "").unwrap();
        assert!(!notes.has_anchored(folder.path()));
        fs::write(notes.anchored_path(folder.path()), "{}").unwrap();
        assert!(notes.anchored(folder.path()).is_none());
    }
}
