use crate::{api::NodeError, error::RpcError, view::ChainView, wire};
use alloy_primitives::B256;
use alloy_rpc_types_eth::{Index, Transaction, TransactionReceipt};

/// The transaction at a place of a block, where there is one.
pub(super) fn at(view: &ChainView, height: Option<u64>, index: Index) -> Result<Option<Transaction>, RpcError> {
    let (Some(height), Ok(index)) = (height, u32::try_from(index.0)) else { return Ok(None) };
    let Some(record) = view.transaction(height, index)? else { return Ok(None) };
    Ok(Some(wire::transaction(&record, index, &view.block(height)?.0)?))
}

/// The transaction of a block with this hash.
pub(super) fn by_hash(view: &ChainView, hash: B256) -> Result<Option<Transaction>, RpcError> {
    match view.place_of(hash)? {
        Some((height, index)) => at(view, Some(height), Index(index as usize)),
        None => Ok(None),
    }
}

/// The receipt of the transaction of a block with this hash.
pub(super) fn receipt(view: &ChainView, hash: B256) -> Result<Option<TransactionReceipt>, RpcError> {
    let Some((height, index)) = view.place_of(hash)? else { return Ok(None) };
    let transaction = view.transaction(height, index)?.ok_or(NodeError::Corrupt("transaction"))?;
    let record = view.receipt(height, index)?.ok_or(NodeError::Corrupt("receipt"))?;
    Ok(Some(wire::receipt(&transaction, &record, index, &view.block(height)?.0)?))
}

/// The receipts of the block at `height`, in order.
pub(super) fn receipts(view: &ChainView, height: u64) -> Result<Vec<TransactionReceipt>, RpcError> {
    let context = view.block(height)?.0;
    let (transactions, receipts) = (view.transactions(height)?, view.receipts(height)?);
    if transactions.len() != receipts.len() {
        return Err(NodeError::Corrupt("list of receipts").into());
    }
    let pairs = (0..).zip(transactions.iter().zip(&receipts));
    Ok(pairs.map(|(index, (sent, record))| wire::receipt(sent, record, index, &context)).collect::<Result<_, _>>()?)
}
