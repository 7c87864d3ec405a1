use super::super::error::NodeError;
use crate::chain;
use alloy_consensus::{Header, Sealed};
use lucid_rpc::{
    DbCollectionDocument, DbStatsDocument, DbTableDocument, DbWritesDocument, DbWritesForDocument, HeadDocument,
};
use lucid_storage::{COLLECTIONS, CollectionDef, Meta, Snapshot, Stats, TableId, documents_of_sources, import_sources};
use lucid_types::ChainSpec;

/// The numbers of a store whose file has `file_bytes`; with the bytes of each table where `sizes` asks for them, which
/// reads all of it. `since_start` is what a running node did to it.
pub fn stats(
    snapshot: &Snapshot,
    meta: &Meta,
    file_bytes: u64,
    since_start: Option<(Stats, DbWritesForDocument)>,
    sizes: bool,
) -> Result<DbStatsDocument, NodeError> {
    let table = |table: TableId| {
        let bytes = sizes.then(|| snapshot.table_bytes(table)).transpose()?;
        Ok(DbTableDocument {
            name: table.name().to_owned(),
            entries: snapshot.len(table)?,
            stored_bytes: bytes.map(|bytes| bytes.stored),
            overhead_bytes: bytes.map(|bytes| bytes.overhead),
        })
    };
    let sources = import_sources(snapshot)?;
    let collection = |def: &CollectionDef| {
        let imported = documents_of_sources(&sources, def);
        // More than there are is what damage would give, and `db verify` finds it.
        let own = snapshot.len(def.table)?.saturating_sub(imported);
        Ok(DbCollectionDocument { name: def.name.to_owned(), own, imported })
    };
    Ok(DbStatsDocument {
        chain_id: ChainSpec::from_json(&meta.chain_spec)?.chain_id,
        genesis_hash: meta.genesis_hash,
        head: head_document(&chain::read_head(snapshot)?),
        format_version: meta.format_version,
        sequence: snapshot.sequence()?,
        file_bytes,
        since_start: since_start.map(|(stats, _)| DbWritesDocument {
            commits: stats.commits,
            bytes_written: stats.bytes_written,
            syncs: stats.syncs,
        }),
        writes_for: since_start.map(|(_, writes_for)| writes_for),
        collections: COLLECTIONS.iter().map(collection).collect::<Result<_, NodeError>>()?,
        tables: TableId::ALL.into_iter().map(table).collect::<Result<_, NodeError>>()?,
    })
}

pub(super) fn head_document(head: &Sealed<Header>) -> HeadDocument {
    HeadDocument { number: head.number, hash: head.hash(), timestamp: head.timestamp }
}
