use super::logs;
use crate::{
    api::NodeApi, backend::Backend, error::RpcError, filters::Watch, interface::EthFiltersServer,
    limits::MAX_LOG_RANGE_BLOCKS, view::ChainView, wire::FilterChanges,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::core::async_trait;
use std::sync::PoisonError;

#[async_trait]
impl<A: NodeApi> EthFiltersServer for Backend<A> {
    async fn new_filter(&self, filter: Filter) -> Result<String, RpcError> {
        logs::check_items(&filter)?;
        if matches!(filter.block_option, FilterBlockOption::AtBlockHash(_)) {
            return Err(RpcError::InvalidParams("a filter of one block has no changes; ask eth_getLogs".into()));
        }
        let next = self.read(|api| Ok(ChainView::open(api)?.head().height + 1)).await?;
        Ok(self.filters().add(Watch::Logs { filter: Box::new(filter), next }))
    }

    async fn new_block_filter(&self) -> Result<String, RpcError> {
        let next = self.read(|api| Ok(ChainView::open(api)?.head().height + 1)).await?;
        Ok(self.filters().add(Watch::Blocks { next }))
    }

    async fn new_pending_transaction_filter(&self) -> Result<String, RpcError> {
        let recent = self.filters().recent(|| self.api().pooled());
        let next = recent.count();
        Ok(self.filters().add(Watch::Pending { recent, next }))
    }

    async fn get_filter_changes(&self, id: String) -> Result<FilterChanges, RpcError> {
        let watch = self.filters().ask(&id)?;
        self.read(move |api| {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *watch {
                Watch::Blocks { next } => new_blocks(&ChainView::open(api)?, next).map(FilterChanges::Hashes),
                Watch::Logs { filter, next } => new_logs(api, filter, next).map(FilterChanges::Logs),
                Watch::Pending { recent, next } => {
                    let (news, after) = recent.since(*next)?;
                    *next = after;
                    Ok(FilterChanges::Hashes(news))
                }
            }
        })
        .await
    }

    async fn get_filter_logs(&self, id: String) -> Result<Vec<Log>, RpcError> {
        let watch = self.filters().ask(&id)?;
        let filter = match &*watch.lock().unwrap_or_else(PoisonError::into_inner) {
            Watch::Logs { filter, .. } => filter.clone(),
            _ => return Err(RpcError::FilterNotFound),
        };
        self.read(move |api| logs::logs(api, &ChainView::open(api)?, &filter)).await
    }

    async fn uninstall_filter(&self, id: String) -> Result<bool, RpcError> {
        Ok(self.filters().remove(&id))
    }
}

/// Hashes of the blocks from `next` on, and `next` moved behind them. Of very many the rest is told the next time.
fn new_blocks(view: &ChainView, next: &mut u64) -> Result<Vec<B256>, RpcError> {
    let last = view.head().height.min(*next + MAX_LOG_RANGE_BLOCKS - 1);
    let hashes = (*next..=last).map(|height| view.hash(height)).collect::<Result<_, _>>()?;
    *next = (last + 1).max(*next);
    Ok(hashes)
}

/// Logs of the blocks from `next` on that the filter asks for, and `next` moved behind them. Where they are too many
/// for one answer, the rest is told the next time.
fn new_logs(api: &impl NodeApi, filter: &Filter, next: &mut u64) -> Result<Vec<Log>, RpcError> {
    let view = ChainView::open(api)?;
    let head = view.head().height;
    let height = |bound: Option<BlockNumberOrTag>| bound.and_then(|bound| bound.as_number());
    let FilterBlockOption::Range { from_block, to_block } = filter.block_option else { return Ok(Vec::new()) };
    let from = height(from_block).unwrap_or(0).max(*next);
    let mut to = height(to_block).unwrap_or(head).min(head).min(from + MAX_LOG_RANGE_BLOCKS - 1);
    while from <= to {
        let filter = filter.clone().from_block(from).to_block(to);
        match logs::logs(api, &view, &filter) {
            // Of one block alone there is no part: the client is told, and goes on behind it.
            Err(error @ RpcError::LimitExceeded(_)) if from == to => {
                *next = to + 1;
                return Err(error);
            }
            Err(RpcError::LimitExceeded(_)) => to = from + (to - from) / 2,
            Err(error) => return Err(error),
            Ok(logs) => {
                *next = to + 1;
                return Ok(logs);
            }
        }
    }
    Ok(Vec::new())
}
