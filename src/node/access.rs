//! Who may reach a node and ask what, as its folder and its configuration say.

use super::{datadir::DataDir, error::NodeError, tokens::read_tokens, voting::network_config};
use crate::config::{Config, ConfigError};
use lucid_rpc::Access;
use lucid_types::{ChainSpec, Rules};
use std::{
    fs, io,
    net::Ipv4Addr,
    os::unix::{ffi::OsStrExt, fs::FileTypeExt},
    path::Path,
};

/// Most bytes of the path of a Unix socket on Linux (unix(7)): 108 with the zero at its end.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Judges a configuration for the node of a folder, and gives who may reach that node. Nothing is made: a start and a
/// look at the configuration get the same answer.
///
/// `spec` is that of the folder's chain. Where there is none yet, it is judged for a chain that asks for tokens.
pub fn check_config(datadir: &DataDir, config: &Config, spec: Option<&ChainSpec>) -> Result<Access, NodeError> {
    if let Some(spec) = spec {
        config.check_chain(spec)?;
    }
    let address = config.http_addr();
    let meets_health = address.ip().is_unspecified() || address.ip() == Ipv4Addr::LOCALHOST;
    if address.port() != 0 && meets_health && config.health_port() == Some(address.port()) {
        return Err(ConfigError::SamePort(address.port()).into());
    }
    config.status_socket().map_or(Ok(()), check_socket)?;
    network_config(config.network())?;
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

/// Refuses a place where no socket can be made. Whether another process listens there is not asked.
fn check_socket(path: &Path) -> Result<(), NodeError> {
    let refused = |kind, text: String| {
        let source = io::Error::new(kind, text);
        Err(NodeError::StatusSocket { path: path.to_owned(), source })
    };
    let bytes = path.as_os_str().as_bytes().len();
    if bytes > MAX_SOCKET_PATH_BYTES {
        let text = format!("the path of a socket has at most {MAX_SOCKET_PATH_BYTES} bytes, and this one has {bytes}");
        return refused(io::ErrorKind::InvalidInput, text);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return refused(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display()));
    }
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            refused(io::ErrorKind::AlreadyExists, "something that is no socket is there".to_owned())
        }
        _ => Ok(()),
    }
}
