use super::error::NodeError;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder that holds all of a node: one store, and the keys beside it.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    /// Removes the folder with the last clone of this.
    _temporary: Option<Arc<tempfile::TempDir>>,
}

impl DataDir {
    /// A folder that stays; it is made where it is missing, readable by its owner only.
    pub fn at(path: &Path) -> Result<Self, NodeError> {
        use std::os::unix::fs::DirBuilderExt;
        let io = |source| NodeError::Io { path: path.to_owned(), source };
        if !path.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        }
        if !fs::metadata(path).map_err(io)?.is_dir() {
            return Err(NodeError::NotAFolder(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), _temporary: None })
    }

    /// A folder that is removed when the node has stopped.
    pub fn temporary() -> Result<Self, NodeError> {
        let owner_only = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("lucid-dev-").permissions(owner_only).tempdir();
        let folder = folder.map_err(|source| NodeError::Io { path: std::env::temp_dir(), source })?;
        Ok(Self { path: folder.path().to_owned(), _temporary: Some(Arc::new(folder)) })
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
}
