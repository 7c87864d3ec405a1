use crate::{api::NodeApi, backend::Backend, error::RpcError, interface::TxpoolServer, wire::PoolStatusDocument};

impl<A: NodeApi> TxpoolServer for Backend<A> {
    fn status(&self) -> Result<PoolStatusDocument, RpcError> {
        Ok(self.api().pool_status().into())
    }
}
