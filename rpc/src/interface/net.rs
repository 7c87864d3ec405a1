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
}
