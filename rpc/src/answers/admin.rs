use crate::{
    api::NodeApi,
    backend::Backend,
    error::RpcError,
    interface::{AdminServer, Param},
    wire::{DbJobDocument, DbJobKind, DbStatsDocument},
};
use jsonrpsee::core::async_trait;

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

    async fn db_job(&self) -> Result<Option<DbJobDocument>, RpcError> {
        Ok(self.api().db_job())
    }
}
