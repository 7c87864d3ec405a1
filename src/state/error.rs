//! What can go wrong between the state and its rows.

use alloy_primitives::{Address, B256};
use lucid_storage::StoreError;

use super::trie::TrieError;

/// Why the state could not be read or changed. After one of these in a change the batch is half written: drop it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A trie's rows are damaged, or the store failed under it.
    #[error(transparent)]
    Trie(#[from] TrieError<StoreError>),
    /// A row of the state is not what the state writes.
    #[error("a row of {table} is damaged: {what}")]
    BadRow {
        /// The table.
        table: &'static str,
        /// What is wrong with the row.
        what: &'static str,
    },
    /// An account names code that is not stored.
    #[error("no code with the hash {0} is stored")]
    MissingCode(B256),
    /// A change deploys code that does not have the hash that its account names.
    #[error("the code deployed at {address} hashes to {actual}, and its account names {expected}")]
    CodeMismatch {
        /// The account.
        address: Address,
        /// Hash in the account.
        expected: B256,
        /// keccak-256 of the code.
        actual: B256,
    },
    /// The state is asked for at a height from before what the undo log reaches back to.
    #[error("the state at height {height} is no longer kept; the oldest is that at {oldest}")]
    HistoryPruned {
        /// The height asked for.
        height: u64,
        /// The oldest that can be asked for.
        oldest: u64,
    },
    /// The state is asked for at a height that the chain has not reached.
    #[error("there is no state at height {height} yet; the head is at {head}")]
    FutureHeight {
        /// The height asked for.
        height: u64,
        /// Height of the head.
        head: u64,
    },
}

impl StateError {
    /// The store's error, where it is one.
    pub fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Trie(TrieError::Store(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether what is stored is not what was written.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Trie(_) | Self::Store(_) => self.of_store().is_none_or(StoreError::is_damage),
            Self::BadRow { .. } | Self::MissingCode(_) => true,
            _ => false,
        }
    }
}
