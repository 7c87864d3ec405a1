/// The node that session commands talk to.
#[derive(Debug, clap::Args)]
pub(super) struct NodeArgs {
    /// Address of the node.
    #[arg(long = "rpc", value_name = "URL", default_value = "http://127.0.0.1:8545")]
    pub(super) url: String,
}
