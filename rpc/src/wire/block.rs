use crate::api::NodeError;
use alloy_consensus::{BlockHeader, Header, Sealed};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{B256, U256};
use alloy_rlp::Decodable;
use alloy_rpc_types_eth::{Block, BlockTransactions, Header as RpcHeader, Transaction};
use lucid_storage::BlockRecord;

/// What a block says of each of its transactions, receipts and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockContext {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) header: Header,
}

impl BlockContext {
    /// Reads the header out of the stored block.
    pub(crate) fn new(number: u64, record: &BlockRecord) -> Result<Self, NodeError> {
        let header = Header::decode(&mut &record.header[..]).map_err(|_| NodeError::Corrupt("header"))?;
        Ok(Self { number, hash: record.hash, header })
    }

    pub(crate) const fn is_at(&self, height: u64) -> bool {
        self.number == height
    }

    pub(crate) fn timestamp(&self) -> u64 {
        self.header.timestamp()
    }

    pub(crate) fn base_fee(&self) -> Option<u64> {
        self.header.base_fee_per_gas()
    }
}

/// The block as `eth_getBlockBy…` answers it.
pub(crate) fn block(
    context: BlockContext,
    record: &BlockRecord,
    transactions: BlockTransactions<Transaction>,
) -> Result<Block, NodeError> {
    let withdrawals = match context.header.withdrawals_root {
        Some(_) => Some(
            Withdrawals::decode(&mut &record.withdrawals[..]).map_err(|_| NodeError::Corrupt("list of withdrawals"))?,
        ),
        None => None,
    };
    let sealed = Sealed::new_unchecked(context.header, context.hash);
    let header = RpcHeader::from_consensus(sealed, None, Some(U256::from(record.size_bytes)));
    Ok(Block { header, uncles: Vec::new(), transactions, withdrawals })
}
