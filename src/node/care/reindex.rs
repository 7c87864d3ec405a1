use super::{
    super::{datadir::DataDir, error::NodeError, state::Node},
    progress::{ReportStep, within},
    replay::{Difference, Mend, compare_with_blocks},
};
use crate::chain;
use lucid_rpc::DbReindexDocument;
use lucid_storage::{Batch, FORMAT_VERSION, Options, Reindexable, Snapshot, Store, StoreError, TableId, TableRepair};
use lucid_types::ChainSpec;
use std::collections::BTreeMap;

/// Rows of consensus that are mended in one batch at most.
const MENDED_ROWS: usize = 1_000;

/// A node goes on meanwhile: what is mended is mended in batches of the node's own, between its blocks.
impl Reindexable for Node {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(self.snapshot())
    }

    fn write(&self, change: &mut dyn FnMut(&mut Batch) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.write(change)
    }
}

/// Makes the indexes, the ways from sequences to keys, the shard ranges and the counts of imported documents anew from the
/// rows, where they are not what these ask for.
pub(super) fn reindex(target: &dyn Reindexable, progress: &mut ReportStep<'_>) -> Result<DbReindexDocument, NodeError> {
    Ok(lucid_storage::reindex(target, &mut within("entries", progress))?.into())
}

/// As `reindex`, of the store of a folder on which no node runs, and with the rows of consensus, which are made what the
/// chain's blocks make them. Every page of it is checked first: on a damaged page nothing is made anew.
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
    let store = Store::open(&path, &Options::default())?;
    let mut reindexed = lucid_storage::reindex(&store, &mut within("entries", progress))?;
    // What consensus follows from is not looked at where rows of it are damaged.
    if reindexed.findings.count == 0 {
        reindexed.repairs.extend(mend_consensus(&store, progress)?);
    }
    Ok(reindexed.into())
}

/// Makes the rows of consensus what the chain's blocks make them, and says what was mended in which table.
fn mend_consensus(store: &Store, progress: &mut ReportStep<'_>) -> Result<BTreeMap<TableId, TableRepair>, NodeError> {
    let spec = ChainSpec::from_json(&store.meta().chain_spec)?;
    let snapshot = store.snapshot()?;
    let head = chain::read_head(&snapshot)?;
    let (mut repairs, mut mends) = (BTreeMap::<_, TableRepair>::new(), Vec::new());
    let write = |mends: &mut Vec<Mend>| {
        let mut batch = store.begin()?;
        mends.drain(..).try_for_each(|mend| mend(&mut batch))?;
        store.commit(batch).map(drop)
    };
    let mut tell = |difference: Difference| {
        let sum = repairs.entry(difference.table).or_default();
        sum.missing += difference.repair.missing;
        sum.wrong += difference.repair.wrong;
        sum.superfluous += difference.repair.superfluous;
        mends.push(difference.mend);
        if mends.len() < MENDED_ROWS { Ok(()) } else { write(&mut mends) }
    };
    compare_with_blocks(&snapshot, store.meta(), &spec, head.number, &mut tell, progress)?;
    if !mends.is_empty() {
        write(&mut mends)?;
    }
    Ok(repairs)
}
