//! Where rows come from, and where is noted how far they went: the store of a folder, or the node that has it.

use crate::{
    cli::db::{Found, Place, with_store_advice},
    node::DataDir,
};
use alloy_primitives::B256;
use lucid_rpc::{Client, ImportSourceDocument, ShardMapDocument, shard_maps};
use lucid_storage::{
    ChangePage, ExportState, ExportStateRecord, Options, Reader, Schema, Store, export_changes, fields_of_json,
    import_sources, put_export_state, space_of,
};
use lucid_types::{ChainSpec, Document};
use serde_json::json;

/// The store of a folder, written to under its lock; or a running node.
pub(super) enum Source {
    File { store: Store, chain_id: u64 },
    Node(Client),
}

/// Which store it is, how far it is, and what it knows of a target.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) chain_id: u64,
    pub(super) genesis_hash: B256,
    pub(super) sequence: u64,
    pub(super) state: Option<ExportStateRecord>,
}

impl Source {
    pub(super) fn open(place: &Place) -> anyhow::Result<Self> {
        match place.find()? {
            Found::Folder(datadir) => open_folder(datadir),
            Found::Node(client) => Ok(Self::Node(client)),
        }
    }

    pub(super) async fn status(&self, target: Option<&str>) -> anyhow::Result<Status> {
        match self {
            Self::File { store, chain_id } => {
                let snapshot = store.snapshot()?;
                let state = match target {
                    Some(target) => snapshot.get::<ExportState>(&target.to_owned())?,
                    None => None,
                };
                let (genesis_hash, sequence) = (store.meta().genesis_hash, snapshot.sequence()?);
                Ok(Status { chain_id: *chain_id, genesis_hash, sequence, state })
            }
            Self::Node(client) => {
                let status = client.export_state(target).await?;
                let (chain_id, genesis_hash, sequence) = (status.chain_id, status.genesis_hash, status.sequence);
                Ok(Status { chain_id, genesis_hash, sequence, state: status.state.map(Into::into) })
            }
        }
    }

    /// Changes of own rows, or of those of a source that no other document stands for.
    pub(super) async fn changes(
        &self,
        schema: &Schema,
        imported_from: Option<&str>,
        after: Option<&[u8]>,
        up_to: u64,
    ) -> anyhow::Result<ChangePage> {
        match self {
            Self::File { store, .. } => {
                let snapshot = store.snapshot()?;
                let rows = snapshot.rows_of(&space_of(&snapshot, imported_from)?);
                Ok(export_changes(&rows, schema, after, up_to)?)
            }
            Self::Node(client) => Ok(client.export_changes(schema.def.name, after, up_to, imported_from).await?.into()),
        }
    }

    /// Names of the sources that documents of a collection were imported from.
    pub(super) async fn sources(&self, schema: &Schema) -> anyhow::Result<Vec<String>> {
        if !schema.def.importable {
            return Ok(Vec::new());
        }
        let sources: Vec<ImportSourceDocument> = match self {
            Self::File { store, .. } => import_sources(&store.snapshot()?)?.into_iter().map(Into::into).collect(),
            Self::Node(client) => client.import_sources().await?,
        };
        let of_it = sources.into_iter().filter(|source| source.documents.contains_key(schema.def.name));
        Ok(of_it.map(|source| source.source.to_string()).collect())
    }

    /// Notes how far the export to a target has come, where its step is the expected one, and says whether it is.
    pub(super) async fn put_state(
        &self,
        target: &str,
        record: &ExportStateRecord,
        expected: Option<u64>,
    ) -> anyhow::Result<bool> {
        match self {
            Self::File { store, .. } => {
                let mut batch = store.begin()?;
                let put = put_export_state(&mut batch, target, record, expected)?;
                store.commit(batch)?;
                Ok(put)
            }
            Self::Node(client) => Ok(client.put_export_state(target, &record.clone().into(), expected).await?),
        }
    }

    /// How many documents there are, for the estimate.
    pub(super) async fn count(&self, schema: &Schema) -> anyhow::Result<u64> {
        match self {
            Self::File { store, .. } => Ok(store.snapshot()?.len(schema.def.table)?),
            Self::Node(client) => Ok(client.count(schema.def.name, &json!({})).await?),
        }
    }

    /// Shard keys between which a sharded collection is divided.
    pub(super) async fn split_points(&self, schema: &Schema) -> anyhow::Result<Vec<Document>> {
        let maps = match self {
            Self::File { store, .. } => shard_maps(&store.snapshot()?, Some(schema.def.name))?,
            Self::Node(client) => client.shard_map().await?,
        };
        let of_it = |map: &&ShardMapDocument| map.collection == schema.def.name;
        let ranges = maps.iter().filter(of_it).flat_map(|map| &map.ranges);
        ranges.filter_map(|range| range.from.as_ref()).map(|from| Ok(fields_of_json(schema, from)?)).collect()
    }
}

fn open_folder(datadir: DataDir) -> anyhow::Result<Source> {
    let datadir = datadir.to_write()?;
    let store = Store::open(datadir.store(), &Options::default());
    let store = store.map_err(|error| with_store_advice(error.into(), datadir.path()))?;
    let chain_id = ChainSpec::from_json(&store.meta().chain_spec)?.chain_id;
    Ok(Source::File { store, chain_id })
}
