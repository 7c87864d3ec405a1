//! The one table that turns what went wrong into what a JSON-RPC client sees: code, text, data.
//!
//! Codes are those of JSON-RPC 2.0 and of Ethereum's clients: -32602 for parameters, -32603 for faults of the
//! node, 3 for a revert with its data, -32601 for what is not there, -32005 for more than a bound allows, -32000 for
//! the rest. An error of a `lucid_` method, or about a token, also carries `data.code`, `LUCID_ERR_nnnn`. What is
//! refused before a method is reached has the server's own codes: -32700, -32600, -32006 for subscriptions beyond
//! those of a connection, and -32007 to -32011 for bodies and batches beyond their bounds. A store that is damaged has
//! -32012 whatever the method. docs/rpc.md lists them.

use crate::{
    access::Denied,
    api::{
        AnchorError, CallError, DbJobError, MerkleError, NodeError, PayoutError, ProofError, StateError, SubmitError,
        TaskProofError, VerifyError,
    },
    revert::revert_reason,
};
use alloy_primitives::Bytes;
use jsonrpsee::types::{
    ErrorObjectOwned,
    error::{
        CALL_EXECUTION_FAILED_CODE, INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE, INVALID_REQUEST_CODE,
        METHOD_NOT_FOUND_CODE,
    },
};
use lucid_storage::QueryError;
use lucid_types::TransactionRefusal;
use serde::Serialize;

/// Code of a revert, as geth has it.
const REVERT_CODE: i32 = 3;
/// Code for more than the node is willing to do (EIP-1474).
const LIMIT_EXCEEDED_CODE: i32 = -32005;
/// Code for a store that is not what was written to it: the first after those of the server.
const DAMAGED_CODE: i32 = -32012;
/// And its number, which is there whatever the method.
const DAMAGED_NUMBER: u16 = 3002;
/// The text with it. Where the damage is, is for the node's log: it may be among what the caller may not see.
const DAMAGED_TEXT: &str = "the node's store is damaged, and its log says where; what is damaged is not answered";

/// Whatever a method can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RpcError {
    /// A parameter of an `eth_` method that the wire type lets through and the method does not.
    #[error("{0}")]
    InvalidParams(String),
    /// A parameter of a `lucid_` method, likewise.
    #[error("{0}")]
    InvalidRequest(String),
    /// The block that a state, a count or logs are asked of does not exist.
    #[error("{0}")]
    UnknownBlock(&'static str),
    /// More blocks, logs, waiting calls than the bounds allow.
    #[error("{0}")]
    LimitExceeded(String),
    /// So much is being done that there is no turn for this within the time that it may wait.
    #[error("the node is busy; try again later")]
    Busy,
    /// No such method, or none for this caller; in geth's words, by which clients choose another way.
    #[error("the method {0} does not exist/is not available")]
    UnknownMethod(String),
    /// A subscription where the node cannot send by itself.
    #[error(
        "notifications not supported: subscriptions take a WebSocket, ws:// at this address; over HTTP there are filters"
    )]
    NotificationsUnsupported,
    /// A subscription among other calls: its first news could come before its id.
    #[error("subscriptions are not taken in a batch")]
    SubscriptionInBatch,
    /// A kind of news that there is none of.
    #[error("no \"{kind}\" subscription in {namespace} namespace")]
    UnknownSubscription {
        /// The namespace that was asked.
        namespace: &'static str,
        /// What was asked for, as far as it is repeated.
        kind: String,
    },
    /// A filter that was never made, or not asked for too long.
    #[error("filter not found")]
    FilterNotFound,
    /// A token is missing, unknown, or for something else.
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Payout(#[from] PayoutError),
    /// A task proof is not taken.
    #[error(transparent)]
    TaskProof(#[from] TaskProofError),
    #[error(transparent)]
    Merkle(#[from] MerkleError),
    #[error(transparent)]
    DbJob(#[from] DbJobError),
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// The `data` of an error of a `lucid_` method.
#[derive(Serialize)]
struct LucidData {
    code: String,
}

/// What a client sees.
enum Row {
    /// An Ethereum error: code and text.
    Eth(i32),
    /// A revert: the text has the reason, the data are the contract's.
    Revert(Bytes),
    /// An error of a `lucid_` method: code and `LUCID_ERR_nnnn`.
    Lucid(i32, u16),
    /// The node is at fault: the detail goes to its log and not to the client.
    Internal,
    /// Its store is damaged, likewise.
    Damaged,
}

/// Most characters of a name that an answer repeats. No method of any node has a longer one.
const MAX_NAME_CHARS: usize = 64;

impl RpcError {
    /// The error for a method that is not there.
    pub(crate) fn unknown_method(name: &str) -> Self {
        Self::UnknownMethod(name.chars().take(MAX_NAME_CHARS).collect())
    }

    /// The error for a kind of subscription that a namespace does not have.
    pub(crate) fn unknown_subscription(namespace: &'static str, kind: &str) -> Self {
        Self::UnknownSubscription { namespace, kind: kind.chars().take(MAX_NAME_CHARS).collect() }
    }

    fn row(&self) -> Row {
        match self {
            Self::InvalidParams(_) => Row::Eth(INVALID_PARAMS_CODE),
            Self::InvalidRequest(_) => Row::Lucid(INVALID_PARAMS_CODE, 1001),
            Self::UnknownBlock(_) => Row::Eth(CALL_EXECUTION_FAILED_CODE),
            Self::LimitExceeded(_) => Row::Eth(LIMIT_EXCEEDED_CODE),
            Self::Busy => Row::Lucid(LIMIT_EXCEEDED_CODE, 3001),
            Self::UnknownMethod(_) | Self::NotificationsUnsupported | Self::UnknownSubscription { .. } => {
                Row::Eth(METHOD_NOT_FOUND_CODE)
            }
            Self::FilterNotFound => Row::Eth(CALL_EXECUTION_FAILED_CODE),
            Self::SubscriptionInBatch => Row::Eth(INVALID_REQUEST_CODE),
            Self::Denied(Denied::TokenMissing(_) | Denied::TokenUnknown) => {
                Row::Lucid(CALL_EXECUTION_FAILED_CODE, 2001)
            }
            Self::Denied(Denied::Scope { .. }) => Row::Lucid(CALL_EXECUTION_FAILED_CODE, 2004),
            Self::Node(NodeError::Full(_)) | Self::Payout(PayoutError::Node(NodeError::Full(_))) => {
                Row::Lucid(CALL_EXECUTION_FAILED_CODE, 6005)
            }
            Self::Node(error) => node_row(error),
            Self::State(error) => state_row(error),
            Self::Submit(SubmitError::Node(error)) => node_row(error),
            Self::Submit(SubmitError::DiskFull | SubmitError::StoreFull(_)) => {
                Row::Lucid(CALL_EXECUTION_FAILED_CODE, 6005)
            }
            Self::Submit(SubmitError::Refused(_)) => Row::Eth(CALL_EXECUTION_FAILED_CODE),
            Self::Call(CallError::Reverted { data }) => Row::Revert(data.clone()),
            Self::Call(CallError::State(error)) => state_row(error),
            Self::Call(_) => Row::Eth(CALL_EXECUTION_FAILED_CODE),
            Self::Anchor(error) => anchor_row(error),
            Self::Proof(error) => proof_row(error),
            Self::Payout(PayoutError::Altered { .. }) => Row::Lucid(CALL_EXECUTION_FAILED_CODE, 1001),
            Self::Payout(PayoutError::Node(error)) => node_row(error),
            Self::TaskProof(TaskProofError::CountsNothing(_)) => Row::Lucid(CALL_EXECUTION_FAILED_CODE, 1001),
            Self::TaskProof(TaskProofError::Full(_)) => Row::Lucid(LIMIT_EXCEEDED_CODE, 3001),
            Self::TaskProof(TaskProofError::Node(error)) => node_row(error),
            Self::DbJob(DbJobError::Busy(_)) => Row::Lucid(LIMIT_EXCEEDED_CODE, 3001),
            Self::DbJob(DbJobError::Node(error)) => node_row(error),
            Self::Query(QueryError::Store(error)) if error.is_damage() => Row::Damaged,
            Self::Query(QueryError::Store(_)) => Row::Internal,
            Self::Query(QueryError::NotIndexed { .. } | QueryError::TooManyResults) => {
                Row::Lucid(LIMIT_EXCEEDED_CODE, 1001)
            }
            Self::Query(_) => Row::Lucid(INVALID_PARAMS_CODE, 1001),
            Self::Merkle(error) => Row::Lucid(
                INVALID_PARAMS_CODE,
                match error {
                    MerkleError::Empty => 8004,
                    MerkleError::TooHigh { .. } => 8006,
                    MerkleError::NoSuchLeaf { .. } => 1001,
                },
            ),
        }
    }
}

/// A fault of the node. What it takes no more for want of room is in the table by itself.
fn node_row(error: &NodeError) -> Row {
    if error.is_damage() { Row::Damaged } else { Row::Internal }
}

fn state_row(error: &StateError) -> Row {
    match error {
        StateError::NotKept { .. } | StateError::NoTries { .. } => Row::Eth(CALL_EXECUTION_FAILED_CODE),
        StateError::Node(error) => node_row(error),
    }
}

fn anchor_row(error: &AnchorError) -> Row {
    let refused = CALL_EXECUTION_FAILED_CODE;
    match error {
        AnchorError::Manifest(_) | AnchorError::RootMismatch { .. } => Row::Lucid(INVALID_PARAMS_CODE, 6004),
        AnchorError::Transaction { .. } => Row::Lucid(INVALID_PARAMS_CODE, 6002),
        AnchorError::AlreadyAnchored { .. } | AnchorError::RootAlreadyAnchored { .. } => Row::Lucid(refused, 6006),
        AnchorError::InsufficientFunds { .. } => Row::Lucid(refused, 5004),
        AnchorError::Unknown(_) => Row::Lucid(refused, 6001),
        AnchorError::SeveralAccounts { .. } => Row::Lucid(INVALID_PARAMS_CODE, 1001),
        AnchorError::NotEnded { .. } | AnchorError::NotTheNodes { .. } => Row::Lucid(refused, 6002),
        AnchorError::TooMany(_)
        | AnchorError::DiskFull
        | AnchorError::StoreFull(_)
        | AnchorError::Submit(SubmitError::DiskFull | SubmitError::StoreFull(_)) => Row::Lucid(refused, 6005),
        AnchorError::Submit(SubmitError::Node(error)) | AnchorError::Node(error) => node_row(error),
        AnchorError::Submit(SubmitError::Refused(error)) => Row::Lucid(refused, refusal_number(error)),
    }
}

/// The number of a refused transaction inside a `lucid_` method.
fn refusal_number(error: &TransactionRefusal) -> u16 {
    match error {
        TransactionRefusal::InvalidSender
        | TransactionRefusal::SenderNotEoa(_)
        | TransactionRefusal::WrongChain { .. } => 5003,
        TransactionRefusal::InsufficientFunds { .. }
        | TransactionRefusal::FeeCapTooLow { .. }
        | TransactionRefusal::TipAboveFeeCap { .. }
        | TransactionRefusal::ReplacementUnderpriced => 5004,
        TransactionRefusal::PoolFull | TransactionRefusal::AccountLimit(_) => 5005,
        _ => 5002,
    }
}

fn proof_row(error: &ProofError) -> Row {
    match error {
        ProofError::UnknownSession(_) | ProofError::NotFinal(_) => Row::Lucid(CALL_EXECUTION_FAILED_CODE, 6001),
        ProofError::NotKept(_) => Row::Lucid(CALL_EXECUTION_FAILED_CODE, 8001),
        ProofError::SeveralAccounts { .. } | ProofError::NoSuchChunk { .. } => Row::Lucid(INVALID_PARAMS_CODE, 1001),
        ProofError::Node(error) => node_row(error),
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        match error.row() {
            Row::Eth(code) => Self::owned(code, error.to_string(), None::<()>),
            Row::Revert(data) => {
                let text = match revert_reason(&data) {
                    Some(reason) => format!("{error}: {reason}"),
                    None => error.to_string(),
                };
                Self::owned(REVERT_CODE, text, Some(data))
            }
            Row::Lucid(code, number) => {
                let data = LucidData { code: lucid_code(number) };
                Self::owned(code, error.to_string(), Some(data))
            }
            Row::Internal => {
                tracing::error!(%error, "a request failed inside the node");
                Self::owned(INTERNAL_ERROR_CODE, "internal error", None::<()>)
            }
            Row::Damaged => {
                tracing::error!(%error, "a request met damage in the store");
                let data = LucidData { code: lucid_code(DAMAGED_NUMBER) };
                Self::owned(DAMAGED_CODE, DAMAGED_TEXT, Some(data))
            }
        }
    }
}

fn lucid_code(number: u16) -> String {
    format!("LUCID_ERR_{number}")
}

/// A verdict is an answer; only a node that could not judge is an error.
pub(crate) fn verdict<T>(result: Result<T, VerifyError>) -> Result<Result<T, String>, RpcError> {
    match result {
        Ok(verified) => Ok(Ok(verified)),
        Err(VerifyError::Failed(reason)) => Ok(Err(reason)),
        Err(VerifyError::Node(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
