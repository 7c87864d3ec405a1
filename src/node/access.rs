//! Who may reach a node and ask what, as its folder and its configuration say.

use super::{
    datadir::DataDir,
    error::NodeError,
    tokens::{load_or_create_tokens, read_token_file},
};
use crate::config::Config;
use lucid_rpc::{Access, Scope};

/// The access to a chain's node. Off this machine it takes two words more than an address: that this is meant, and the
/// file with a token.
pub(super) fn access(datadir: &DataDir, config: &Config) -> Result<Access, NodeError> {
    let address = config.http_addr();
    let allowed = config.allow_remote() && config.token_file().is_some();
    if !address.ip().is_loopback() && !allowed {
        return Err(NodeError::Remote(address));
    }
    load_or_create_tokens(&datadir.tokens())?;
    let own = Scope::ALL.map(|scope| (scope, datadir.tokens().join(scope.name())));
    // The one that others are given lets them read; what signs or changes anything is not lent with an address.
    let lent = config.token_file().map(|path| (Scope::Read, path.to_owned()));
    let tokens = own.into_iter().chain(lent).map(|(scope, path)| Ok((scope, read_token_file(&path)?)));
    let namespaces = config.namespaces().iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    Ok(Access {
        tokens: Some(tokens.collect::<Result<_, NodeError>>()?),
        allowed_hosts: config.allowed_hosts().to_vec(),
        allowed_origins: config.allowed_origins().to_vec(),
        namespaces,
    })
}
