//! What the interface asks of the node, and the plain types of question and answer.
//!
//! The interface reads a snapshot of the store for whatever lies in collections and asks [`NodeApi`] for the
//! rest. It can never open a write.

mod anchoring;
mod chain;
mod errors;
mod node_api;

pub use anchoring::{AnchorAccepted, AnchorRequest, MerkleBuilt, ProofRequest, VerifiedAnchor, VerifyRequest};
pub use chain::{
    AccountInfo, AccountProof, CallRequest, ChainInfo, LogQuery, PendingTransaction, PoolStatus, SlotProof,
    SyncProgress,
};
pub use errors::{
    AnchorError, CallError, DbJobError, MerkleError, NodeError, PayoutError, ProofError, StateError, SubmitError,
    TaskProofError, VerifyError,
};
pub use node_api::NodeApi;
