//! Takes a block: runs it anew and accepts it only if its header follows from its parent and its content.

use super::{
    block::{RecoveredBlock, check_state},
    error::{ChainError, Invalid},
    logs, rules,
};
use crate::{
    evm::{self, BlockContext, Executed, Mint, World},
    state::{self, LatestState},
};
use alloy_consensus::{Header, Sealable, Sealed, Transaction as _, proofs, transaction::TxHashRef};
use alloy_eips::{
    eip2718::Encodable2718,
    eip4895::{Withdrawal, Withdrawals},
};
use alloy_primitives::{Bloom, TxKind};
use lucid_storage::{
    Batch, BlockRecord, BlockchainState, BlockchainStateRecord, Blocks, Current, Reader, ReceiptRecord, Receipts,
    TransactionKey, TransactionRecord, Transactions,
};
use lucid_types::{ChainSpec, CommittedBlock, CommittedTransaction, Rules};

/// A block that was found valid and written into a batch that is still open.
#[derive(Debug)]
pub struct Imported {
    /// The header with its hash.
    pub header: Sealed<Header>,
    /// What listeners are told once the batch is committed.
    pub event: CommittedBlock,
}

/// Checks `block` as the child of `parent`, which must be the head, and writes it, its state and its indexes into `batch`.
/// `mint` says what it has to mint.
///
/// On an error the batch holds parts of the block and must be dropped.
pub fn import(
    batch: &mut Batch,
    spec: &ChainSpec,
    parent: &Sealed<Header>,
    block: &RecoveredBlock,
    mint: &dyn Mint,
) -> Result<Imported, ChainError> {
    let head = batch.get::<BlockchainState>(&Current)?.ok_or(ChainError::NoChain)?;
    if head.hash != parent.hash() {
        return Err(ChainError::NotOnHead { head: head.hash, parent: parent.hash() });
    }
    rules::check(spec, parent, &block.header)?;
    let size_bytes = check_body(spec, block)?;
    check_state(&*batch, parent)?;
    let executed = {
        let context = BlockContext { chain_id: spec.chain_id, header: &block.header, mint };
        let state = LatestState::new(&*batch);
        evm::execute(&context, &block.transactions, World::new(&state, &*batch))?
    };
    check_execution(block, &executed)?;
    let state_root = state::apply(batch, block.header.number, &executed.changes)?;
    rules::equal("stateRoot", block.header.state_root, state_root).map_err(ChainError::Invalid)?;

    let header = block.header.clone().seal_slow();
    write_block(batch, &header, block, size_bytes, head)?;
    let transactions = write_transactions(batch, &header, block, &executed)?;
    logs::write_index(batch, header.number, &executed.receipts);
    let event = CommittedBlock { hash: header.hash(), header: block.header.clone(), transactions };
    Ok(Imported { header, event })
}

/// Checks what a body must be before it is run; gives the block's size in bytes.
fn check_body(spec: &ChainSpec, block: &RecoveredBlock) -> Result<u64, Invalid> {
    let (header, found) = (&block.header, block.transactions.len() as u64);
    if found == 0 && spec.rules == Rules::Poot {
        return Err(Invalid::Empty);
    }
    if let Some(blobs) = block.transactions.iter().find(|transaction| transaction.is_eip4844()) {
        return Err(Invalid::Blobs(*blobs.tx_hash()));
    }
    let most = spec.parameters.block_transactions_max;
    if found > most {
        return Err(Invalid::TooManyTransactions { found, most });
    }
    let size_bytes = block.size_bytes();
    if size_bytes > spec.parameters.block_bytes_max {
        return Err(Invalid::TooLarge { found: size_bytes, most: spec.parameters.block_bytes_max });
    }
    let transactions_root = proofs::calculate_transaction_root(&block.transactions);
    rules::equal("transactionsRoot", header.transactions_root, transactions_root)?;
    let withdrawals_root = proofs::calculate_withdrawals_root(&block.withdrawals);
    rules::optional("withdrawalsRoot", header.withdrawals_root, Some(withdrawals_root))?;
    Ok(size_bytes)
}

/// Checks the fields that only running the block gives, but for the state root.
fn check_execution(block: &RecoveredBlock, executed: &Executed) -> Result<(), Invalid> {
    let header = &block.header;
    if block.withdrawals != executed.withdrawals {
        let [found, minted] = [&block.withdrawals, &executed.withdrawals].map(minted_text);
        return Err(Invalid::field("withdrawals", found, minted));
    }
    rules::equal("gasUsed", header.gas_used, executed.gas_used)?;
    let receipts_root = proofs::calculate_receipt_root(&executed.receipts);
    rules::equal("receiptsRoot", header.receipts_root, receipts_root)?;
    let bloom = executed.receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
    rules::equal("logsBloom", header.logs_bloom, bloom)?;
    rules::optional("requestsHash", header.requests_hash, Some(executed.requests.requests_hash()))
}

/// What withdrawals pay, for a person.
fn minted_text(withdrawals: &Withdrawals) -> String {
    let paid = withdrawals.iter().map(|paid| {
        let Withdrawal { index, validator_index, address, amount } = paid;
        format!("{amount} gwei to {address} (number {index}, validator {validator_index})")
    });
    format!("[{}]", paid.collect::<Vec<_>>().join(", "))
}

fn write_block(
    batch: &mut Batch,
    header: &Sealed<Header>,
    block: &RecoveredBlock,
    size_bytes: u64,
    before: BlockchainStateRecord,
) -> Result<(), ChainError> {
    let record = BlockRecord {
        hash: header.hash(),
        timestamp: header.timestamp,
        validator: header.beneficiary,
        size_bytes,
        transaction_count: block.transactions.len() as u32,
        header: alloy_rlp::encode(&block.header),
        withdrawals: alloy_rlp::encode(&block.withdrawals),
    };
    batch.append::<Blocks>(&header.number, &record)?;
    let head = BlockchainStateRecord {
        height: header.number,
        hash: header.hash(),
        state_root: header.state_root,
        timestamp: header.timestamp,
        minted: block.withdrawals.iter().fold(before.minted, |sum, paid| sum.saturating_add(paid.amount_wei())),
        withdrawal_count: before.withdrawal_count + block.withdrawals.len() as u64,
        transaction_count: before.transaction_count + block.transactions.len() as u64,
    };
    batch.put::<BlockchainState>(&Current, &head)?;
    Ok(())
}

fn write_transactions(
    batch: &mut Batch,
    header: &Header,
    block: &RecoveredBlock,
    executed: &Executed,
) -> Result<Vec<CommittedTransaction>, ChainError> {
    let mut committed = Vec::with_capacity(block.transactions.len());
    let (mut gas_before, mut logs_before) = (0, 0);
    for (index, (transaction, receipt)) in (0u32..).zip(block.transactions.iter().zip(&executed.receipts)) {
        let key = TransactionKey { block: header.number, index };
        let (hash, sender, nonce) = (*transaction.tx_hash(), transaction.signer(), transaction.nonce());
        batch.append::<Transactions>(
            &key,
            &TransactionRecord { hash, sender, nonce, raw: transaction.encoded_2718() },
        )?;
        let cumulative = receipt.cumulative_gas_used();
        let contract_address = (transaction.kind() == TxKind::Create).then(|| sender.create(nonce));
        let record = ReceiptRecord {
            raw: receipt.encoded_2718(),
            gas_used: cumulative - gas_before,
            first_log_index: logs_before,
            contract_address,
        };
        batch.append::<Receipts>(&key, &record)?;
        let gas_used = record.gas_used;
        gas_before = cumulative;
        logs_before += receipt.logs().len() as u64;
        let (success, logs) = (receipt.status(), receipt.logs().to_vec());
        committed.push(CommittedTransaction { hash, sender, nonce, gas_used, success, logs });
    }
    Ok(committed)
}
