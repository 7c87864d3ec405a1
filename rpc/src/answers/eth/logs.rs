use crate::{
    api::{LogQuery, NodeApi, NodeError},
    error::RpcError,
    limits::{MAX_LOG_FILTER_ITEMS, MAX_LOG_RANGE_BLOCKS, MAX_LOG_RESULTS},
    view::ChainView,
    wire,
};
use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, FilterSet, Log};
use lucid_storage::ReceiptRecord;
use std::hash::Hash;

/// Logs that match, in chain order.
pub(super) fn logs(api: &impl NodeApi, view: &ChainView, filter: &Filter) -> Result<Vec<Log>, RpcError> {
    let query = query(view, filter)?;
    let mut found = Found { view, filter, query: &query, logs: Vec::new() };
    if query.addresses.is_empty() && query.topics.iter().all(Vec::is_empty) {
        found.scan()?;
    } else {
        // One more than are looked at, so that a list that was cut off is never taken for a whole one.
        let candidates = api.log_candidates(&query, MAX_LOG_RESULTS + 1)?;
        if candidates.len() > MAX_LOG_RESULTS {
            return Err(too_many());
        }
        found.look_at(&candidates)?;
    }
    Ok(found.logs)
}

/// What is asked of the log index, within the bounds.
fn query(view: &ChainView, filter: &Filter) -> Result<LogQuery, RpcError> {
    let (from_block, to_block) = block_range(view, filter)?;
    check_items(filter)?;
    Ok(LogQuery {
        from_block,
        to_block,
        addresses: sorted(&filter.address),
        topics: std::array::from_fn(|position| sorted(&filter.topics[position])),
    })
}

/// Refuses a filter that names more than is looked for at once.
pub(super) fn check_items(filter: &Filter) -> Result<(), RpcError> {
    let items = filter.topics.iter().map(FilterSet::len).chain([filter.address.len()]).max();
    if items.unwrap_or_default() > MAX_LOG_FILTER_ITEMS {
        let text = format!("exceeds max addresses or topics per search position ({MAX_LOG_FILTER_ITEMS})");
        return Err(RpcError::LimitExceeded(text));
    }
    Ok(())
}

fn sorted<T: Ord + Eq + Hash + Copy>(set: &FilterSet<T>) -> Vec<T> {
    let mut items: Vec<T> = set.iter().copied().collect();
    items.sort_unstable();
    items
}

fn block_range(view: &ChainView, filter: &Filter) -> Result<(u64, u64), RpcError> {
    let invalid = |text: &str| RpcError::InvalidParams(text.to_owned());
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let height = view.height_of_hash(hash)?.ok_or(RpcError::UnknownBlock("unknown block"))?;
            return Ok((height, height));
        }
        FilterBlockOption::Range { from_block, to_block } => (from_block, to_block),
    };
    let height = |block: Option<BlockNumberOrTag>| match block.unwrap_or_default() {
        // Compared before it is known to exist: a reversed range is told apart from one in the future.
        BlockNumberOrTag::Number(height) => height,
        tag => view.height_of(tag).unwrap_or(view.head().height),
    };
    let (from, to) = (height(from), height(to));
    if from > to {
        return Err(invalid("invalid block range params"));
    }
    if to > view.head().height {
        return Err(invalid("block range extends beyond current head block"));
    }
    if to - from >= MAX_LOG_RANGE_BLOCKS {
        return Err(RpcError::LimitExceeded(format!("query exceeds max block range {MAX_LOG_RANGE_BLOCKS}")));
    }
    Ok((from, to))
}

/// The logs that were found so far.
struct Found<'a> {
    view: &'a ChainView,
    filter: &'a Filter,
    query: &'a LogQuery,
    logs: Vec<Log>,
}

impl Found<'_> {
    /// Looks at every block of the range: the filter has nothing that an index could find.
    fn scan(&mut self) -> Result<(), RpcError> {
        for height in self.query.from_block..=self.query.to_block {
            let (context, _) = self.view.block(height)?;
            if context.header.logs_bloom.is_zero() {
                continue;
            }
            for (index, record) in (0..).zip(self.view.receipts(height)?) {
                self.take(&context, index, &record)?;
            }
        }
        Ok(())
    }

    /// Looks at the receipts of `candidates`, which are in chain order.
    fn look_at(&mut self, candidates: &[(u64, u32)]) -> Result<(), RpcError> {
        let mut context = None;
        for &(height, index) in candidates {
            let block = match context.take() {
                Some(block) if wire::BlockContext::is_at(&block, height) => block,
                _ => self.view.block(height)?.0,
            };
            let record = self.view.receipt(height, index)?.ok_or(NodeError::Corrupt("receipt"))?;
            self.take(&block, index, &record)?;
            context = Some(block);
        }
        Ok(())
    }

    /// Takes the logs of one receipt that match.
    fn take(&mut self, block: &wire::BlockContext, index: u32, record: &ReceiptRecord) -> Result<(), RpcError> {
        let receipt = wire::decode_receipt(record)?;
        if !receipt.logs().iter().any(|log| self.filter.matches(log)) {
            return Ok(());
        }
        let transaction = self.view.transaction(block.number, index)?.ok_or(NodeError::Corrupt("transaction"))?;
        let placed = wire::logs(receipt, record, transaction.hash, index, block);
        self.logs.extend(placed.logs().iter().filter(|log| self.filter.matches(&log.inner)).cloned());
        if self.logs.len() > MAX_LOG_RESULTS {
            return Err(too_many());
        }
        Ok(())
    }
}

fn too_many() -> RpcError {
    RpcError::LimitExceeded(format!("query returned more than {MAX_LOG_RESULTS} results; ask for fewer blocks"))
}
