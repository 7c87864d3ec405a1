use crate::{error::RpcError, wire::PoolStatusDocument};
use jsonrpsee::proc_macros::rpc;

/// The `txpool_` methods, as geth has them.
#[rpc(server, namespace = "txpool")]
pub(crate) trait Txpool {
    /// How many transactions wait: those that a block could take, and those behind a missing nonce.
    #[method(name = "status")]
    fn status(&self) -> Result<PoolStatusDocument, RpcError>;
}
