//! Who may reach a node and ask what, as its folder and its configuration say.

use super::{datadir::DataDir, error::NodeError, tokens::read_tokens};
use crate::config::Config;
use lucid_rpc::Access;
use lucid_types::{ChainSpec, Rules};

/// Judges a configuration for the node of a folder, and gives who may reach that node. Nothing is made: a start and a
/// look at the configuration get the same answer.
///
/// `spec` is that of the folder's chain. Where there is none yet, it is judged for a chain that asks for tokens.
pub fn check_config(datadir: &DataDir, config: &Config, spec: Option<&ChainSpec>) -> Result<Access, NodeError> {
    if let Some(spec) = spec {
        config.check_chain(spec)?;
    }
    let address = config.http_addr();
    let namespaces = config.namespaces().iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    // Everybody knows the keys of a development chain, so it asks for no token and is reached from here alone.
    if spec.is_some_and(|spec| spec.rules == Rules::Dev) {
        return if address.ip().is_loopback() { Ok(Access::default()) } else { Err(NodeError::NotLoopback(address)) };
    }
    // Off this machine it takes two words more than an address: that this is meant, and the file with a token.
    let allowed = config.allow_remote() && config.token_file().is_some();
    if !address.ip().is_loopback() && !allowed {
        return Err(NodeError::Remote(address));
    }
    Ok(Access {
        tokens: Some(read_tokens(&datadir.tokens(), config.token_file())?),
        allowed_hosts: config.allowed_hosts().to_vec(),
        allowed_origins: config.allowed_origins().to_vec(),
        namespaces,
    })
}
