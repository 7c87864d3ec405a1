use crate::api::PoolStatus;
use alloy_primitives::U64;
use serde::{Deserialize, Serialize};

/// The answer of `txpool_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStatusDocument {
    /// Transactions that a block could take.
    pub pending: U64,
    /// Transactions behind a missing nonce.
    pub queued: U64,
}

impl From<PoolStatus> for PoolStatusDocument {
    fn from(status: PoolStatus) -> Self {
        Self { pending: U64::from(status.pending), queued: U64::from(status.queued) }
    }
}
