use crate::{
    chain::ChainError,
    consensus::{SealError, SoloError},
    keys::KeyError,
    state::StateError,
};
use lucid_rpc::StartError;
use lucid_storage::StoreError;
use lucid_types::SpecError;
use std::{io, net::SocketAddr, path::PathBuf};

/// Why a node does not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder is a file.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// The folder holds another kind of chain.
    #[error("{} holds the chain {chain_id}, which is no dev chain", path.display())]
    NotADevChain {
        /// The store.
        path: PathBuf,
        /// Chain id of what it holds.
        chain_id: u64,
    },
    /// A development node offers keys that everyone knows.
    #[error("a dev node listens on the loopback interface only, and {0} is not on it")]
    NotLoopback(SocketAddr),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The keys cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The stored chain spec describes no chain.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The stored genesis block is not the one that the store was made for.
    #[error("the store's genesis block is not the one that it was made for: it is damaged")]
    Genesis,
    /// The node may not seal blocks of this chain.
    #[error(transparent)]
    Solo(#[from] SoloError),
    /// A seal that this node made does not verify. Nothing was committed.
    #[error("the seal of a new block does not verify: {0}")]
    Seal(#[from] SealError),
    /// The server could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A task of the node ended by a panic.
    #[error("a task of the node failed: {0}")]
    Task(String),
}
