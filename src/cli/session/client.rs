use crate::{config::CLIENT_RPC_VARIABLE, node::read_token_file};
use lucid_rpc::{Client, ClientError};
use std::path::PathBuf;

/// The node that session commands talk to.
#[derive(Debug, clap::Args)]
pub(super) struct NodeArgs {
    /// Address of the node.
    #[arg(
        long = "rpc",
        value_name = "URL",
        env = CLIENT_RPC_VARIABLE,
        hide_env_values = true,
        default_value = "http://127.0.0.1:8545"
    )]
    url: String,
    /// The file with the token that the node asks for, such as DIR/tokens/anchor.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl NodeArgs {
    /// A client of that node. Nothing is sent yet.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Ok(match &self.token_file {
            Some(path) => {
                Client::new(&format!("{}/{}", self.url.trim_end_matches('/'), read_token_file(path)?.to_hex()))?
            }
            None => Client::new(&self.url)?,
        })
    }
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
