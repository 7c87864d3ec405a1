//! Blocks, transactions and receipts out of one snapshot of the store. Every answer reads one snapshot only, so
//! that its parts belong together.

use crate::{
    api::{NodeApi, NodeError},
    error::RpcError,
    wire::BlockContext,
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::B256;
use lucid_storage::{
    BlockRecord, BlockchainState, BlockchainStateRecord, Blocks, BlocksByHash, Collection, Current, Direction, Index,
    Reader, ReceiptRecord, Receipts, Snapshot, StoreError, TransactionKey, TransactionRecord, Transactions,
    TransactionsByHash,
};

/// The chain as one snapshot of the store has it.
pub(crate) struct ChainView {
    snapshot: Snapshot,
    head: BlockchainStateRecord,
}

impl ChainView {
    /// Takes a snapshot.
    pub(crate) fn open(api: &impl NodeApi) -> Result<Self, RpcError> {
        let snapshot = api.snapshot()?;
        let head = stored(snapshot.get::<BlockchainState>(&Current))?;
        Ok(Self { head: head.ok_or(NodeError::Corrupt("head of the chain"))?, snapshot })
    }

    /// What it is a view of.
    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The last block.
    pub(crate) const fn head(&self) -> &BlockchainStateRecord {
        &self.head
    }

    /// Height that a number or tag stands for; `None` where there is no such block yet.
    pub(crate) fn height_of(&self, block: BlockNumberOrTag) -> Option<u64> {
        match block {
            BlockNumberOrTag::Number(height) => (height <= self.head.height).then_some(height),
            BlockNumberOrTag::Earliest => Some(0),
            // A decided block is final, and no block is shown before it is decided.
            BlockNumberOrTag::Latest
            | BlockNumberOrTag::Safe
            | BlockNumberOrTag::Finalized
            | BlockNumberOrTag::Pending => Some(self.head.height),
        }
    }

    /// Height of the block with this hash.
    pub(crate) fn height_of_hash(&self, hash: B256) -> Result<Option<u64>, RpcError> {
        self.first_key::<BlocksByHash>(&hash)
    }

    /// Height of the block whose state is asked for; an error where there is none.
    pub(crate) fn state_height(&self, block: Option<BlockId>) -> Result<u64, RpcError> {
        match block.unwrap_or_default() {
            BlockId::Number(block) => self.height_of(block).ok_or(RpcError::UnknownBlock("header not found")),
            BlockId::Hash(hash) => {
                let height = self.height_of_hash(hash.block_hash)?;
                height.ok_or(RpcError::UnknownBlock("header for hash not found"))
            }
        }
    }

    /// Height of the block that is named; `None` where there is none.
    pub(crate) fn height_of_id(&self, block: BlockId) -> Result<Option<u64>, RpcError> {
        match block {
            BlockId::Number(block) => Ok(self.height_of(block)),
            BlockId::Hash(hash) => self.height_of_hash(hash.block_hash),
        }
    }

    /// The block at a height at or below the head.
    pub(crate) fn block(&self, height: u64) -> Result<(BlockContext, BlockRecord), RpcError> {
        let record = stored(self.snapshot.get::<Blocks>(&height))?.ok_or(NodeError::Corrupt("block"))?;
        Ok((BlockContext::new(height, &record)?, record))
    }

    /// Hash of the block at a height at or below the head.
    pub(crate) fn hash(&self, height: u64) -> Result<B256, RpcError> {
        Ok(stored(self.snapshot.get::<Blocks>(&height))?.ok_or(NodeError::Corrupt("block"))?.hash)
    }

    /// The transactions of a block, in order.
    pub(crate) fn transactions(&self, height: u64) -> Result<Vec<TransactionRecord>, RpcError> {
        self.of_block::<Transactions>(height)
    }

    /// The receipts of a block, in order.
    pub(crate) fn receipts(&self, height: u64) -> Result<Vec<ReceiptRecord>, RpcError> {
        self.of_block::<Receipts>(height)
    }

    /// One transaction by its place.
    pub(crate) fn transaction(&self, height: u64, index: u32) -> Result<Option<TransactionRecord>, RpcError> {
        Ok(stored(self.snapshot.get::<Transactions>(&TransactionKey { block: height, index }))?)
    }

    /// Block and index of the transaction with this hash.
    pub(crate) fn place_of(&self, hash: B256) -> Result<Option<(u64, u32)>, RpcError> {
        let key = self.first_key::<TransactionsByHash>(&hash)?;
        Ok(key.map(|key| (key.block, key.index)))
    }

    /// One receipt by the place of its transaction.
    pub(crate) fn receipt(&self, height: u64, index: u32) -> Result<Option<ReceiptRecord>, RpcError> {
        Ok(stored(self.snapshot.get::<Receipts>(&TransactionKey { block: height, index }))?)
    }

    /// The rows of one block, in order of their places.
    fn of_block<C: Collection<Key = TransactionKey>>(&self, height: u64) -> Result<Vec<C::Record>, RpcError> {
        let rows = stored(self.snapshot.range_prefix::<C>(&height, Direction::Forward))?;
        Ok(stored(rows.map(|row| Ok(row?.1)).collect())?)
    }

    /// Key of the one row that an index has under a hash.
    fn first_key<I: Index<Key = B256>>(
        &self,
        hash: &B256,
    ) -> Result<Option<<I::Collection as Collection>::Key>, RpcError> {
        let mut keys = stored(self.snapshot.keys_by_index::<I>(hash, Direction::Forward))?;
        Ok(stored(keys.next().transpose())?.map(|(_, key)| key))
    }
}

/// A fault of the store is the node's.
pub(crate) fn stored<T>(result: Result<T, StoreError>) -> Result<T, NodeError> {
    result.map_err(NodeError::Store)
}
