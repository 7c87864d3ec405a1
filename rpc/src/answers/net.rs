use crate::{api::NodeApi, backend::Backend, error::RpcError, interface::NetServer};
use alloy_primitives::U64;

impl<A: NodeApi> NetServer for Backend<A> {
    fn version(&self) -> String {
        self.api().chain_info().spec.chain_id.to_string()
    }

    fn listening(&self) -> bool {
        true
    }

    fn peer_count(&self) -> Result<U64, RpcError> {
        Ok(U64::from(self.api().peer_count()))
    }
}
