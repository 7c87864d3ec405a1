use crate::{evm::ExecutionError, state::StateError};
use alloy_primitives::{Address, B256};
use lucid_storage::StoreError;
use lucid_types::{CanonicalError, ValidatorSetError};
use std::{collections::BTreeMap, sync::Arc};

/// Why a block breaks the rules. Said only of what the block's hash fixes: header, transactions, withdrawals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// A field has not the one value that it can have.
    #[error("{field} is {found}, and must be {expected}")]
    Field {
        /// The header's field.
        field: &'static str,
        /// What the header says.
        found: String,
        /// What follows from parent, content and rules.
        expected: String,
    },
    /// The timestamp is no slot start, or its slot is not above the parent's.
    #[error("timestamp {timestamp} is not the start of a slot after the parent's {parent_timestamp}")]
    Timestamp {
        /// The header's.
        timestamp: u64,
        /// The parent's.
        parent_timestamp: u64,
    },
    /// The extraData has not 32 bytes.
    #[error(transparent)]
    ExtraData(#[from] lucid_types::ExtraDataError),
    /// A block without a transaction, where the chain has none.
    #[error("the block holds no transaction")]
    Empty,
    /// Too many transactions.
    #[error("the block holds {found} transactions, and may hold {most}")]
    TooManyTransactions {
        /// In the block.
        found: u64,
        /// Allowed.
        most: u64,
    },
    /// Too many bytes.
    #[error("the block has {found} bytes, and may have {most}")]
    TooLarge {
        /// RLP size of the block.
        found: u64,
        /// Allowed.
        most: u64,
    },
    /// A blob transaction (EIP-4844): nobody here keeps blobs.
    #[error("transaction {0} carries blobs")]
    Blobs(B256),
    /// A signature from which no sender follows.
    #[error("the signature of transaction {0} is not valid")]
    Signature(B256),
    /// A transaction that cannot run.
    #[error("transaction {hash} cannot be executed: {reason}")]
    Transaction {
        /// The transaction.
        hash: B256,
        /// What is wrong with it.
        reason: String,
    },
    /// The system calls around the transactions failed.
    #[error("{0}")]
    SystemCall(String),
}

impl Invalid {
    /// A field that has another value than it must have.
    pub(super) fn field(field: &'static str, found: impl ToString, expected: impl ToString) -> Self {
        Self::Field { field, found: found.to_string(), expected: expected.to_string() }
    }
}

/// Why a block could not be built or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The block breaks the rules.
    #[error("the block is invalid: {0}")]
    Invalid(#[from] Invalid),
    /// The store failed. Says nothing about the block.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state failed. Says nothing about the block.
    #[error("{0}")]
    State(Arc<StateError>),
    /// The store holds bytes that are no header, transaction or receipt.
    #[error("block {height} cannot be read: its {part} is damaged")]
    Damaged {
        /// Height of the block.
        height: u64,
        /// What of it.
        part: &'static str,
    },
    /// The store has no head: genesis was never written.
    #[error("the store holds no chain")]
    NoChain,
    /// The block was judged as the child of another block than the store's head.
    #[error("the store's head is {head}, and the block was judged as a child of {parent}")]
    NotOnHead {
        /// Hash of the head.
        head: B256,
        /// Hash of the parent that was given.
        parent: B256,
    },
    /// The chain spec's validators are not a set.
    #[error("the chain spec's validators: {0}")]
    Validators(#[from] ValidatorSetError),
    /// The chain spec's parameters cannot be written as rows.
    #[error("the chain spec's parameters: {0}")]
    Parameters(#[from] CanonicalError),
    /// The chain spec was made for another version of the genesis contracts.
    #[error("the chain spec names genesis contracts {spec:?}; this program holds {ours:?}")]
    ForeignContracts {
        /// Code hash by address, as the spec has it.
        spec: BTreeMap<Address, B256>,
        /// Code hash by address, as this program has it.
        ours: BTreeMap<Address, B256>,
    },
}

impl ChainError {
    /// The store's error, where it is one.
    pub fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::State(error) => error.of_store(),
            _ => None,
        }
    }

    /// Whether what is stored is not what was written.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::State(error) => error.is_damage(),
            Self::Damaged { .. } | Self::NoChain => true,
            _ => false,
        }
    }
}

impl From<StateError> for ChainError {
    fn from(error: StateError) -> Self {
        Self::State(Arc::new(error))
    }
}

impl From<ExecutionError> for ChainError {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::State(error) => Self::State(error),
            ExecutionError::InvalidTransaction { hash, reason } => Self::Invalid(Invalid::Transaction { hash, reason }),
            ExecutionError::SystemCall(text) => Self::Invalid(Invalid::SystemCall(text)),
        }
    }
}
