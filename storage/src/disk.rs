//! Where the files of stores lie: opening them, making them, giving them their names. Nothing else here touches a path.
//! In tests it may be a disk whose power is cut.
//!
//! Who opens a store for writing holds its lock, and has seen after taking it that the file is still the one of that name.
//! So who holds the lock may put another file in its place: nobody goes on writing to the one that has no name any longer.

#[cfg(any(test, feature = "testing"))]
use crate::testing::{PowerCut, PowerCutFile};
use crate::{engine::io_error, error::StoreError};
use redb::{StorageBackend, backends::FileBackend};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Mode of a store that is made: local paths and payouts are nobody else's business.
const FILE_MODE: u32 = 0o600;

/// Where the files of stores lie.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Disk {
    /// In the file system.
    #[default]
    System,
    /// In memory, on a disk whose power can be cut.
    #[cfg(any(test, feature = "testing"))]
    PowerCut(PowerCut),
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// An open file.
#[derive(Debug)]
pub(crate) enum DiskFile {
    System(File),
    #[cfg(any(test, feature = "testing"))]
    PowerCut(PowerCutFile),
}

impl DiskFile {
    /// The same open file once more: locks are those of both.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::System(file) => file.try_clone().map(Self::System),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(file) => Ok(Self::PowerCut(file.clone())),
        }
    }

    /// What the engine reads and writes.
    pub(crate) fn into_backend(self) -> Result<Box<dyn StorageBackend>, StoreError> {
        match self {
            Self::System(file) => Ok(Box::new(FileBackend::new(file).map_err(StoreError::engine)?)),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(file) => Ok(Box::new(file)),
        }
    }

    /// Refuses a file that is not, or no longer, the one at `path`: whoever put another in its place was at work when this
    /// one was opened.
    pub(crate) fn check_name(&self, path: &Path) -> Result<(), StoreError> {
        let is_named = match self {
            Self::System(file) => file.metadata().and_then(|this| {
                let that = fs::metadata(path)?;
                Ok((this.dev(), this.ino()) == (that.dev(), that.ino()))
            }),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(file) => file.is_named(path),
        };
        match is_named {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Locked(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Locked(path.to_owned())),
            Err(source) => Err(io_error(path, source)),
        }
    }
}

impl Disk {
    /// Opens a file that is there and not empty: the engine would make a database of an empty one.
    pub(crate) fn open(&self, path: &Path, access: Access) -> Result<DiskFile, StoreError> {
        let missing = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing(path.to_owned()),
            _ => io_error(path, source),
        };
        let (file, is_store) = match self {
            Self::System => {
                // Before it is opened: a pipe would keep its reader waiting.
                if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
                    return Err(StoreError::NotAStore(path.to_owned()));
                }
                let file = OpenOptions::new().read(true).write(access == Access::Write).open(path).map_err(missing)?;
                let metadata = file.metadata().map_err(|source| io_error(path, source))?;
                (DiskFile::System(file), metadata.is_file() && metadata.len() > 0)
            }
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(disk) => {
                let file = disk.open(path).map_err(missing)?;
                (DiskFile::PowerCut(file), disk.len(path).map_err(missing)? > 0)
            }
        };
        if is_store { Ok(file) } else { Err(StoreError::NotAStore(path.to_owned())) }
    }

    /// An empty file beside `path` that no other process makes a store of at this time. `check` looks once more, now that
    /// it is locked, whether what will be done with it may be done.
    pub(crate) fn make_beside(
        &self,
        path: &Path,
        check: impl Fn() -> Result<(), StoreError>,
    ) -> Result<(PathBuf, DiskFile), StoreError> {
        check()?;
        let unfinished = unfinished(path);
        let file = match self {
            Self::System => {
                let mut options = OpenOptions::new();
                let file =
                    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(&unfinished);
                let file = file.map_err(|source| io_error(&unfinished, source))?;
                file.try_lock().map_err(|error| match error {
                    TryLockError::WouldBlock => StoreError::Locked(unfinished.clone()),
                    TryLockError::Error(source) => io_error(&unfinished, source),
                })?;
                DiskFile::System(file)
            }
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(disk) => {
                DiskFile::PowerCut(disk.create(&unfinished).map_err(|source| io_error(&unfinished, source))?)
            }
        };
        // Only now: the file that was just opened may itself have been finished and renamed meanwhile.
        file.check_name(&unfinished)?;
        check()?;
        let emptied = match &file {
            // One that a crash left may have another mode.
            DiskFile::System(file) => {
                file.set_len(0).and_then(|()| file.set_permissions(fs::Permissions::from_mode(FILE_MODE)))
            }
            #[cfg(any(test, feature = "testing"))]
            DiskFile::PowerCut(file) => file.set_len(0),
        };
        emptied.map_err(|source| io_error(&unfinished, source))?;
        Ok((unfinished, file))
    }

    /// Refuses where something has the name.
    pub(crate) fn refuse_existing(&self, path: &Path) -> Result<(), StoreError> {
        let exists = match self {
            Self::System => path.try_exists(),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(disk) => Ok(disk.len(path).is_ok()),
        };
        match exists {
            Ok(false) => Ok(()),
            Ok(true) => Err(StoreError::AlreadyExists(path.to_owned())),
            Err(source) => Err(io_error(path, source)),
        }
    }

    /// Bytes of a file.
    pub(crate) fn len(&self, path: &Path) -> Result<u64, StoreError> {
        let len = match self {
            Self::System => fs::metadata(path).map(|file| file.len()),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(disk) => disk.len(path),
        };
        len.map_err(|source| io_error(path, source))
    }

    /// Gives a finished file its name, durably, in place of what had the name, and returns its length.
    pub(crate) fn finish(&self, unfinished: &Path, path: &Path) -> Result<u64, StoreError> {
        let bytes = self.rename(unfinished, path)?;
        self.sync_folder_of(path)?;
        Ok(bytes)
    }

    /// As [`Disk::finish`], where the name is yet to be made durable.
    pub(crate) fn rename(&self, unfinished: &Path, path: &Path) -> Result<u64, StoreError> {
        let bytes = self.len(unfinished)?;
        let named = match self {
            Self::System => fs::rename(unfinished, path),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(disk) => disk.rename(unfinished, path),
        };
        named.map_err(|source| io_error(path, source))?;
        Ok(bytes)
    }

    /// Makes the file's name as durable as its contents.
    pub(crate) fn sync_folder_of(&self, path: &Path) -> Result<(), StoreError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = match self {
            Self::System => File::open(folder).and_then(|folder| folder.sync_all()),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(disk) => disk.sync_names(),
        };
        synced.map_err(|source| io_error(folder, source))
    }

    /// Removes what was not finished beside `path`, if there is such a thing. It takes room, and is of no more use than
    /// that; where it cannot be removed it does no other harm.
    pub(crate) fn remove_unfinished(&self, path: &Path) {
        let unfinished = unfinished(path);
        let _ = match self {
            Self::System => fs::remove_file(unfinished),
            #[cfg(any(test, feature = "testing"))]
            Self::PowerCut(disk) => disk.remove(&unfinished),
        };
    }
}

/// Where a store is made before it has its name.
fn unfinished(path: &Path) -> PathBuf {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    PathBuf::from(unfinished)
}
