use jsonrpsee::proc_macros::rpc;

/// The `web3_` methods.
#[rpc(server, namespace = "web3")]
pub(crate) trait Web3 {
    /// Name and version of the program.
    #[method(name = "clientVersion")]
    fn client_version(&self) -> String;
}
