use super::{
    super::{datadir::DataDir, error::NodeError, state::Node},
    progress::{ReportStep, within},
};
use lucid_rpc::DbReindexDocument;
use lucid_storage::{Batch, FORMAT_VERSION, Options, Reindexable, Snapshot, Store, StoreError};

/// A node goes on meanwhile: what is mended is mended in batches of the node's own, between its blocks.
impl Reindexable for Node {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(self.snapshot())
    }

    fn write(&self, change: &mut dyn FnMut(&mut Batch) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.write(change)
    }
}

/// Makes the indexes, the ways from sequences to keys and the shard ranges anew from the rows, where they are not what these
/// ask for.
pub(super) fn reindex(target: &dyn Reindexable, progress: &mut ReportStep<'_>) -> Result<DbReindexDocument, NodeError> {
    Ok(lucid_storage::reindex(target, &mut within("entries", progress))?.into())
}

/// As `reindex`, of the store of a folder on which no node runs. Every page of it is checked first: on a damaged page nothing
/// is made anew.
///
/// # Errors
/// [`NodeError::OtherUsersFolder`], and those of the store, [`StoreError::OlderFormat`] among them.
pub fn reindex_folder(datadir: &DataDir, progress: &mut ReportStep<'_>) -> Result<DbReindexDocument, NodeError> {
    // What is written may become a file of whose this process is.
    let path = datadir.clone().to_write()?.store();
    let (meta, snapshot) = Store::inspect(&path, &Options::default(), true)?;
    drop(snapshot);
    // To be opened for writing changes a file already.
    if meta.format_version != FORMAT_VERSION {
        return Err(StoreError::OlderFormat { found: meta.format_version, known: FORMAT_VERSION }.into());
    }
    reindex(&Store::open(&path, &Options::default())?, progress)
}
