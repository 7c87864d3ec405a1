use super::{
    super::{
        datadir::{DataDir, free_bytes},
        error::NodeError,
        guards::MIN_FREE_BYTES,
    },
    backup::{backup, prepare_folder},
    progress::{ReportStep, within},
};
use crate::chain;
use lucid_storage::{FORMAT_VERSION, Meta, Migration, Options, Snapshot, Store};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A store that has the present format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The format that it had.
    pub from: u32,
    /// The backup of before, where one was made now or in a run that was cut short.
    pub backup: Option<PathBuf>,
}

/// Makes a store of the present format of that of a folder on which no node runs, after a backup into the folder of backups.
/// Every page is checked first, and the backup is read back. A store of the present format is left as it is.
///
/// # Errors
/// [`NodeError::NoRoomToMigrate`], [`NodeError::OtherUsersFolder`], and those of the store.
pub fn migrate(datadir: &DataDir, with_backup: bool, progress: &mut ReportStep<'_>) -> Result<Migrated, NodeError> {
    let datadir = datadir.clone().to_write()?;
    let path = datadir.store();
    let options = Options::default();
    let (meta, snapshot) = Store::inspect(&path, &options, true)?;
    let from = meta.format_version;
    if from == FORMAT_VERSION {
        return Ok(Migrated { from, backup: None });
    }
    let backup = with_backup.then(|| back_up(&datadir, &meta, &snapshot, progress)).transpose()?;
    drop(snapshot);
    Migration::begin(&path, &options)?.run(&mut within("rows", progress))?;
    Ok(Migrated { from, backup })
}

/// Makes the backup of before. Its name has the format in place of a time: a run that is begun again finds what the one before
/// has made, and nothing takes it for the last backup, or removes it, but its owner.
fn back_up(
    datadir: &DataDir,
    meta: &Meta,
    snapshot: &Snapshot,
    progress: &mut ReportStep<'_>,
) -> Result<PathBuf, NodeError> {
    let folder = datadir.backups();
    let height = chain::read_head(snapshot)?.number;
    let path = folder.join(format!("lucid-{height:08}-format-{}.redb", meta.format_version));
    if path.exists() && Store::inspect(&path, &Options::default(), true)?.0 == *meta {
        return Ok(path);
    }
    prepare_folder(&folder)?;
    let store = datadir.store();
    let bytes = fs::metadata(&store).map_err(|source| NodeError::Io { path: store, source })?.len();
    refuse_full_disk(&folder, bytes, free_bytes)?;
    backup(snapshot, meta, bytes, &path, progress)?;
    Ok(path)
}

fn refuse_full_disk(
    folder: &Path,
    store_bytes: u64,
    free_bytes: impl Fn(&Path) -> Option<u64>,
) -> Result<(), NodeError> {
    let needed_bytes = store_bytes.saturating_add(MIN_FREE_BYTES);
    match free_bytes(folder) {
        Some(free_bytes) if free_bytes < needed_bytes => {
            Err(NodeError::NoRoomToMigrate { path: folder.to_owned(), free_bytes, needed_bytes })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_for_the_backup_it_says_what_else_can_be_done() {
        let refuse = |free| refuse_full_disk(Path::new("/somewhere/backups"), 5 << 20, |_| free);
        let refused = refuse(Some(MIN_FREE_BYTES)).unwrap_err();
        let NodeError::NoRoomToMigrate { free_bytes, needed_bytes, .. } = &refused else { panic!("{refused}") };
        assert_eq!(needed_bytes - free_bytes, 5 << 20);
        for words in ["has 64 MiB left", "69 MiB", "db backup", "db migrate --no-backup"] {
            assert!(refused.to_string().contains(words), "{refused}");
        }
        refuse(Some(MIN_FREE_BYTES + (5 << 20))).unwrap();
        refuse(None).unwrap();
    }
}
