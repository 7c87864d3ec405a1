use super::{block::BlockContext, transaction::pending};
use crate::api::PendingTransaction;
use alloy_consensus::Sealed;
use alloy_primitives::B256;
use alloy_rpc_types_eth::{Header, Log, Transaction};
use lucid_types::CommittedBlock;
use serde::Serialize;

/// The answer of `eth_getFilterChanges`.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum FilterChanges {
    /// Hashes of blocks or transactions.
    Hashes(Vec<B256>),
    /// Logs.
    Logs(Vec<Log>),
}

/// A transaction as `newPendingTransactions` tells of it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum PendingNews {
    /// Its hash.
    Hash(B256),
    /// The whole.
    Whole(Box<Transaction>),
}

impl PendingNews {
    pub(crate) fn new(transaction: &PendingTransaction, whole: bool) -> Self {
        match whole {
            true => Self::Whole(Box::new(pending(transaction.clone()))),
            false => Self::Hash(*transaction.transaction.tx_hash()),
        }
    }
}

/// A header as `newHeads` tells of it.
pub(crate) fn header(block: &CommittedBlock) -> Header {
    Header::from_consensus(Sealed::new_unchecked(block.header.clone(), block.hash), None, None)
}

/// The logs of a block that was just committed and that `wanted` picks, each with its place on the chain.
pub(crate) fn committed_logs(block: &CommittedBlock, wanted: impl Fn(&alloy_primitives::Log) -> bool) -> Vec<Log> {
    let context = BlockContext { number: block.header.number, hash: block.hash, header: block.header.clone() };
    let mut found = Vec::new();
    let mut log_index = 0;
    for (index, transaction) in (0..).zip(&block.transactions) {
        for inner in &transaction.logs {
            if wanted(inner) {
                found.push(super::receipt::log(inner.clone(), transaction.hash, index, log_index, &context));
            }
            log_index += 1;
        }
    }
    found
}
