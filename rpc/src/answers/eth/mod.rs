//! The `eth_` methods. This file says which answer belongs to which method; the answers are beside it.

mod blocks;
mod calls;
mod fees;
mod filters;
mod logs;
mod subscriptions;
mod transactions;

use crate::{
    api::NodeApi,
    backend::Backend,
    error::RpcError,
    interface::EthServer,
    limits::MAX_PROOF_SLOTS,
    view::ChainView,
    wire::{self, StorageKey},
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{
    Block, EIP1186AccountProofResponse, FeeHistory, Filter, Index, Log, SyncInfo, SyncStatus, Transaction,
    TransactionReceipt, TransactionRequest, state::StateOverride,
};
use jsonrpsee::core::async_trait;

#[async_trait]
impl<A: NodeApi> EthServer for Backend<A> {
    fn chain_id(&self) -> Result<U64, RpcError> {
        Ok(U64::from(self.api().chain_info().spec.chain_id))
    }

    fn syncing(&self) -> Result<SyncStatus, RpcError> {
        Ok(match self.api().sync_progress() {
            None => SyncStatus::None,
            Some(progress) => SyncStatus::Info(Box::new(SyncInfo {
                starting_block: U256::from(progress.starting_block),
                current_block: U256::from(progress.current_block),
                highest_block: U256::from(progress.highest_block),
                ..SyncInfo::default()
            })),
        })
    }

    fn accounts(&self) -> Result<Vec<Address>, RpcError> {
        Ok(self.api().dev_accounts())
    }

    async fn block_number(&self) -> Result<U64, RpcError> {
        self.read(|api| Ok(U64::from(ChainView::open(api)?.head().height))).await
    }

    fn gas_price(&self) -> Result<U256, RpcError> {
        Ok(U256::from(u128::from(self.api().next_base_fee()).saturating_add(self.api().suggested_tip())))
    }

    fn max_priority_fee_per_gas(&self) -> Result<U256, RpcError> {
        Ok(U256::from(self.api().suggested_tip()))
    }

    async fn fee_history(
        &self,
        block_count: U64,
        newest_block: BlockNumberOrTag,
        reward_percentiles: Option<Vec<f64>>,
    ) -> Result<FeeHistory, RpcError> {
        let percentiles = reward_percentiles.unwrap_or_default();
        self.read(move |api| fees::history(&ChainView::open(api)?, block_count.to(), newest_block, &percentiles)).await
    }

    async fn get_balance(&self, address: Address, block: Option<BlockId>) -> Result<U256, RpcError> {
        self.read(move |api| Ok(api.account(address, ChainView::open(api)?.state_height(block)?)?.balance)).await
    }

    async fn get_transaction_count(&self, address: Address, block: Option<BlockId>) -> Result<U64, RpcError> {
        let nonce = move |api: &A| match block {
            Some(block) if block.is_pending() => Ok(api.pending_nonce(address)?),
            _ => Ok(api.account(address, ChainView::open(api)?.state_height(block)?)?.nonce),
        };
        self.read(nonce).await.map(U64::from)
    }

    async fn get_code(&self, address: Address, block: Option<BlockId>) -> Result<Bytes, RpcError> {
        self.read(move |api| Ok(api.code(address, ChainView::open(api)?.state_height(block)?)?)).await
    }

    async fn get_storage_at(&self, address: Address, slot: U256, block: Option<BlockId>) -> Result<B256, RpcError> {
        self.read(move |api| Ok(api.storage(address, slot.into(), ChainView::open(api)?.state_height(block)?)?)).await
    }

    async fn get_proof(
        &self,
        address: Address,
        slots: Vec<StorageKey>,
        block: Option<BlockId>,
    ) -> Result<EIP1186AccountProofResponse, RpcError> {
        if slots.len() > MAX_PROOF_SLOTS {
            return Err(RpcError::LimitExceeded(format!("at most {MAX_PROOF_SLOTS} slots are proved at once")));
        }
        self.execute(move |api| {
            let view = ChainView::open(api)?;
            let keys: Vec<B256> = slots.iter().map(|key| key.slot()).collect();
            let proof = api.prove_account(view.snapshot(), address, &keys, view.state_height(block)?)?;
            Ok(wire::account_proof(address, &slots, proof))
        })
        .await
    }

    async fn call(
        &self,
        transaction: TransactionRequest,
        block: Option<BlockId>,
        overrides: Option<StateOverride>,
    ) -> Result<Bytes, RpcError> {
        self.execute(move |api| Ok(api.call(calls::request(api, transaction, block, overrides)?)?)).await
    }

    async fn estimate_gas(
        &self,
        transaction: TransactionRequest,
        block: Option<BlockId>,
        overrides: Option<StateOverride>,
    ) -> Result<U64, RpcError> {
        let estimate = move |api: &A| Ok(api.estimate_gas(calls::request(api, transaction, block, overrides)?)?);
        self.execute(estimate).await.map(U64::from)
    }

    async fn send_raw_transaction(&self, raw: Bytes) -> Result<B256, RpcError> {
        self.write(|api| async move { Ok(api.submit_transaction(raw).await?) }).await
    }

    async fn get_block_by_number(
        &self,
        block: BlockNumberOrTag,
        full: Option<bool>,
    ) -> Result<Option<Block>, RpcError> {
        self.read(move |api| {
            let view = ChainView::open(api)?;
            view.height_of(block).map(|height| blocks::block(&view, height, full.unwrap_or(false))).transpose()
        })
        .await
    }

    async fn get_block_by_hash(&self, hash: B256, full: Option<bool>) -> Result<Option<Block>, RpcError> {
        self.read(move |api| {
            let view = ChainView::open(api)?;
            let height = view.height_of_hash(hash)?;
            height.map(|height| blocks::block(&view, height, full.unwrap_or(false))).transpose()
        })
        .await
    }

    async fn get_block_transaction_count_by_number(&self, block: BlockNumberOrTag) -> Result<Option<U64>, RpcError> {
        self.read(move |api| {
            let view = ChainView::open(api)?;
            blocks::transaction_count(&view, view.height_of(block))
        })
        .await
    }

    async fn get_block_transaction_count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError> {
        self.read(move |api| {
            let view = ChainView::open(api)?;
            blocks::transaction_count(&view, view.height_of_hash(hash)?)
        })
        .await
    }

    async fn get_transaction_by_block_number_and_index(
        &self,
        block: BlockNumberOrTag,
        index: Index,
    ) -> Result<Option<Transaction>, RpcError> {
        self.read(move |api| {
            let view = ChainView::open(api)?;
            transactions::at(&view, view.height_of(block), index)
        })
        .await
    }

    async fn get_transaction_by_block_hash_and_index(
        &self,
        hash: B256,
        index: Index,
    ) -> Result<Option<Transaction>, RpcError> {
        self.read(move |api| {
            let view = ChainView::open(api)?;
            transactions::at(&view, view.height_of_hash(hash)?, index)
        })
        .await
    }

    async fn get_transaction_by_hash(&self, hash: B256) -> Result<Option<Transaction>, RpcError> {
        self.read(move |api| {
            // The pool first: a transaction that is mined in between is then found in the snapshot.
            let pending = api.pending_transaction(hash);
            Ok(transactions::by_hash(&ChainView::open(api)?, hash)?.or_else(|| pending.map(wire::pending)))
        })
        .await
    }

    async fn get_transaction_receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, RpcError> {
        self.read(move |api| transactions::receipt(&ChainView::open(api)?, hash)).await
    }

    async fn get_block_receipts(&self, block: BlockId) -> Result<Option<Vec<TransactionReceipt>>, RpcError> {
        self.read(move |api| {
            let view = ChainView::open(api)?;
            let height = match block {
                BlockId::Number(block) => view.height_of(block),
                BlockId::Hash(hash) => view.height_of_hash(hash.block_hash)?,
            };
            height.map(|height| transactions::receipts(&view, height)).transpose()
        })
        .await
    }

    async fn get_logs(&self, filter: Filter) -> Result<Vec<Log>, RpcError> {
        self.read(move |api| logs::logs(api, &ChainView::open(api)?, &filter)).await
    }
}
