//! Blocks as they lie in the store: the bytes that Ethereum hashes, inside our own records.

use super::{
    error::{ChainError, Invalid},
    rules,
    sender::recover_sender,
};
use crate::{evm::Transaction, state::LatestState};
use alloy_consensus::{BlockBody, Header, ReceiptEnvelope, Sealable, Sealed, TxEnvelope};
use alloy_eips::{eip2718::Decodable2718, eip4895::Withdrawals};
use alloy_primitives::Address;
use alloy_rlp::{Decodable, Encodable, length_of_length};
use lucid_storage::{
    BlockRecord, BlockchainState, Blocks, Current, Direction, Reader, Receipts, TransactionRecord, Transactions,
};
use lucid_types::{CommittedBlock, CommittedTransaction};
use std::{num::NonZeroUsize, panic::resume_unwind, thread};

/// Most threads that recover the senders of one block: a Pi has four cores.
const MAX_RECOVERY_THREADS: usize = 4;

/// Fewest transactions that a thread is started for: their recovery takes ten times as long as its start.
const MIN_RECOVERIES_PER_THREAD: usize = 32;

/// An Ethereum block: header, transactions, no ommers, withdrawals.
pub type Block = alloy_consensus::Block<TxEnvelope>;

/// A block whose transactions' senders are known.
#[derive(Debug, Clone)]
pub struct RecoveredBlock {
    /// The header.
    pub header: Header,
    /// The transactions, each with its sender.
    pub transactions: Vec<Transaction>,
    /// What is minted.
    pub withdrawals: Withdrawals,
}

impl RecoveredBlock {
    /// Finds the sender of every transaction. Blob transactions and bad signatures are refused.
    pub fn recover(block: Block) -> Result<Self, Invalid> {
        let BlockBody { transactions, ommers, withdrawals } = block.body;
        rules::equal("ommers", ommers.len(), 0)?;
        let withdrawals = withdrawals.ok_or_else(|| Invalid::field("withdrawals", "absent", "a list"))?;
        let senders = senders(&transactions)?;
        let transactions = transactions.into_iter().zip(senders);
        let transactions = transactions.map(|(transaction, sender)| Transaction::new_unchecked(transaction, sender));
        Ok(Self { header: block.header, transactions: transactions.collect(), withdrawals })
    }

    /// Bytes of the block's RLP.
    pub fn size_bytes(&self) -> u64 {
        let list = |payload: usize| payload + length_of_length(payload);
        let transactions = self.transactions.iter().map(|transaction| transaction.inner().length()).sum();
        let payload = self.header.length() + list(transactions) + list(0) + self.withdrawals.length();
        list(payload) as u64
    }

    /// The block as it travels, without the senders.
    pub fn into_block(self) -> Block {
        let transactions = self.transactions.into_iter().map(Transaction::into_inner).collect();
        let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(self.withdrawals) };
        Block { header: self.header, body }
    }
}

/// Who signed each transaction, in their order; the error is that of the first bad one.
fn senders(transactions: &[TxEnvelope]) -> Result<Vec<Address>, Invalid> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = cores.min(MAX_RECOVERY_THREADS).min(transactions.len() / MIN_RECOVERIES_PER_THREAD);
    if threads < 2 {
        return transactions.iter().map(sender).collect();
    }
    let share = transactions.len().div_ceil(threads);
    thread::scope(|scope| {
        let recover = |part: &'_ [TxEnvelope]| part.iter().map(sender).collect::<Result<Vec<_>, _>>();
        let workers: Vec<_> = transactions.chunks(share).map(|part| scope.spawn(move || recover(part))).collect();
        let mut all = Vec::with_capacity(transactions.len());
        for worker in workers {
            all.append(&mut worker.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(all)
    })
}

fn sender(transaction: &TxEnvelope) -> Result<Address, Invalid> {
    if transaction.is_eip4844() {
        return Err(Invalid::Blobs(*transaction.tx_hash()));
    }
    recover_sender(transaction).ok_or_else(|| Invalid::Signature(*transaction.tx_hash()))
}

/// Decodes a header record; `None` where it is damaged.
pub fn decode_header(record: &BlockRecord) -> Option<Sealed<Header>> {
    let header = Header::decode(&mut record.header.as_slice()).ok()?;
    Some(header.seal_unchecked(record.hash))
}

/// Decodes the EIP-2718 bytes of a transaction record; `None` where they are damaged.
pub fn decode_transaction(raw: &[u8]) -> Option<TxEnvelope> {
    TxEnvelope::decode_2718_exact(raw).ok()
}

/// The header at a height.
pub fn read_header(reader: &impl Reader, height: u64) -> Result<Option<Sealed<Header>>, ChainError> {
    let Some(record) = reader.get::<Blocks>(&height)? else { return Ok(None) };
    decode_header(&record).map(Some).ok_or(ChainError::Damaged { height, part: "header" })
}

/// Holds the root of the state that `reader` has against the block that it is the state after, which is what the next block
/// is run on. The state's own checks go from node to node, and this is where they begin.
pub(super) fn check_state(reader: &impl Reader, head: &Sealed<Header>) -> Result<(), ChainError> {
    if LatestState::new(reader).root()? == head.state_root {
        Ok(())
    } else {
        Err(ChainError::Damaged { height: head.number, part: "state" })
    }
}

/// The header of the last block.
pub fn read_head(reader: &impl Reader) -> Result<Sealed<Header>, ChainError> {
    let head = reader.get::<BlockchainState>(&Current)?.ok_or(ChainError::NoChain)?;
    read_header(reader, head.height)?.ok_or(ChainError::Damaged { height: head.height, part: "header" })
}

/// A whole block.
pub fn read_block(reader: &impl Reader, height: u64) -> Result<Option<Block>, ChainError> {
    let Some(record) = reader.get::<Blocks>(&height)? else { return Ok(None) };
    let damaged = |part| ChainError::Damaged { height, part };
    let header = decode_header(&record).ok_or(damaged("header"))?;
    let withdrawals = Withdrawals::decode(&mut record.withdrawals.as_slice()).map_err(|_| damaged("withdrawals"))?;
    let mut transactions = Vec::new();
    for row in reader.range_prefix::<Transactions>(&height, Direction::Forward)? {
        let (_, record) = row?;
        transactions.push(decode_transaction(&record.raw).ok_or(damaged("transaction"))?);
    }
    let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(withdrawals) };
    Ok(Some(Block { header: header.into_inner(), body }))
}

/// A block as listeners were told of it.
pub fn read_committed(reader: &impl Reader, height: u64) -> Result<Option<CommittedBlock>, ChainError> {
    let Some(header) = read_header(reader, height)? else { return Ok(None) };
    let damaged = |part| ChainError::Damaged { height, part };
    let mut receipts = reader.range_prefix::<Receipts>(&height, Direction::Forward)?;
    let mut transactions = Vec::new();
    for row in reader.range_prefix::<Transactions>(&height, Direction::Forward)? {
        let (_, TransactionRecord { hash, sender, nonce, .. }) = row?;
        let (_, receipt) = receipts.next().ok_or(damaged("receipt"))??;
        let gas_used = receipt.gas_used;
        let receipt = ReceiptEnvelope::decode_2718_exact(&receipt.raw).map_err(|_| damaged("receipt"))?;
        let (success, logs) = (receipt.status(), receipt.logs().to_vec());
        transactions.push(CommittedTransaction { hash, sender, nonce, gas_used, success, logs });
    }
    let (header, hash) = header.into_parts();
    Ok(Some(CommittedBlock { hash, header, transactions }))
}
