use crate::state::StateError;
use alloy_primitives::{Address, B256, Bytes, U256};
use lucid_types::TransactionRefusal;
use std::sync::Arc;

/// Why a block could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionError {
    /// A transaction does not fit the state or the block it stands in.
    #[error("transaction {hash} cannot be executed: {reason}")]
    InvalidTransaction {
        /// The transaction.
        hash: B256,
        /// What is wrong with it.
        reason: String,
    },
    /// What the rules do before and after the transactions failed (EIP-2935, 4788, 7002, 7251).
    #[error("the block's system calls failed: {0}")]
    SystemCall(String),
    /// The state could not be read. Says nothing about the block.
    #[error("the state cannot be read: {0}")]
    State(Arc<StateError>),
}

impl From<Arc<StateError>> for ExecutionError {
    fn from(error: Arc<StateError>) -> Self {
        Self::State(error)
    }
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The code reverted, with this data.
    #[error("execution reverted")]
    Reverted(Bytes),
    /// The gas was used up.
    #[error("out of gas")]
    OutOfGas {
        /// Gas it had.
        gas_limit: u64,
    },
    /// The code stopped abnormally: an invalid opcode, a full stack. In geth's words.
    #[error("{0}")]
    Halted(String),
    /// A transaction like this would be refused.
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
    /// No gas limit up to the allowance lets the call succeed.
    #[error("gas required exceeds allowance ({allowance})")]
    GasAllowance {
        /// What the sender or the cap allows.
        allowance: u64,
    },
    /// The deadline came before the end.
    #[error("the call did not end in time")]
    TimedOut,
    /// The state could not be read.
    #[error("the state cannot be read: {0}")]
    State(Arc<StateError>),
}

impl From<Arc<StateError>> for CallError {
    fn from(error: Arc<StateError>) -> Self {
        Self::State(error)
    }
}
