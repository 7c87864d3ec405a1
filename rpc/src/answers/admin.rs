use crate::{
    api::{NodeApi, NodeError},
    backend::Backend,
    error::RpcError,
    interface::{AdminServer, Param},
    view::stored,
    wire::{
        ChangePageDocument, DbJobDocument, DbJobKind, DbStatsDocument, ExportStateDocument, ExportStatusDocument,
        ImportRowParts, NodeInfoDocument, PeerDocument, RemovedDocument, RowPageDocument,
    },
};
use alloy_primitives::Bytes;
use jsonrpsee::core::async_trait;
use lucid_storage::{
    DocumentId, ExportState, ImportRow, MAX_PAGE_ROWS, Reader, SourceName, SourceNameError, StoreError, export_changes,
    export_page, schema_of, space_of, unknown_source,
};

/// Most bytes of the id of a target: a UUID has 36.
const MAX_EXPORT_TARGET_BYTES: usize = 64;

#[async_trait]
impl<A: NodeApi> AdminServer for Backend<A> {
    async fn db_stats(&self, sizes: Option<Param<bool>>) -> Result<DbStatsDocument, RpcError> {
        let sizes = Param::read_optional(sizes)?.unwrap_or_default();
        self.execute(move |api| Ok(api.db_stats(sizes)?)).await
    }

    async fn peers(&self) -> Result<Vec<PeerDocument>, RpcError> {
        self.write(|api| async move { Ok(api.peers().await?) }).await
    }

    async fn node_info(&self) -> Result<NodeInfoDocument, RpcError> {
        self.write(|api| async move { Ok(api.node_info().await?) }).await
    }

    async fn add_peer(&self, address: Param<String>) -> Result<bool, RpcError> {
        let address = address.read()?;
        self.api().add_peer(&address).map_err(RpcError::InvalidRequest)
    }

    async fn remove_peer(&self, id: Param<String>) -> Result<bool, RpcError> {
        let id = id.read()?;
        self.api().remove_peer(&id).map_err(RpcError::InvalidRequest)
    }

    async fn db_verify(&self) -> Result<DbJobDocument, RpcError> {
        Ok(self.api().begin_db_job(DbJobKind::Verify)?)
    }

    async fn db_backup(&self) -> Result<DbJobDocument, RpcError> {
        Ok(self.api().begin_db_job(DbJobKind::Backup)?)
    }

    async fn db_reindex(&self) -> Result<DbJobDocument, RpcError> {
        Ok(self.api().begin_db_job(DbJobKind::Reindex)?)
    }

    async fn db_compact(&self) -> Result<DbJobDocument, RpcError> {
        Ok(self.api().begin_db_job(DbJobKind::Compact)?)
    }

    async fn export_rows(
        &self,
        collection: Param<String>,
        after: Option<Param<Bytes>>,
        source: Option<Param<String>>,
    ) -> Result<RowPageDocument, RpcError> {
        let (collection, after) = (collection.read()?, Param::read_optional(after)?);
        let source = Param::read_optional(source)?;
        self.read(move |api| {
            let (schema, snapshot) = (schema_of(&collection)?, api.snapshot()?);
            let rows = snapshot.rows_of(&space_of(&snapshot, source.as_deref())?);
            Ok(stored(export_page(&rows, schema, after.as_ref().map(|key| &key[..])))?.into())
        })
        .await
    }

    async fn import_rows(
        &self,
        source: Param<String>,
        collection: Param<String>,
        rows: Param<Vec<ImportRowParts>>,
    ) -> Result<Vec<String>, RpcError> {
        let refused = |what: String| RpcError::InvalidRequest(what);
        let (source, collection, rows) = (source_name(source)?, collection.read()?, rows.read()?);
        if rows.len() > MAX_PAGE_ROWS {
            return Err(refused(format!("{} rows are given, and at most {MAX_PAGE_ROWS} are taken", rows.len())));
        }
        let row = |(place, (key, record, known_by)): (usize, &ImportRowParts)| {
            let row = ImportRow::from_parts(&collection, key, record);
            let row = row.map_err(|error| refused(format!("row {place} is not taken: {error}")))?;
            Ok((row, known_by.map(|id| DocumentId(id.0))))
        };
        let rows = rows.iter().enumerate().map(row).collect::<Result<Vec<_>, RpcError>>()?;
        self.write(move |api| async move {
            match api.import_rows(source, rows).await {
                Ok(imported) => Ok(imported.into_iter().map(|imported| imported.as_str().to_owned()).collect()),
                Err(NodeError::Store(error @ StoreError::TooManySources)) => {
                    Err(RpcError::InvalidRequest(error.to_string()))
                }
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    async fn remove_source(&self, source: Param<String>) -> Result<RemovedDocument, RpcError> {
        let source = source_name(source)?;
        let name = source.to_string();
        match self.write(move |api| async move { Ok(api.remove_source(source).await?) }).await? {
            Some(step) => Ok(step.into()),
            None => self.read(move |api| Err(stored(unknown_source(&api.snapshot()?, &name))?.into())).await,
        }
    }

    async fn export_changes(
        &self,
        collection: Param<String>,
        after: Option<Param<Bytes>>,
        up_to: Param<u64>,
        source: Option<Param<String>>,
    ) -> Result<ChangePageDocument, RpcError> {
        let (collection, after, up_to) = (collection.read()?, Param::read_optional(after)?, up_to.read()?);
        let source = Param::read_optional(source)?;
        self.read(move |api| {
            let (schema, snapshot) = (schema_of(&collection)?, api.snapshot()?);
            let rows = snapshot.rows_of(&space_of(&snapshot, source.as_deref())?);
            Ok(stored(export_changes(&rows, schema, after.as_ref().map(|at| &at[..]), up_to))?.into())
        })
        .await
    }

    async fn export_state(&self, target: Option<Param<String>>) -> Result<ExportStatusDocument, RpcError> {
        let target = Param::read_optional(target)?;
        self.read(move |api| {
            let (snapshot, info) = (api.snapshot()?, api.chain_info());
            let state = match target {
                Some(target) => stored(snapshot.get::<ExportState>(&target))?.map(Into::into),
                None => None,
            };
            let (chain_id, sequence) = (info.spec.chain_id, stored(snapshot.sequence())?);
            Ok(ExportStatusDocument { chain_id, genesis_hash: info.genesis_hash, sequence, state })
        })
        .await
    }

    async fn put_export_state(
        &self,
        target: Param<String>,
        state: Param<ExportStateDocument>,
        expected_step: Option<Param<Option<u64>>>,
    ) -> Result<bool, RpcError> {
        let (target, state) = (target.read()?, state.read()?.check()?);
        let expected = Param::read_optional(expected_step)?.flatten();
        if target.is_empty() || target.len() > MAX_EXPORT_TARGET_BYTES {
            return Err(RpcError::InvalidRequest("the id of a target has 1 to 64 bytes".to_owned()));
        }
        self.write(move |api| async move { Ok(api.put_export_state(target, state, expected).await?) }).await
    }

    async fn db_job(&self) -> Result<Option<DbJobDocument>, RpcError> {
        Ok(self.api().db_job())
    }
}

fn source_name(source: Param<String>) -> Result<SourceName, RpcError> {
    source.read()?.parse().map_err(|error: SourceNameError| RpcError::InvalidRequest(error.to_string()))
}
