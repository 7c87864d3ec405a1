//! What can go wrong behind the interface. Texts that Ethereum's tools match on are geth's.

use crate::{limits::MAX_NAMED_ACCOUNTS, wire::DbJobKind};
use alloy_primitives::{Address, B256, Bytes, U256, utils::format_ether};
use lucid_storage::{AnchoringStatus, StoreError};
use lucid_types::{ManifestError, SessionId, TransactionRefusal};

/// The node could not answer, and the caller is not to blame. Clients see none of the detail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// What the store holds cannot be read as what it should be.
    #[error("the store holds a {0} that cannot be read")]
    Corrupt(&'static str),
    /// Nothing can be kept now; with the node's reason, in which no path is.
    #[error("the node takes nothing new until there is room again: {0}")]
    Full(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl NodeError {
    /// Whether what is stored is not what was written: asking again is no use.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::Corrupt(_) => true,
            Self::Full(_) | Self::Stopping => false,
        }
    }
}

/// Why a state cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The state after so old a block is no longer kept.
    #[error("the state after block {block} is no longer kept; the oldest is that after block {oldest}")]
    NotKept {
        /// Height that was asked for.
        block: u64,
        /// Lowest height whose state can be read.
        oldest: u64,
    },
    /// Proofs need the tries, and those are kept of the last block alone.
    #[error("no proof against the state after block {block} can be made: only the last block, {head}, has its tries")]
    NoTries {
        /// Height that was asked for.
        block: u64,
        /// Height of the last block.
        head: u64,
    },
    /// The node could not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why a transaction is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// It breaks a rule of the chain or of the pool.
    #[error(transparent)]
    Refused(#[from] TransactionRefusal),
    /// No block could take it.
    #[error("the node's disk is nearly full, so it takes no transactions until there is room again")]
    DiskFull,
    /// No block could take it, as the store may not grow any more; with the node's reason.
    #[error("the node takes no transactions until its store has room again: {0}")]
    StoreFull(String),
    /// The node could not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The contract reverted.
    #[error("execution reverted")]
    Reverted {
        /// What it gave as a reason.
        data: Bytes,
    },
    /// The gas was used up.
    #[error("out of gas")]
    OutOfGas {
        /// Gas it had.
        gas_limit: u64,
    },
    /// No gas limit up to the allowed one is enough.
    #[error("gas required exceeds allowance ({allowance})")]
    GasRequiredExceedsAllowance {
        /// Gas that could be given.
        allowance: u64,
    },
    /// The machine stopped: invalid opcode, invalid jump, stack overflow and the like, in geth's words.
    #[error("{reason}")]
    Halted {
        /// Why.
        reason: String,
    },
    /// The call is refused before it runs for a reason that a transaction would be.
    #[error(transparent)]
    Refused(TransactionRefusal),
    /// The account that calls cannot pay.
    #[error("insufficient funds for gas * price + value: address {address} have {balance} want {cost}")]
    InsufficientFunds {
        /// Who calls.
        address: Address,
        /// What it has, in wei.
        balance: U256,
        /// What the call costs, in wei.
        cost: U256,
    },
    /// Fields that contradict each other, or that no transaction has.
    #[error("{0}")]
    Invalid(String),
    /// It took too long.
    #[error("execution aborted (timeout = {timeout_ms}ms)")]
    TimedOut {
        /// How long it had.
        timeout_ms: u64,
    },
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<NodeError> for CallError {
    fn from(error: NodeError) -> Self {
        Self::State(StateError::Node(error))
    }
}

/// Why a session is not taken for anchoring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The manifest describes no session.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names another root than its leaves have.
    #[error("the manifest's Merkle root is {manifest} and that of the leaves is {leaves}")]
    RootMismatch {
        /// Root in the manifest.
        manifest: B256,
        /// Root of the leaves.
        leaves: B256,
    },
    /// Registered by this account, or being registered.
    #[error("the session {session_id} is anchored by the account {account} already, or is being anchored")]
    AlreadyAnchored {
        /// The session.
        session_id: SessionId,
        /// Who registers it.
        account: Address,
    },
    /// This account has anchored this root, or is anchoring it.
    #[error(
        "the Merkle root {merkle_root} is anchored already, or is being anchored, by the account {account} as the session {session_id}"
    )]
    RootAlreadyAnchored {
        /// The root.
        merkle_root: B256,
        /// The session that has it.
        session_id: SessionId,
        /// Who registered that.
        account: Address,
    },
    /// The account that registers cannot pay.
    #[error(
        "insufficient funds: the account {account} has {} LUCID, and the anchoring may cost up to {} LUCID",
        format_ether(*.balance),
        format_ether(*.cost)
    )]
    InsufficientFunds {
        /// Who registers.
        account: Address,
        /// What it has, in wei.
        balance: U256,
        /// What the anchoring's transactions may cost at most, in wei.
        cost: U256,
    },
    /// Nothing can be kept now.
    #[error("the disk of the node is nearly full, so it takes nothing new; try again when there is room")]
    DiskFull,
    /// Nothing can be kept, as the store may not grow any more; with the node's reason.
    #[error("the node takes nothing new until its store has room again: {0}")]
    StoreFull(String),
    /// Nothing to begin again.
    #[error("this node was not asked to anchor the session {0}")]
    Unknown(SessionId),
    /// Several accounts had it anchored here.
    #[error("{}", several_accounts(.session_id, .accounts))]
    SeveralAccounts {
        /// The session.
        session_id: SessionId,
        /// Accounts that registered it.
        accounts: Vec<Address>,
    },
    /// Begun again is only what failed or expired.
    #[error("the anchoring of the session {session_id} is {}; only a failed or expired one is begun again", .status.as_str())]
    NotEnded {
        /// The session.
        session_id: SessionId,
        /// Where its anchoring stands.
        status: AnchoringStatus,
    },
    /// Only the account's own key can sign it anew.
    #[error(
        "the session {session_id} was to be registered by {account}, which is not the node's account: \
             have it anchored again with that account's key"
    )]
    NotTheNodes {
        /// The session.
        session_id: SessionId,
        /// Who was to register it.
        account: Address,
    },
    /// A transaction that the reader signed does not do what his request says.
    #[error("transaction {index} of the request: {fault}")]
    Transaction {
        /// Its place in the request.
        index: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// A transaction of the anchoring is refused.
    #[error("the registration is refused: {0}")]
    Submit(#[from] SubmitError),
    /// So many anchorings are under way already.
    #[error("{0} anchorings are under way already; try again when one has finished")]
    TooMany(usize),
    /// The node could not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why there is no proof of a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Nobody registered it here.
    #[error("no session {0} is known")]
    UnknownSession(SessionId),
    /// Several accounts registered a session with this id.
    #[error("{}", several_accounts(.session_id, .accounts))]
    SeveralAccounts {
        /// The session.
        session_id: SessionId,
        /// Accounts that registered it.
        accounts: Vec<Address>,
    },
    /// Its registration is not in a block yet.
    #[error("the session {0} is not registered in a final block yet")]
    NotFinal(SessionId),
    /// The session has fewer chunks.
    #[error("the session has {chunk_count} chunks and no chunk {index}")]
    NoSuchChunk {
        /// Index that was asked for.
        index: u32,
        /// Chunks of the session.
        chunk_count: u32,
    },
    /// This node did not keep the manifest or the leaves: another one anchored the session.
    #[error("this node does not hold the manifest and leaves of the session {0}")]
    NotKept(SessionId),
    /// The node could not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// A sentence that names the accounts to choose from.
fn several_accounts(session_id: &SessionId, accounts: &[Address]) -> String {
    let more = if accounts.len() > MAX_NAMED_ACCOUNTS { " and more" } else { "" };
    let names: Vec<String> = accounts.iter().take(MAX_NAMED_ACCOUNTS).map(Address::to_string).collect();
    let names = names.join(", ");
    format!("several accounts registered the session {session_id}: {names}{more}; name one of them (--account)")
}

/// Why a proof could not be judged, or what in it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The proof does not hold; a sentence that names what failed.
    #[error("{0}")]
    Failed(String),
    /// The node could not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why work on the whole store is not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbJobError {
    /// There is one at a time.
    #[error("a {kind} of the store is under way; `admin_dbJob` says how it stands", kind = .0.name())]
    Busy(DbJobKind),
    /// The node could not begin it.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why a payout is not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayoutError {
    /// It promises something else than what was written under its id, or takes back what was paid.
    #[error("the payout {id} is written already with another {field}, which does not change any more")]
    Altered {
        /// Its id.
        id: String,
        /// The field.
        field: &'static str,
    },
    /// The node could not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why there is no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MerkleError {
    /// No leaf.
    #[error("a Merkle tree has at least one leaf")]
    Empty,
    /// More leaves than a tree of the greatest height has.
    #[error("{leaves} leaves do not fit into a tree of height {height_max}")]
    TooHigh {
        /// Leaves given.
        leaves: usize,
        /// Greatest height.
        height_max: u32,
    },
    /// A path of a leaf that is not there.
    #[error("there is no leaf {index} among {leaves}")]
    NoSuchLeaf {
        /// Index that was asked for.
        index: u32,
        /// Leaves given.
        leaves: usize,
    },
}

/// Why a task proof is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskProofError {
    /// It would count nothing; with the reason.
    #[error("the task proof counts nothing: {0}")]
    CountsNothing(String),
    /// No more are kept.
    #[error("{0} task proofs wait already, and no more are kept")]
    Full(usize),
    /// The node could not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
}
