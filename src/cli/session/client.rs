use crate::{config::CLIENT_RPC_VARIABLE, node::read_token_file};
use lucid_rpc::{Client, ClientError};
use std::path::{Path, PathBuf};

/// The node that session commands talk to.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NodeArgs {
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
    /// A client of the node.
    pub(in crate::cli) fn client(&self) -> anyhow::Result<Client> {
        connect(&self.url, self.token_file.as_deref())
    }
}

/// A client of the node at `url`, with the token in a file where one is named. Nothing is sent yet.
pub(in crate::cli) fn connect(url: &str, token_file: Option<&Path>) -> anyhow::Result<Client> {
    Ok(match token_file {
        Some(path) => Client::with_token(url, &read_token_file(path)?)?,
        None => Client::new(url)?,
    })
}

/// Says what to do where no node answers, or where it asks who calls.
pub(in crate::cli) fn with_hint(error: anyhow::Error) -> anyhow::Error {
    let hint = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { .. }) => {
            "Is it running? `sudo systemctl start lucid-node` starts that of the package, `lucid-node run --datadir DIR` that of a \
             folder, `lucid-node dev` one to try; --rpc URL names another"
        }
        Some(ClientError::Unauthorized { shown: true, .. }) => {
            "It may have been rotated since the file was copied; a node takes new tokens when it is started again"
        }
        Some(ClientError::Unauthorized { .. }) => TOKEN_HINT,
        Some(ClientError::Fault { fault, .. }) if fault.lucid_code() == Some("LUCID_ERR_2001") => TOKEN_HINT,
        _ => return error,
    };
    // The context holds the error's own text, which is then not said again, and keeps the error for its code.
    let text = format!("{error}.\n{hint}");
    error.context(text)
}

const TOKEN_HINT: &str =
    "Name its file with --token-file; the node's own are in the folder `tokens` of its data folder";
