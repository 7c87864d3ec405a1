use super::{block::BlockContext, transaction::decode_transaction};
use crate::api::NodeError;
use alloy_consensus::{ReceiptEnvelope, Transaction as _};
use alloy_eips::Decodable2718;
use alloy_primitives::B256;
use alloy_rpc_types_eth::{Log, TransactionReceipt};
use lucid_storage::{ReceiptRecord, TransactionRecord};

/// Reads a stored receipt.
pub(crate) fn decode_receipt(record: &ReceiptRecord) -> Result<ReceiptEnvelope, NodeError> {
    ReceiptEnvelope::decode_2718(&mut &record.raw[..]).map_err(|_| NodeError::Corrupt("receipt"))
}

/// The logs of a receipt, each with its place on the chain.
pub(crate) fn logs(
    receipt: ReceiptEnvelope,
    record: &ReceiptRecord,
    transaction_hash: B256,
    index: u32,
    block: &BlockContext,
) -> ReceiptEnvelope<Log> {
    let mut log_index = record.first_log_index;
    receipt.map_logs(|inner| {
        let log = log(inner, transaction_hash, index, log_index, block);
        log_index += 1;
        log
    })
}

/// A log with its place on the chain.
pub(super) fn log(
    inner: alloy_primitives::Log,
    transaction_hash: B256,
    index: u32,
    log_index: u64,
    block: &BlockContext,
) -> Log {
    Log {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.number),
        block_timestamp: Some(block.timestamp()),
        transaction_hash: Some(transaction_hash),
        transaction_index: Some(u64::from(index)),
        log_index: Some(log_index),
        removed: false,
    }
}

/// The receipt as `eth_getTransactionReceipt` answers it.
pub(crate) fn receipt(
    transaction: &TransactionRecord,
    record: &ReceiptRecord,
    index: u32,
    block: &BlockContext,
) -> Result<TransactionReceipt, NodeError> {
    let signed = decode_transaction(transaction)?;
    Ok(TransactionReceipt {
        inner: logs(decode_receipt(record)?, record, transaction.hash, index, block),
        transaction_hash: transaction.hash,
        transaction_index: Some(u64::from(index)),
        block_hash: Some(block.hash),
        block_number: Some(block.number),
        gas_used: record.gas_used,
        effective_gas_price: signed.effective_gas_price(block.base_fee()),
        blob_gas_used: None,
        blob_gas_price: None,
        from: transaction.sender,
        to: signed.to(),
        contract_address: record.contract_address,
    })
}
