use lucid_rpc::ClientError;

/// The node that session commands talk to.
#[derive(Debug, clap::Args)]
pub(super) struct NodeArgs {
    /// Address of the node.
    #[arg(long = "rpc", value_name = "URL", default_value = "http://127.0.0.1:8545")]
    pub(super) url: String,
}

/// Says what to do where no node answers.
pub(super) fn with_hint(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { .. }) => anyhow::anyhow!(
            "{error}\nStart a node with `lucid-node dev`, or name the address of one that runs with --rpc URL"
        ),
        _ => error,
    }
}
