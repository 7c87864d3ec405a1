use super::{solo::SoloSpecError, tokens::TokenFileError};
use crate::{
    chain::ChainError,
    config::ConfigError,
    consensus::{SealError, SoloError},
    keys::KeyError,
    state::StateError,
};
use alloy_primitives::{Address, B256};
use lucid_rpc::{StartError, UnknownNamespace};
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
    /// There is nothing to run.
    #[error("{} holds no chain; is the disk mounted? `lucid-node init --datadir {}` makes a new chain", .0.display(), .0.display())]
    NoChain(PathBuf),
    /// The folder holds a chain already.
    #[error("{} holds the chain {chain_id} already (genesis {genesis_hash})", path.display())]
    HoldsAChain {
        /// The folder.
        path: PathBuf,
        /// Chain id of what it holds.
        chain_id: u64,
        /// Hash of its genesis header.
        genesis_hash: B256,
    },
    /// The folder holds something that is none of a node's.
    #[error("{} is not empty: it holds {found}; give a folder of its own to a node", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// A name in it.
        found: String,
    },
    /// Keys of a chain whose store is not here.
    #[error(
        "the keys in {} have signed block {height} of a chain whose store is not here; is the disk mounted? \
         Restore the store, or move the keys away to begin anew", path.display()
    )]
    KeysHaveSigned {
        /// The folder of the keys.
        path: PathBuf,
        /// The highest height that they signed.
        height: u64,
    },
    /// The folder was made for another chain.
    #[error("{} describes another chain, with the id {chain_id}", path.display())]
    OtherSpec {
        /// The chain spec in the folder.
        path: PathBuf,
        /// Its chain id.
        chain_id: u64,
    },
    /// The store is not of the chain that the folder says.
    #[error(
        "{} holds the chain {found} and chain.json beside it describes {expected}: one of the two belongs elsewhere",
        path.display()
    )]
    OtherChain {
        /// The store.
        path: PathBuf,
        /// Chain id of what it holds.
        found: u64,
        /// Chain id in chain.json.
        expected: u64,
    },
    /// A backup is put back only where there is no store.
    #[error("{} is there already; a backup is restored only where there is no store: move that file away first", .0.display())]
    HoldsAStore(PathBuf),
    /// A backup is damaged, so it is not put back.
    #[error("{} is damaged and is not restored: {count} findings, the first: {first}", path.display())]
    BackupDamaged {
        /// The backup.
        path: PathBuf,
        /// How many findings there are.
        count: u64,
        /// The first of them.
        first: String,
    },
    /// A backup is of another chain than the folder.
    #[error("the backup is of the chain {chain_id}, and {} describes another one", path.display())]
    BackupOfOtherChain {
        /// The chain spec in the folder.
        path: PathBuf,
        /// Chain id of the backup.
        chain_id: u64,
    },
    /// A backup is of a chain whose one validator is not the node of the folder.
    #[error(
        "the backup is of a chain whose only validator is {validator}, and the keys in the folder are those of {account}"
    )]
    BackupOfOtherNode {
        /// The folder's.
        account: Address,
        /// The chain's.
        validator: Address,
    },
    /// Too little room on the disk for a copy of the store.
    #[error("{} has {free_mib} MiB left, and {needed_mib} MiB are needed: make room, or name a place on another disk", path.display())]
    NoRoom {
        /// Folder on the disk.
        path: PathBuf,
        /// What is left, in MiB.
        free_mib: u64,
        /// What must be left, in MiB.
        needed_mib: u64,
    },
    /// The configuration says of the chain what is not so.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No solo chain can be made.
    #[error(transparent)]
    SoloSpec(#[from] SoloSpecError),
    /// A development node offers keys that everyone knows.
    #[error("this node listens on the loopback interface only, and {0} is not on it")]
    NotLoopback(SocketAddr),
    /// An address off this machine, and not both words that allow it.
    #[error(
        "{0} is not on the loopback interface; to listen there takes --http-allow-remote and --http-token-file FILE \
         as well"
    )]
    Remote(SocketAddr),
    /// The access tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// The configuration names methods that cannot be switched on.
    #[error("http.namespaces: {0}")]
    Namespace(#[from] UnknownNamespace),
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

impl NodeError {
    /// The store's error, where it is one.
    pub fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::State(error) => error.of_store(),
            Self::Chain(error) => error.of_store(),
            _ => None,
        }
    }

    /// Whether the store is not what was written to it: nothing repairs that, and nothing goes on from it.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::State(error) => error.is_damage(),
            Self::Chain(error) => error.is_damage(),
            Self::Genesis => true,
            _ => false,
        }
    }

    /// Whether something was not written because the disk is nearly full: nothing is lost, and it can be tried again.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Store(error) if is_disk_full(error))
    }
}

/// Whether something was not written for want of room.
pub(super) fn is_disk_full(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
}
