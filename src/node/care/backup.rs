use super::{
    super::{datadir::free_bytes, error::NodeError, guards::MIN_FREE_BYTES},
    progress::{ReportStep, within},
    stats::head_document,
};
use crate::chain;
use lucid_rpc::DbBackupDocument;
use lucid_storage::{Meta, NamedBackup, Options, Snapshot, StoreError};
use lucid_types::ChainSpec;
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

/// What the names of backups end with that a kill cut short.
const UNFINISHED_SUFFIX: &str = ".redb.new";

/// Copies a store of `store_bytes` to `path`, where there must be nothing, and reads the copy back. The file appears
/// there whole or not at all, and only its owner can read it. It holds all tables; keys, tokens, configuration and the
/// file of what the keys have signed are not in it.
pub fn backup(
    snapshot: &Snapshot,
    meta: &Meta,
    store_bytes: u64,
    path: &Path,
    progress: &mut ReportStep<'_>,
) -> Result<DbBackupDocument, NodeError> {
    let head = chain::read_head(snapshot)?;
    let chain_id = ChainSpec::from_json(&meta.chain_spec)?.chain_id;
    if path.exists() {
        return Err(StoreError::AlreadyExists(path.to_owned()).into());
    }
    refuse_full_disk(path, store_bytes)?;
    let copied = snapshot.copy_to(path, &Options::default(), &mut within("entries", progress))?;
    // As whoever reads the answer can find it, wherever that is.
    let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(DbBackupDocument::new(place.display().to_string(), copied, chain_id, meta.genesis_hash, head_document(&head)))
}

/// How many seconds a name may be ahead of its time, where backups were made faster than one a second.
const MAX_NAME_AHEAD_SECS: u64 = 60;

/// As [`backup`], into a folder of backups, which is made where it is missing, under a name of height and `now` (Unix
/// seconds), or of the next second that no backup of this height has.
pub fn backup_into(
    folder: &Path,
    snapshot: &Snapshot,
    meta: &Meta,
    store_bytes: u64,
    now: u64,
    progress: &mut ReportStep<'_>,
) -> Result<DbBackupDocument, NodeError> {
    prepare_folder(folder)?;
    let height = chain::read_head(snapshot)?.number;
    let path_at = |secs: u64| NamedBackup::to_make(folder, height, secs).path;
    let mut seconds = now..=now.saturating_add(MAX_NAME_AHEAD_SECS);
    // Where all are taken, the first is refused by name.
    let path =
        seconds.find_map(|secs| Some(path_at(secs)).filter(|path| !path.exists())).unwrap_or_else(|| path_at(now));
    backup(snapshot, meta, store_bytes, &path, progress)
}

/// Makes the folder, where it is missing, and clears it of what a kill cut short. Only one process at a time has the
/// store, and it makes one backup at a time, so nobody is at work on those.
pub(super) fn prepare_folder(folder: &Path) -> Result<(), NodeError> {
    let clear = || -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED_SUFFIX) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    clear().map_err(|source| NodeError::Io { path: folder.to_owned(), source })
}

/// Refuses where a copy of so many bytes does not fit, or would leave the disk too full for a node to write.
pub(super) fn refuse_full_disk(path: &Path, store_bytes: u64) -> Result<(), NodeError> {
    let path = folder_of(path).to_owned();
    let needed_bytes = store_bytes.saturating_add(MIN_FREE_BYTES);
    match free_bytes(&path) {
        Some(free_bytes) if free_bytes < needed_bytes => Err(NodeError::NoRoom { path, free_bytes, needed_bytes }),
        // A disk that does not say how full it is will say so when it is written to.
        _ => Ok(()),
    }
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
