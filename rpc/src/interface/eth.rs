use crate::{error::RpcError, wire::StorageKey};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{
    Block, EIP1186AccountProofResponse, FeeHistory, Filter, Index, Log, SyncStatus, Transaction, TransactionReceipt,
    TransactionRequest, state::StateOverride,
};
use jsonrpsee::proc_macros::rpc;

/// The `eth_` methods, as in the Ethereum execution API specification. A decided block is final, so `latest`,
/// `safe` and `finalized` are one block, and `pending` differs from them only for `eth_getTransactionCount`.
#[rpc(server, namespace = "eth")]
pub(crate) trait Eth {
    /// EIP-155 chain id.
    #[method(name = "chainId")]
    fn chain_id(&self) -> Result<U64, RpcError>;

    /// False, or how far the node has come.
    #[method(name = "syncing")]
    fn syncing(&self) -> Result<SyncStatus, RpcError>;

    /// The well-known accounts of a development chain; on others none. No method signs with their keys.
    #[method(name = "accounts")]
    fn accounts(&self) -> Result<Vec<Address>, RpcError>;

    /// Height of the last block.
    #[method(name = "blockNumber")]
    async fn block_number(&self) -> Result<U64, RpcError>;

    /// Base fee of the next block and a tip, in wei per gas.
    #[method(name = "gasPrice")]
    fn gas_price(&self) -> Result<U256, RpcError>;

    /// A tip that gets a transaction into the next block, in wei per gas.
    #[method(name = "maxPriorityFeePerGas")]
    fn max_priority_fee_per_gas(&self) -> Result<U256, RpcError>;

    /// Base fees, use of gas and tips of up to 1024 blocks.
    #[method(name = "feeHistory")]
    async fn fee_history(
        &self,
        block_count: U64,
        newest_block: BlockNumberOrTag,
        reward_percentiles: Option<Vec<f64>>,
    ) -> Result<FeeHistory, RpcError>;

    /// Balance, in wei.
    #[method(name = "getBalance")]
    async fn get_balance(&self, address: Address, block: Option<BlockId>) -> Result<U256, RpcError>;

    /// Nonce; at `pending`, after the transactions that wait.
    #[method(name = "getTransactionCount")]
    async fn get_transaction_count(&self, address: Address, block: Option<BlockId>) -> Result<U64, RpcError>;

    /// Code of an account.
    #[method(name = "getCode")]
    async fn get_code(&self, address: Address, block: Option<BlockId>) -> Result<Bytes, RpcError>;

    /// One storage slot.
    #[method(name = "getStorageAt")]
    async fn get_storage_at(&self, address: Address, slot: U256, block: Option<BlockId>) -> Result<B256, RpcError>;

    /// An account and some of its slots with what proves them against a block's state root (EIP-1186).
    #[method(name = "getProof")]
    async fn get_proof(
        &self,
        address: Address,
        slots: Vec<StorageKey>,
        block: Option<BlockId>,
    ) -> Result<EIP1186AccountProofResponse, RpcError>;

    /// Executes without a trace on the chain.
    #[method(name = "call")]
    async fn call(
        &self,
        transaction: TransactionRequest,
        block: Option<BlockId>,
        overrides: Option<StateOverride>,
    ) -> Result<Bytes, RpcError>;

    /// The least gas limit with which a transaction succeeds.
    #[method(name = "estimateGas")]
    async fn estimate_gas(
        &self,
        transaction: TransactionRequest,
        block: Option<BlockId>,
        overrides: Option<StateOverride>,
    ) -> Result<U64, RpcError>;

    /// Puts a signed transaction into the pool.
    #[method(name = "sendRawTransaction")]
    async fn send_raw_transaction(&self, raw: Bytes) -> Result<B256, RpcError>;

    /// A block with its transactions or their hashes; null where there is none.
    #[method(name = "getBlockByNumber")]
    async fn get_block_by_number(&self, block: BlockNumberOrTag, full: Option<bool>)
    -> Result<Option<Block>, RpcError>;

    /// A block with its transactions or their hashes; null where there is none.
    #[method(name = "getBlockByHash")]
    async fn get_block_by_hash(&self, hash: B256, full: Option<bool>) -> Result<Option<Block>, RpcError>;

    /// Number of transactions in a block; null where there is none.
    #[method(name = "getBlockTransactionCountByNumber")]
    async fn get_block_transaction_count_by_number(&self, block: BlockNumberOrTag) -> Result<Option<U64>, RpcError>;

    /// Number of transactions in a block; null where there is none.
    #[method(name = "getBlockTransactionCountByHash")]
    async fn get_block_transaction_count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError>;

    /// A transaction by its place.
    #[method(name = "getTransactionByBlockNumberAndIndex")]
    async fn get_transaction_by_block_number_and_index(
        &self,
        block: BlockNumberOrTag,
        index: Index,
    ) -> Result<Option<Transaction>, RpcError>;

    /// A transaction by its place.
    #[method(name = "getTransactionByBlockHashAndIndex")]
    async fn get_transaction_by_block_hash_and_index(
        &self,
        hash: B256,
        index: Index,
    ) -> Result<Option<Transaction>, RpcError>;

    /// A transaction in a block or in the pool.
    #[method(name = "getTransactionByHash")]
    async fn get_transaction_by_hash(&self, hash: B256) -> Result<Option<Transaction>, RpcError>;

    /// The receipt of a transaction in a block.
    #[method(name = "getTransactionReceipt")]
    async fn get_transaction_receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, RpcError>;

    /// The receipts of a block, in order; null where there is no such block.
    #[method(name = "getBlockReceipts")]
    async fn get_block_receipts(&self, block: BlockId) -> Result<Option<Vec<TransactionReceipt>>, RpcError>;

    /// Logs that match a filter, in chain order.
    #[method(name = "getLogs")]
    async fn get_logs(&self, filter: Filter) -> Result<Vec<Log>, RpcError>;
}
