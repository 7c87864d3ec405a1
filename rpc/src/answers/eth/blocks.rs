use crate::{error::RpcError, view::ChainView, wire};
use alloy_primitives::U64;
use alloy_rpc_types_eth::{Block, BlockTransactions};

/// The block at `height`, with its transactions or with their hashes.
pub(super) fn block(view: &ChainView, height: u64, full: bool) -> Result<Block, RpcError> {
    let (context, record) = view.block(height)?;
    let stored = view.transactions(height)?;
    let transactions = if full {
        let whole = (0..).zip(&stored).map(|(index, record)| wire::transaction(record, index, &context));
        BlockTransactions::Full(whole.collect::<Result<_, _>>()?)
    } else {
        BlockTransactions::Hashes(stored.iter().map(|record| record.hash).collect())
    };
    Ok(wire::block(context, &record, transactions)?)
}

/// Number of transactions of the block at `height`, where there is one.
pub(super) fn transaction_count(view: &ChainView, height: Option<u64>) -> Result<Option<U64>, RpcError> {
    let Some(height) = height else { return Ok(None) };
    Ok(Some(U64::from(view.block(height)?.1.transaction_count)))
}
