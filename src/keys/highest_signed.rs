//! The highest vote that the consensus key has signed, in a small file beside it.
//!
//! Two votes for one height are the one fault that a validator must never commit, and a store that lost its last
//! batches no longer knows what was signed. This file does: it is written after the store and before anything goes out,
//! and no backup holds it. Each writing appears whole or not at all: written and synced under another name, renamed, and
//! the folder synced.

use super::{
    KeyError,
    file::{KEY_FILE_MODE, io_error, sync_folder},
};
use std::{
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Name of the file beside the keys.
pub const HIGHEST_SIGNED_FILE: &str = "highest-signed";

/// Most bytes read of it: the longest line it can hold has 57.
const MAX_BYTES: u64 = 80;

/// The steps of a round, in the order in which a validator signs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignedStep {
    /// Nothing was signed in the round.
    Nothing,
    /// A proposal.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
}

impl SignedStep {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Nothing, "nothing"),
        (Self::Proposal, "proposal"),
        (Self::Prevote, "prevote"),
        (Self::Precommit, "precommit"),
    ];
}

/// The highest vote that was signed: by height, then round, then step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HighestSigned {
    /// Height; 0 where nothing was ever signed.
    pub height: u64,
    /// Round of the height.
    pub round: u32,
    /// Step of the round.
    pub step: SignedStep,
}

impl HighestSigned {
    /// What a new key has signed.
    pub const NOTHING: Self = Self { height: 0, round: 0, step: SignedStep::Nothing };

    /// The precommit of a height, with which a block becomes final.
    pub const fn precommit(height: u64, round: u32) -> Self {
        Self { height, round, step: SignedStep::Precommit }
    }
}

impl fmt::Display for HighestSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SignedStep::NAMES.iter().find(|(step, _)| *step == self.step).map_or("", |(_, name)| name);
        write!(f, "height {} round {} step {name}", self.height, self.round)
    }
}

impl FromStr for HighestSigned {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        let ["height", height, "round", round, "step", step] = words[..] else { return Err(()) };
        let step = SignedStep::NAMES.iter().find(|(_, name)| *name == step).ok_or(())?.0;
        let read = Self { height: height.parse().map_err(|_| ())?, round: round.parse().map_err(|_| ())?, step };
        // There is one way to write each: `+7` and `07` are somebody else's.
        if read.to_string() == text { Ok(read) } else { Err(()) }
    }
}

/// The file in a folder of keys.
#[derive(Debug, Clone)]
pub struct HighestSignedFile {
    folder: PathBuf,
}

impl HighestSignedFile {
    /// The one in `folder`, whether or not it is there.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.join(HIGHEST_SIGNED_FILE)
    }

    /// What it says; `None` where there is no file.
    ///
    /// # Errors
    /// [`KeyError::HighestSigned`] if it says anything else; [`KeyError::Io`].
    pub fn read(&self) -> Result<Option<HighestSigned>, KeyError> {
        let path = self.path();
        // Before it is opened: a pipe would keep its reader waiting.
        if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
            return Err(KeyError::HighestSigned { path });
        }
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io_error("open", &path))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(io_error("read", &path))?;
        let line = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
        let read = line.and_then(|line| line.parse().ok());
        read.map(Some).ok_or(KeyError::HighestSigned { path })
    }

    /// Says that `signed` was signed; on disk when this returns.
    ///
    /// # Errors
    /// [`KeyError::Io`]
    pub fn write(&self, signed: HighestSigned) -> Result<(), KeyError> {
        let path = self.path();
        let unfinished = self.folder.join(format!("{HIGHEST_SIGNED_FILE}.new"));
        let write = || {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(KEY_FILE_MODE).open(&unfinished)?;
            file.write_all(format!("{signed}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(io_error("write", &path))?;
        sync_folder(&self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    fn signed() -> impl Strategy<Value = HighestSigned> {
        (any::<u64>(), any::<u32>(), 0..4_usize).prop_map(|(height, round, step)| HighestSigned {
            height,
            round,
            step: SignedStep::NAMES[step].0,
        })
    }

    #[test]
    fn what_was_written_is_read_and_the_file_is_its_owners_alone() {
        let folder = TempDir::new().unwrap();
        let file = HighestSignedFile::in_folder(folder.path());
        assert_eq!(file.read().unwrap(), None);
        for height in [1, 2, 300] {
            file.write(HighestSigned::precommit(height, 0)).unwrap();
            assert_eq!(file.read().unwrap(), Some(HighestSigned::precommit(height, 0)));
        }
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no unfinished file stays");
    }

    /// Taken for "nothing signed", a damaged file would let the key sign a height twice.
    #[test]
    fn a_damaged_file_is_an_error_and_never_a_lower_height() {
        let folder = TempDir::new().unwrap();
        let file = HighestSignedFile::in_folder(folder.path());
        for text in
            ["", "height 1 round 0 step precommit", "height 01 round 0 step precommit\n", "height 1 round 0 step x\n"]
        {
            fs::write(file.path(), text).unwrap();
            assert!(matches!(file.read(), Err(KeyError::HighestSigned { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_kill_while_writing_leaves_what_was_there() {
        let folder = TempDir::new().unwrap();
        let file = HighestSignedFile::in_folder(folder.path());
        file.write(HighestSigned::precommit(7, 0)).unwrap();
        fs::write(folder.path().join("highest-signed.new"), "height 8 rou").unwrap();
        assert_eq!(file.read().unwrap(), Some(HighestSigned::precommit(7, 0)));
        file.write(HighestSigned::precommit(9, 0)).unwrap();
        assert_eq!(file.read().unwrap(), Some(HighestSigned::precommit(9, 0)));
    }

    proptest! {
        #[test]
        fn every_writing_is_read_back(signed in signed()) {
            let text = signed.to_string();
            prop_assert!((text.len() as u64) < MAX_BYTES);
            prop_assert_eq!(text.parse(), Ok(signed));
        }
    }
}
