use crate::{error::RpcError, wire::FilterChanges};
use alloy_rpc_types_eth::{Filter, Log};
use jsonrpsee::proc_macros::rpc;

/// Filters: news for clients that ask again and again, as in the Ethereum execution API specification.
#[rpc(server, namespace = "eth")]
pub(crate) trait EthFilters {
    /// A filter of logs; the answer is its id.
    #[method(name = "newFilter")]
    async fn new_filter(&self, filter: Filter) -> Result<String, RpcError>;

    /// A filter of the hashes of new blocks.
    #[method(name = "newBlockFilter")]
    async fn new_block_filter(&self) -> Result<String, RpcError>;

    /// A filter of the hashes of transactions that come into the pool.
    #[method(name = "newPendingTransactionFilter")]
    async fn new_pending_transaction_filter(&self) -> Result<String, RpcError>;

    /// What has come since the filter was made, or last asked.
    #[method(name = "getFilterChanges")]
    async fn get_filter_changes(&self, id: String) -> Result<FilterChanges, RpcError>;

    /// Every log that matches a filter of logs.
    #[method(name = "getFilterLogs")]
    async fn get_filter_logs(&self, id: String) -> Result<Vec<Log>, RpcError>;

    /// Forgets a filter; false where there is none.
    #[method(name = "uninstallFilter")]
    async fn uninstall_filter(&self, id: String) -> Result<bool, RpcError>;
}
