use crate::error::RpcError;
use alloy_primitives::U64;
use jsonrpsee::proc_macros::rpc;

/// The `net_` methods.
#[rpc(server, namespace = "net")]
pub(crate) trait Net {
    /// The network's id, which is the chain id, as a decimal text.
    #[method(name = "version")]
    fn version(&self) -> String;

    /// Whether the node takes connections: true, or nobody would hear the answer.
    #[method(name = "listening")]
    fn listening(&self) -> bool;

    /// How many nodes are connected: 0 where there is no network.
    #[method(name = "peerCount")]
    fn peer_count(&self) -> Result<U64, RpcError>;
}
