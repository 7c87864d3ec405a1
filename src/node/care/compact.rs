use super::{
    super::{
        datadir::{DataDir, free_bytes},
        error::NodeError,
        guards::MIN_FREE_BYTES,
        state::Node,
    },
    backup::folder_of,
    progress::{ReportStep, within},
};
use lucid_rpc::DbCompactDocument;
use lucid_storage::{Compacted, Compaction, Options, StoreError};
use std::path::Path;

/// Writes the store of a folder on which no node runs anew, without what it no longer uses. Every page of it is checked
/// first, and what was written is read back before it takes the place of the old file.
///
/// # Errors
/// [`NodeError::NoRoomToCompact`], [`NodeError::OtherUsersFolder`], and those of the store.
pub fn compact(datadir: &DataDir, progress: &mut ReportStep<'_>) -> Result<Compacted, NodeError> {
    // The new file is whose this process is.
    let datadir = datadir.clone().to_write()?;
    let path = datadir.store();
    let compaction = Compaction::begin(&path, &Options::default())?;
    refuse_full_disk(folder_of(&path), compaction.file_bytes(), || compaction.bytes_in_use(), free_bytes)?;
    Ok(compaction.run(&mut within("entries", progress))?)
}

/// As [`compact`], of a node that goes on meanwhile. Only while the last of what it wrote is caught up with, and the new file
/// takes the place of the old one, its writers wait.
pub(super) fn compact_running(node: &Node, progress: &mut ReportStep<'_>) -> Result<DbCompactDocument, NodeError> {
    let path = node.store.path();
    let file_bytes = node.store.stats()?.file_bytes;
    refuse_full_disk(folder_of(path), file_bytes, || node.snapshot().bytes_in_use(), free_bytes)?;
    let copy = node.store.begin_compaction(&mut within("entries", progress))?;
    let compacted = node.finish_compaction(copy)?;
    Ok(DbCompactDocument::new(path.display().to_string(), compacted))
}

/// Refuses where the new file does not fit beside the old one, or would leave the disk too full for a node to write.
fn refuse_full_disk(
    folder: &Path,
    file_bytes: u64,
    bytes_in_use: impl Fn() -> Result<u64, StoreError>,
    free_bytes: impl Fn(&Path) -> Option<u64>,
) -> Result<(), NodeError> {
    // A disk that does not say how full it is will say so when it is written to.
    let Some(free_bytes) = free_bytes(folder) else { return Ok(()) };
    // Mostly this is enough, and all of the store need not be walked.
    if free_bytes >= file_bytes.saturating_add(MIN_FREE_BYTES) {
        return Ok(());
    }
    let needed_bytes = bytes_in_use()?.saturating_add(MIN_FREE_BYTES);
    if free_bytes >= needed_bytes {
        return Ok(());
    }
    Err(NodeError::NoRoomToCompact { path: folder.to_owned(), free_bytes, needed_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::anchorings::tests::node;

    #[test]
    fn a_disk_without_room_for_a_second_file_is_told_in_bytes() {
        let folder = DataDir::temporary().unwrap();
        drop(node(&folder));
        let compaction = Compaction::begin(folder.store(), &Options::default()).unwrap();
        let in_use = compaction.bytes_in_use().unwrap();
        assert!(in_use > 4_096 && in_use < compaction.file_bytes());
        let refuse =
            |free| refuse_full_disk(folder.path(), compaction.file_bytes(), || compaction.bytes_in_use(), |_| free);
        let needed = in_use + MIN_FREE_BYTES;
        let NodeError::NoRoomToCompact { free_bytes, needed_bytes, .. } = refuse(Some(needed - 1)).unwrap_err() else {
            panic!("another error");
        };
        assert_eq!((free_bytes, needed_bytes), (needed - 1, needed));
        refuse(Some(needed)).unwrap();
        refuse(None).unwrap();
        let before = std::fs::metadata(folder.store()).unwrap().len();
        drop(compaction);
        let compacted = compact(&folder, &mut |_| Ok(())).unwrap();
        assert_eq!(compacted.bytes_before, before);
        assert!(compacted.bytes_after <= in_use + (512 << 10), "{compacted:?}, {in_use} in use");
    }
}
