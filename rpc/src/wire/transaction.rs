use super::block::BlockContext;
use crate::api::{NodeError, PendingTransaction};
use alloy_consensus::{TxEnvelope, transaction::Recovered};
use alloy_eips::Decodable2718;
use alloy_rpc_types_eth::{Transaction, TransactionInfo};
use lucid_storage::TransactionRecord;

/// Reads a stored transaction.
pub(crate) fn decode_transaction(record: &TransactionRecord) -> Result<TxEnvelope, NodeError> {
    TxEnvelope::decode_2718(&mut &record.raw[..]).map_err(|_| NodeError::Corrupt("transaction"))
}

/// A transaction of a block as `eth_getTransactionBy…` answers it. Its sender was recovered when the block was
/// checked, so no signature is looked at here.
pub(crate) fn transaction(
    record: &TransactionRecord,
    index: u32,
    block: &BlockContext,
) -> Result<Transaction, NodeError> {
    let info = TransactionInfo {
        hash: Some(record.hash),
        index: Some(u64::from(index)),
        block_hash: Some(block.hash),
        block_number: Some(block.number),
        base_fee: block.base_fee(),
        block_timestamp: Some(block.timestamp()),
    };
    let recovered = Recovered::new_unchecked(decode_transaction(record)?, record.sender);
    Ok(Transaction::from_transaction(recovered, info))
}

/// A transaction of the pool: everything about its block is null.
pub(crate) fn pending(pending: PendingTransaction) -> Transaction {
    let recovered = Recovered::new_unchecked(pending.transaction, pending.sender);
    Transaction::from_transaction(recovered, TransactionInfo::default())
}
