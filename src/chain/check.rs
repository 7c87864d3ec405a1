//! Holds the stored blocks against each other: hashes, parents, and the roots that headers commit to.

use super::{
    block::{decode_header, decode_transaction},
    error::ChainError,
};
use alloy_consensus::{Header, Sealed, proofs::calculate_withdrawals_root};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{B256, U256, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::root::ordered_trie_root_encoded;
use lucid_storage::{
    BlockRecord, BlockchainState, Blocks, BlocksByHash, Current, Direction, Findings, Progress, Reader, Receipts,
    ReportProgress, Snapshot, TableId, Transactions,
};

/// Blocks between two reports of progress.
const PROGRESS_STEP_BLOCKS: u64 = 64;

/// Checks every block in `snapshot` from genesis, which has to have the hash `genesis`, to the head, and returns the head's
/// header. An error means that the rows could not be read on, or that there is no chain.
pub fn check(
    snapshot: &Snapshot,
    genesis: B256,
    findings: &mut Findings,
    progress: &mut ReportProgress<'_>,
) -> Result<Sealed<Header>, ChainError> {
    let state = snapshot.get::<BlockchainState>(&Current)?.ok_or(ChainError::NoChain)?;
    let (mut parent, mut sums) = (None::<Sealed<Header>>, Sums::default());
    for height in 0..=state.height {
        let missing = || ChainError::Damaged { height, part: "block" };
        let record = snapshot.get::<Blocks>(&height)?.ok_or_else(missing)?;
        let header = decode_header(&record).ok_or(ChainError::Damaged { height, part: "header" })?;
        let expected_hash = keccak256(&record.header);
        let mut wrong = |what: &str| findings.add(TableId::Blocks, &height.to_be_bytes(), what);
        if record.hash != expected_hash || height == 0 && record.hash != genesis {
            wrong("its hash is not that of its header, or it is not the genesis block of this chain");
        }
        if header.number != height || parent.as_ref().is_some_and(|parent| header.parent_hash != parent.hash()) {
            wrong("it does not follow the block before it");
        }
        if (record.timestamp, record.validator) != (header.timestamp, header.beneficiary) {
            wrong("time or leader is not that of its header");
        }
        check_body(snapshot, height, &record, &header, &mut sums, findings)?;
        parent = Some(header);
        let done = height + 1;
        if done % PROGRESS_STEP_BLOCKS == 0 || height == state.height {
            progress(Progress { done, total: state.height + 1 })?;
        }
    }
    let head = parent.ok_or(ChainError::NoChain)?;
    if (state.hash, state.state_root, state.timestamp) != (head.hash(), head.state_root, head.timestamp) {
        findings.add(TableId::BlockchainState, &[], "is not of the last block");
    }
    if (state.transaction_count, state.withdrawal_count, state.minted)
        != (sums.transactions, sums.withdrawals, sums.minted)
    {
        findings.add(TableId::BlockchainState, &[], "its sums are not those of the blocks");
    }
    if snapshot.len(TableId::Blocks)? != state.height + 1 {
        findings.add(TableId::Blocks, &[], "there are blocks above the head");
    }
    for (table, name) in [(TableId::Transactions, "transactions"), (TableId::Receipts, "receipts")] {
        if snapshot.len(table)? != sums.transactions {
            findings.add(table, &[], format!("there are {name} of no block"));
        }
    }
    Ok(head)
}

/// What the chain's blocks have in all.
#[derive(Default)]
struct Sums {
    transactions: u64,
    withdrawals: u64,
    minted: U256,
}

fn check_body(
    snapshot: &Snapshot,
    height: u64,
    record: &BlockRecord,
    header: &Header,
    sums: &mut Sums,
    findings: &mut Findings,
) -> Result<(), ChainError> {
    let mut raw = Vec::new();
    for row in snapshot.range_prefix::<Transactions>(&height, Direction::Forward)? {
        let (key, transaction) = row?;
        let decoded = decode_transaction(&transaction.raw);
        if decoded.is_none_or(|decoded| *decoded.tx_hash() != transaction.hash) {
            let key = [key.block.to_be_bytes().as_slice(), &key.index.to_be_bytes()].concat();
            findings.add(TableId::Transactions, &key, "is no transaction of this hash");
        }
        raw.push(transaction.raw);
    }
    let mut receipts = Vec::new();
    for row in snapshot.range_prefix::<Receipts>(&height, Direction::Forward)? {
        receipts.push(row?.1.raw);
    }
    let mut wrong = |table, what: &str| findings.add(table, &height.to_be_bytes(), what);
    if raw.len() as u64 != u64::from(record.transaction_count)
        || ordered_trie_root_encoded(&raw) != header.transactions_root
    {
        wrong(TableId::Transactions, "the transactions are not those of the header");
    }
    if ordered_trie_root_encoded(&receipts) != header.receipts_root {
        wrong(TableId::Receipts, "the receipts are not those of the header");
    }
    match Withdrawals::decode(&mut record.withdrawals.as_slice()) {
        Ok(withdrawals) if Some(calculate_withdrawals_root(&withdrawals)) == header.withdrawals_root => {
            sums.withdrawals += withdrawals.len() as u64;
            sums.minted = withdrawals.iter().fold(sums.minted, |sum, minted| sum.saturating_add(minted.amount_wei()));
        }
        _ => wrong(TableId::Blocks, "the withdrawals are not those of the header"),
    }
    sums.transactions += raw.len() as u64;
    let by_hash = snapshot.first_by_index::<BlocksByHash>(&record.hash)?;
    if by_hash.is_none_or(|(found, _)| found != height) {
        wrong(TableId::Blocks, "its hash does not lead to it");
    }
    Ok(())
}
