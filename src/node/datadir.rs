//! What lies where in a node's folder.

use super::error::NodeError;
use crate::keys::{ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, HIGHEST_SIGNED_FILE, HighestSigned, HighestSignedFile};
use lucid_storage::last_backup;
use lucid_types::ChainSpec;
use std::{
    ffi::OsStr,
    fs,
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Everything that a data folder may hold, and what a file system puts there itself.
const NAMES: [&str; 11] = [
    "lucid.redb",
    "keys",
    "tokens",
    "backups",
    "chain.json",
    "lucid.toml",
    "conf.d",
    "recorded-time",
    "flight-recorder",
    "flight-recorder.1",
    "lost+found",
];

/// The user who may do everything.
const ROOT: u32 = 0;

/// Most bytes that are read of a small file: a chain spec with the most allocations is far below it.
const MAX_SMALL_FILE_BYTES: u64 = 64 << 20;

/// The folder that holds all of a node: one store, and the keys beside it.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    /// Removes the folder with the last clone of this.
    temporary: Option<Arc<tempfile::TempDir>>,
}

impl DataDir {
    /// The folder of a node that came with a package.
    pub const INSTALLED: &str = "/var/lib/lucid-node";

    /// Whether a path is that folder.
    pub fn is_installed(path: &Path) -> bool {
        path == Path::new(Self::INSTALLED)
    }

    /// How the program is called for the folder at `path`, as the user whose folder it is: that of the package has one.
    pub fn program(path: &Path) -> &'static str {
        if Self::is_installed(path) { "sudo -u lucid-node lucid-node" } else { "lucid-node" }
    }

    /// A folder that stays and is written to; it is made where it is missing, readable by its owner only.
    pub fn at(path: &Path) -> Result<Self, NodeError> {
        use std::os::unix::fs::DirBuilderExt;
        let io = |source| NodeError::Io { path: path.to_owned(), source };
        if !path.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        }
        if !fs::metadata(path).map_err(io)?.is_dir() {
            return Err(NodeError::NotAFolder(path.to_owned()));
        }
        Self { path: path.to_owned(), temporary: None }.to_write()
    }

    /// The same, for who writes into it.
    ///
    /// # Errors
    /// [`NodeError::OtherUsersFolder`]: what root makes there is root's, and the node that has the folder could not read it.
    pub fn to_write(self) -> Result<Self, NodeError> {
        let folder = fs::metadata(&self.path).map_err(|source| NodeError::Io { path: self.path.clone(), source })?;
        let own = fs::metadata("/proc/self").map_or(folder.uid(), |process| process.uid());
        match own == ROOT && folder.uid() != ROOT {
            true => Err(NodeError::OtherUsersFolder { path: self.path, owner: folder.uid() }),
            false => Ok(self),
        }
    }

    /// As [`DataDir::to_write`], for a new file that somebody named, where that would lie in this folder.
    ///
    /// # Errors
    /// [`NodeError::OtherUsersFolder`]
    pub fn check_new_file(&self, path: &Path) -> Result<(), NodeError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match (parent.canonicalize(), self.path.canonicalize()) {
            (Ok(parent), Ok(folder)) if parent.starts_with(&folder) => self.clone().to_write().map(drop),
            _ => Ok(()),
        }
    }

    /// A folder that is there.
    pub fn at_existing(path: &Path) -> Result<Self, NodeError> {
        let metadata = fs::metadata(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => NodeError::NoFolder(path.to_owned()),
            _ => NodeError::Io { path: path.to_owned(), source },
        })?;
        match metadata.is_dir() {
            true => Ok(Self { path: path.to_owned(), temporary: None }),
            false => Err(NodeError::NotAFolder(path.to_owned())),
        }
    }

    /// A folder that is removed when the node has stopped.
    pub fn temporary() -> Result<Self, NodeError> {
        let owner_only = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("lucid-dev-").permissions(owner_only).tempdir();
        let folder = folder.map_err(|source| NodeError::Io { path: std::env::temp_dir(), source })?;
        Ok(Self { path: folder.path().to_owned(), temporary: Some(Arc::new(folder)) })
    }

    /// A folder that is nowhere, for a node whose store lies on a disk in memory and whose keys are handed to it.
    #[cfg(feature = "testing")]
    pub(super) fn nowhere() -> Self {
        Self { path: PathBuf::from("nowhere"), temporary: None }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store: one redb file.
    pub fn store(&self) -> PathBuf {
        self.path.join("lucid.redb")
    }

    /// The folder of the node's keys.
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// The folder of the access tokens, a file for each scope.
    pub fn tokens(&self) -> PathBuf {
        self.path.join("tokens")
    }

    /// The folder of the backups that a node makes by itself.
    pub fn backups(&self) -> PathBuf {
        self.path.join("backups")
    }

    /// The chain spec as it was when the chain was made.
    pub fn chain_spec(&self) -> PathBuf {
        self.path.join("chain.json")
    }

    /// The chain spec that lies beside the store, for people; `None` where there is none.
    ///
    /// # Errors
    /// [`NodeError::Io`], [`NodeError::Spec`]
    pub fn read_chain_spec(&self) -> Result<Option<ChainSpec>, NodeError> {
        let text = read_small(&self.chain_spec())?;
        Ok(text.map(|text| ChainSpec::from_json(&text)).transpose()?)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path.join("lucid.toml")
    }

    /// The file with the last time that the node recorded.
    pub(super) fn recorded_time(&self) -> PathBuf {
        self.path.join("recorded-time")
    }

    /// Whether the folder goes with the process.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Whether a name in the folder is one that a node gives.
    pub(super) fn is_ours(name: &OsStr) -> bool {
        let name = name.to_string_lossy();
        NAMES.contains(&name.strip_suffix(".new").unwrap_or(&name))
    }
}

/// Why there is nothing to run in a folder without a store: no chain was made in it, or its store went away.
pub fn no_store(path: &Path) -> NodeError {
    let keys = path.join("keys");
    let keyed = [ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, HIGHEST_SIGNED_FILE].iter().any(|name| keys.join(name).exists());
    let signed = HighestSignedFile::in_folder(&keys).read();
    let has_signed = matches!(signed, Ok(Some(signed)) if signed > HighestSigned::NOTHING);
    if !keyed || !(has_signed || path.join("chain.json").exists()) {
        return NodeError::NoChain(path.to_owned());
    }
    let begun = !matches!(signed, Ok(Some(HighestSigned::NOTHING)));
    let backup = last_backup(&path.join("backups")).map(|backup| backup.path);
    NodeError::StoreGone { path: path.to_owned(), backup, begun }
}

/// Reads a small file of the folder; `None` where there is none.
pub(super) fn read_small(path: &Path) -> Result<Option<Vec<u8>>, NodeError> {
    let io = |source| NodeError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        looked => {
            // Before it is opened: a pipe would keep its reader waiting.
            if !looked.map_err(io)?.is_file() {
                return Err(io(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file")));
            }
        }
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(io)?.take(MAX_SMALL_FILE_BYTES).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}

impl DataDir {
    /// Bytes that the store takes on its disk; `None` where there is none, or it cannot be seen.
    pub fn store_taken_bytes(&self) -> Option<u64> {
        taken_bytes(&self.store())
    }
}

/// Bytes that are free on the disk with `folder`, for who is not root; `None` where it does not say.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes that a file takes on its disk; it may be longer. `None` where it cannot be seen.
pub(super) fn taken_bytes(path: &Path) -> Option<u64> {
    // In this unit whatever the file system's own is.
    fs::metadata(path).ok().map(|file| file.blocks().saturating_mul(512))
}

/// Writes a file whole or not at all, in place of what was there; on disk when this returns.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> Result<(), NodeError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|source| NodeError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    /// Only root can be taken for somebody else.
    #[test]
    fn root_does_not_write_into_the_folder_of_the_nodes_user() {
        let folder = tempfile::tempdir().unwrap();
        if std::os::unix::fs::chown(folder.path(), Some(65_534), None).is_err() {
            return println!("skipped: this is not root");
        }
        let refused = DataDir::at(folder.path()).unwrap_err();
        assert!(matches!(refused, NodeError::OtherUsersFolder { owner: 65_534, .. }), "{refused}");
        let seen = DataDir::at_existing(folder.path()).unwrap();
        assert!(matches!(seen.to_write(), Err(NodeError::OtherUsersFolder { owner: 65_534, .. })));
    }

    use super::*;
    use crate::keys::NodeKeys;

    #[test]
    fn a_store_that_is_gone_is_told_from_one_that_never_was() {
        let folder = DataDir::temporary().unwrap();
        assert!(matches!(no_store(folder.path()), NodeError::NoChain(_)));
        NodeKeys::load_or_create(&folder.keys()).unwrap();
        assert!(matches!(no_store(folder.path()), NodeError::NoChain(_)), "keys alone are no chain");
        fs::write(folder.chain_spec(), "{}").unwrap();
        let text = no_store(folder.path()).to_string();
        assert!(text.contains("db restore") && text.contains("cut short"), "{text}");

        HighestSignedFile::in_folder(&folder.keys()).write(HighestSigned::precommit(3, 0)).unwrap();
        fs::create_dir(folder.backups()).unwrap();
        for name in ["lucid-00000019-1.redb", "lucid-00000010-2.redb", "lucid-00000011-3.redb.new", "z.redb"] {
            fs::write(folder.backups().join(name), "").unwrap();
        }
        let text = no_store(folder.path()).to_string();
        assert!(text.contains("lucid-00000010-2.redb") && !text.contains("init"), "{text}");
        fs::remove_file(folder.chain_spec()).unwrap();
        assert!(
            matches!(no_store(folder.path()), NodeError::StoreGone { begun: true, .. }),
            "keys that have signed tell"
        );
    }
}
