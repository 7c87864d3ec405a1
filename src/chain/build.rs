//! Makes a new block on top of the head.

use super::{
    block::{RecoveredBlock, check_state},
    error::ChainError,
    rules,
};
use crate::{
    evm::{self, BlockContext, Limits, Mint, Rejected, Transaction, World},
    state::{self, LatestState},
};
use alloy_consensus::{Header, Sealed, proofs};
use alloy_primitives::{Address, B256, Bloom};
use lucid_storage::Batch;
use lucid_types::{ChainSpec, ExtraData};

/// What consensus gives a new block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockAttributes {
    /// Start of the slot that the block is made in, in Unix seconds.
    pub timestamp: u64,
    /// The leader.
    pub beneficiary: Address,
    /// The leader's VRF output, or the next link of a `dev` chain's hash chain.
    pub mix_hash: B256,
    /// Hash of the parent's certificate; zero in block 1.
    pub parent_certificate_hash: B256,
    /// Round, and the validator set for the next height.
    pub extra_data: ExtraData,
}

/// A new block, not yet imported.
#[derive(Debug)]
pub struct Built {
    /// The block.
    pub block: RecoveredBlock,
    /// Waiting transactions that no block can take as the state stands.
    pub rejected: Vec<Rejected>,
}

/// Room in the block's RLP for what is not a transaction: header, list headers, 100 withdrawals.
const BLOCK_OVERHEAD_BYTES: u64 = 8 * 1024;

/// Makes the block after `parent` from the best of `candidates`. `mint` says what it mints.
///
/// `scratch` is a batch over the head that takes the new state so that its root is known; it is never committed.
pub fn build(
    scratch: &mut Batch,
    spec: &ChainSpec,
    parent: &Sealed<Header>,
    attributes: &BlockAttributes,
    mint: &dyn Mint,
    candidates: impl IntoIterator<Item = Transaction>,
) -> Result<Built, ChainError> {
    let mut header = Header {
        timestamp: attributes.timestamp,
        beneficiary: attributes.beneficiary,
        mix_hash: attributes.mix_hash,
        parent_beacon_block_root: Some(attributes.parent_certificate_hash),
        extra_data: attributes.extra_data.encode(),
        ..rules::skeleton(spec, parent)
    };
    let limits = Limits {
        transactions: spec.parameters.block_transactions_max,
        bytes: spec.parameters.block_bytes_max.saturating_sub(BLOCK_OVERHEAD_BYTES),
    };
    let context = BlockContext { chain_id: spec.chain_id, header: &header, mint };
    check_state(&*scratch, parent)?;
    let filled = {
        let state = LatestState::new(&*scratch);
        evm::fill(&context, limits, candidates, World::new(&state, &*scratch))?
    };
    let executed = filled.executed;
    header.withdrawals_root = Some(proofs::calculate_withdrawals_root(&executed.withdrawals));
    header.state_root = state::apply(scratch, header.number, &executed.changes)?;
    header.transactions_root = proofs::calculate_transaction_root(&filled.transactions);
    header.receipts_root = proofs::calculate_receipt_root(&executed.receipts);
    header.logs_bloom = executed.receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
    header.gas_used = executed.gas_used;
    header.requests_hash = Some(executed.requests.requests_hash());

    let block = RecoveredBlock { header, transactions: filled.transactions, withdrawals: executed.withdrawals };
    Ok(Built { block, rejected: filled.rejected })
}
