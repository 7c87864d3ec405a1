use crate::{
    api::NodeApi,
    backend::Backend,
    error::RpcError,
    interface::{AdminServer, Param},
    view::stored,
    wire::{DbJobDocument, DbJobKind, DbStatsDocument, RowPageDocument},
};
use alloy_primitives::Bytes;
use jsonrpsee::core::async_trait;
use lucid_storage::{row_page, schema_of};

#[async_trait]
impl<A: NodeApi> AdminServer for Backend<A> {
    async fn db_stats(&self, sizes: Option<Param<bool>>) -> Result<DbStatsDocument, RpcError> {
        let sizes = Param::read_optional(sizes)?.unwrap_or_default();
        self.execute(move |api| Ok(api.db_stats(sizes)?)).await
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
    ) -> Result<RowPageDocument, RpcError> {
        let (collection, after) = (collection.read()?, Param::read_optional(after)?);
        self.read(move |api| {
            let schema = schema_of(&collection)?;
            Ok(stored(row_page(&api.snapshot()?, schema, after.as_ref().map(|key| &key[..])))?.into())
        })
        .await
    }

    async fn db_job(&self) -> Result<Option<DbJobDocument>, RpcError> {
        Ok(self.api().db_job())
    }
}
