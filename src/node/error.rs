use super::{datadir::DataDir, init::MAX_GENESIS_AHEAD_SECS, solo::SoloSpecError, tokens::TokenFileError};
use crate::{
    chain::ChainError,
    config::ConfigError,
    consensus::{SealError, bft::BftError, poot::PootError},
    keys::KeyError,
    network::NetworkError,
    state::StateError,
};
use alloy_primitives::{Address, B256};
use lucid_rpc::{StartError, UnknownNamespace};
use lucid_storage::StoreError;
use lucid_types::SpecError;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

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
    /// A folder was named that is not there.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// Root would make files in the folder of another user.
    #[error(
        "{} belongs to user {owner}, who could not read what root makes in it; run this as that user, which with the \
         package is lucid-node: `sudo -u lucid-node lucid-node \u{2026}`",
        path.display()
    )]
    OtherUsersFolder {
        /// The folder.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
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
    #[error("{} holds no chain; is the disk mounted? {} makes a new chain", .0.display(), how_to_begin(.0))]
    NoChain(PathBuf),
    /// A chain was made here, and its store is not here any longer.
    #[error("{}", store_gone(path, backup.as_deref(), *begun))]
    StoreGone {
        /// The folder.
        path: PathBuf,
        /// The last backup in its folder of backups.
        backup: Option<PathBuf>,
        /// Whether a block may have been signed.
        begun: bool,
    },
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
         Put the store back (`lucid-node db restore` does it from a backup), or move the keys away to begin anew",
        path.display()
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
    #[error(
        "{} has {} MiB left, and {} MiB are needed: make room, or name a place on another disk",
        path.display(), free_bytes >> 20, needed_bytes.div_ceil(1 << 20)
    )]
    NoRoom {
        /// Folder on the disk.
        path: PathBuf,
        /// Bytes that are left.
        free_bytes: u64,
        /// Bytes that must be left.
        needed_bytes: u64,
    },
    /// Too little room on the disk to write the store anew beside itself.
    #[error(
        "{} has {} MiB left, and {} MiB are needed, because the store is written anew beside the old one: make room, or make \
         a backup on another disk and restore that",
        path.display(), free_bytes >> 20, needed_bytes.div_ceil(1 << 20)
    )]
    NoRoomToCompact {
        /// Folder on the disk.
        path: PathBuf,
        /// Bytes that are left.
        free_bytes: u64,
        /// Bytes that must be left.
        needed_bytes: u64,
    },
    /// Too little room on the disk for the backup that is made before a store is migrated.
    #[error(
        "the store has an older format, and a backup of it is made before it is migrated: {} has {} MiB left, and {} MiB are \
         needed. Make room; or make the backup on another disk (`lucid-node db backup --datadir DIR -o FILE`), and run \
         `lucid-node db migrate --no-backup --datadir DIR`",
        path.display(), free_bytes >> 20, needed_bytes.div_ceil(1 << 20)
    )]
    NoRoomToMigrate {
        /// Folder on the disk.
        path: PathBuf,
        /// Bytes that are left.
        free_bytes: u64,
        /// Bytes that must be left.
        needed_bytes: u64,
    },
    /// The configuration says of the chain what is not so.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No solo chain can be made.
    #[error(transparent)]
    SoloSpec(#[from] SoloSpecError),
    /// A development node offers keys that everyone knows.
    #[error(
        "a development chain listens on the loopback interface only, because everybody knows its keys, and {0} is not on \
         it. For a chain of your own (`lucid-node init`), `lucid-node run` takes http.allow-remote"
    )]
    NotLoopback(SocketAddr),
    /// An address off this machine, and not both words that allow it.
    #[error(
        "{0} is not on the loopback interface; to listen there takes --http-allow-remote and --http-token-file FILE \
         as well"
    )]
    Remote(SocketAddr),
    /// The chain of a spec begins in the future.
    #[error(
        "the chain spec's genesisTime is {genesis_time}, {} h after what the clock of this machine shows ({now}, in Unix \
         seconds), and may be {} h after it: one of the two is wrong", (genesis_time - now) / 3_600, MAX_GENESIS_AHEAD_SECS / 3_600
    )]
    GenesisAhead {
        /// What the spec says, in Unix seconds.
        genesis_time: u64,
        /// The wall clock, in Unix seconds.
        now: u64,
    },
    /// A spec allots money to an address that is a function of the EVM.
    #[error(
        "the chain spec's allocations.{address} is the address of the precompile {name}, whose money nobody could spend"
    )]
    PrecompileAllocation {
        /// The address.
        address: Address,
        /// What is there.
        name: String,
    },
    /// The chain of a spec has one validator, and its keys are not here.
    #[error(
        "the chain's only validator is {validator}, and {} holds {found}. Put its keys there: `lucid-node key import \
         --datadir DIR FILE` takes its account key, and with --consensus its consensus key. `lucid-node init --follow` \
         makes a node that gets that chain from its validator. For a chain of this node's own, put what \
         `lucid-node key show` says into the spec", keys.display()
    )]
    ForeignValidator {
        /// The chain's.
        validator: Address,
        /// The folder of the keys.
        keys: PathBuf,
        /// What is there instead.
        found: String,
    },
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
    /// What consensus keeps of the chain cannot be read or written.
    #[error(transparent)]
    Poot(#[from] PootError),
    /// Consensus cannot go on.
    #[error("consensus cannot go on: {0}")]
    Bft(#[from] BftError),
    /// A block was decided that this node does not have, though it voted for it or was sent it.
    #[error("the block decided at height {0} is not here")]
    DecidedBody(u64),
    /// The network could not be set up.
    #[error("the network: {0}")]
    Network(#[from] NetworkError),
    /// The one validator of the chain is another node, and there is no way to it.
    #[error(
        "the chain's only validator is {validator}, and the account key here is that of {node}: one of the two belongs to \
         another chain. A node that is to follow that one names it in network.peers"
    )]
    OtherValidator {
        /// The chain's.
        validator: Address,
        /// This node.
        node: Address,
    },
    /// Others vote on this chain's blocks too, and there is no way to them.
    #[error(
        "{validators} validators vote on the blocks of this chain, and there is no way to them from this node ({node}): name \
         some in network.peers, or in network.listen where they reach it"
    )]
    NotAlone {
        /// Validators of the next height.
        validators: usize,
        /// Address of this node.
        node: Address,
    },
    /// A seal that this node made does not verify. Nothing was committed.
    #[error("the seal of a new block does not verify: {0}")]
    Seal(#[from] SealError),
    /// The server could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The health port could not be opened.
    #[error("cannot listen on {address} for health.port: {source}")]
    Health {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The status socket could not be made.
    #[error("cannot listen at {}, which is status.socket: {source}", path.display())]
    StatusSocket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A task of the node ended by a panic.
    #[error("a task of the node failed: {0}")]
    Task(String),
}

/// The command that makes a chain in a folder.
fn how_to_begin(path: &Path) -> String {
    match DataDir::is_installed(path) {
        true => "`sudo dpkg-reconfigure lucid-node`".to_owned(),
        false => format!("`lucid-node init --datadir {}`", path.display()),
    }
}

/// What to do about a store that went away.
fn store_gone(path: &Path, backup: Option<&Path>, begun: bool) -> String {
    let (dir, program) = (path.display(), DataDir::program(path));
    let none = format!("BACKUP` (there is none in {dir}/backups)");
    let backup = backup.map_or(none, |file| format!("{}`", file.display()));
    let cut_short = if begun { "" } else { ". Where `init` was cut short, run it again: no block was signed here" };
    format!(
        "{dir} has the keys of a chain, and its store lucid.redb is gone; is the disk mounted? The last backup \
         is put in its place by `{program} db restore --datadir {dir} {backup}{cut_short}"
    )
}

impl NodeError {
    /// The store's error, where it is one.
    pub fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::State(error) => error.of_store(),
            Self::Chain(error) => error.of_store(),
            Self::Poot(error) => error.of_store(),
            _ => None,
        }
    }

    /// Whether the store is not what was written to it: nothing repairs that, and nothing goes on from it.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::State(error) => error.is_damage(),
            Self::Chain(error) => error.is_damage(),
            Self::Poot(error) => error.is_damage(),
            Self::Genesis => true,
            _ => false,
        }
    }

    /// Whether something was not written because the disk is nearly full: nothing is lost, and it can be tried again.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Store(error) | Self::Poot(PootError::Store(error)) if is_disk_full(error))
    }
}

/// Whether something was not written for want of room.
pub(super) fn is_disk_full(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull) || is_at_bound(error)
}

/// Whether something was not written because the file would have become larger than it may.
pub(super) fn is_at_bound(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::QuotaExceeded)
}
