use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Log};
use std::sync::Arc;

/// What a node tells those who listen.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ChainEvent {
    /// A block is final and on disk.
    BlockCommitted(Arc<CommittedBlock>),
}

/// A block that is final and on disk, as far as listeners need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedBlock {
    /// Hash of the header.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// The transactions, in order.
    pub transactions: Vec<CommittedTransaction>,
}

/// A transaction of a committed block, as far as listeners need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedTransaction {
    /// Hash of the transaction.
    pub hash: B256,
    /// Who signed it.
    pub sender: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Gas that it used.
    pub gas_used: u64,
    /// Whether it succeeded.
    pub success: bool,
    /// What it logged.
    pub logs: Vec<Log>,
}
