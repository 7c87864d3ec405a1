use crate::state::StateError;
use alloy_primitives::{B256, Bytes};
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

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The code reverted, with this data.
    #[error("execution reverted")]
    Reverted(Bytes),
    /// The code stopped abnormally: out of gas, an invalid opcode, a full stack.
    #[error("{0}")]
    Halted(String),
    /// The request is no transaction that could run on this state.
    #[error("{0}")]
    Invalid(String),
    /// No gas limit up to the allowance lets the call succeed.
    #[error("gas required exceeds allowance ({allowance})")]
    GasAllowance {
        /// What the sender or the cap allows.
        allowance: u64,
    },
    /// The state could not be read.
    #[error("the state cannot be read: {0}")]
    State(Arc<StateError>),
}
