use crate::{
    error::RpcError,
    limits::{MAX_FEE_HISTORY_BLOCKS, MAX_FEE_HISTORY_PERCENTILES, MAX_FEE_HISTORY_REWARD_BLOCKS},
    view::ChainView,
    wire::{BlockContext, decode_transaction},
};
use alloy_consensus::Transaction;
use alloy_eips::{BlockNumberOrTag, eip1559::BaseFeeParams, eip7840::BlobParams};
use alloy_rpc_types_eth::FeeHistory;

/// Fees and use of gas of `count` blocks up to `newest`, or of as many as the bounds and the chain allow.
pub(super) fn history(
    view: &ChainView,
    count: u64,
    newest: BlockNumberOrTag,
    percentiles: &[f64],
) -> Result<FeeHistory, RpcError> {
    check_percentiles(percentiles)?;
    let newest = view.height_of(newest).ok_or(RpcError::UnknownBlock("request beyond head block"))?;
    let most = if percentiles.is_empty() { MAX_FEE_HISTORY_BLOCKS } else { MAX_FEE_HISTORY_REWARD_BLOCKS };
    let count = count.min(most).min(newest + 1);
    let mut history = FeeHistory { oldest_block: newest + 1 - count, ..FeeHistory::default() };
    let mut rewards = Vec::new();
    for height in history.oldest_block..=newest {
        let (context, _) = view.block(height)?;
        let header = &context.header;
        history.base_fee_per_gas.push(header.base_fee_per_gas.unwrap_or_default().into());
        history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
        history.base_fee_per_blob_gas.push(header.blob_fee(BlobParams::osaka()).unwrap_or_default());
        let blob_gas = header.blob_gas_used.unwrap_or_default();
        history.blob_gas_used_ratio.push(ratio(blob_gas, BlobParams::osaka().max_blob_gas_per_block()));
        if !percentiles.is_empty() {
            rewards.push(block_rewards(view, &context, percentiles)?);
        }
        if height == newest {
            let base_fee = header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or_default();
            history.base_fee_per_gas.push(base_fee.into());
            history.base_fee_per_blob_gas.push(header.next_block_blob_fee(BlobParams::osaka()).unwrap_or_default());
        }
    }
    history.reward = (!percentiles.is_empty()).then_some(rewards);
    Ok(history)
}

fn ratio(used: u64, limit: u64) -> f64 {
    if limit == 0 { 0.0 } else { used as f64 / limit as f64 }
}

/// Percentiles lie between 0 and 100 and do not fall.
fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    if percentiles.len() > MAX_FEE_HISTORY_PERCENTILES {
        let text = format!("over the query limit {MAX_FEE_HISTORY_PERCENTILES} of reward percentiles");
        return Err(RpcError::LimitExceeded(text));
    }
    let in_range = percentiles.iter().all(|percentile| (0.0..=100.0).contains(percentile));
    if in_range && percentiles.is_sorted() {
        return Ok(());
    }
    Err(RpcError::InvalidParams("invalid reward percentile: they lie between 0 and 100 and do not fall".into()))
}

/// For each percentile of the block's gas, the tip of the transaction that stands there when they are sorted by
/// tip, in wei per gas.
fn block_rewards(view: &ChainView, context: &BlockContext, percentiles: &[f64]) -> Result<Vec<u128>, RpcError> {
    let (transactions, receipts) = (view.transactions(context.number)?, view.receipts(context.number)?);
    let base_fee = context.base_fee().unwrap_or_default();
    let mut tips = Vec::with_capacity(transactions.len());
    for (record, receipt) in transactions.iter().zip(&receipts) {
        let tip = decode_transaction(record)?.effective_tip_per_gas(base_fee).unwrap_or_default();
        tips.push((tip, receipt.gas_used));
    }
    tips.sort_unstable();
    let Some((highest, _)) = tips.last().copied() else { return Ok(vec![0; percentiles.len()]) };
    let reward = |percentile: &f64| {
        let threshold = (context.header.gas_used as f64 * percentile / 100.0) as u64;
        let mut gas = 0;
        let reached = tips.iter().find(|(_, gas_used)| {
            gas += gas_used;
            gas >= threshold
        });
        reached.map_or(highest, |(tip, _)| *tip)
    };
    Ok(percentiles.iter().map(reward).collect())
}
