//! Building and importing agree over random transactions, and what is stored is what was agreed on.

use super::*;
use crate::testing::{ACCOUNTS, Form, authorize};
use alloy_consensus::{
    ReceiptEnvelope, Transaction as _, proofs,
    transaction::{SignerRecoverable, TxHashRef},
};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{Log, TxKind};
use alloy_rlp::Decodable;
use alloy_trie::{Nibbles, proof::verify_proof};
use lucid_storage::{
    BlockchainState, Blocks, BlocksByHash, Current, Direction, Reader, Receipts, Snapshot, TransactionKey,
    Transactions, TransactionsByHash, TransactionsBySender,
};
use proptest::prelude::*;
use std::ops::{Bound, RangeInclusive};

/// What one transaction does.
#[derive(Debug, Clone)]
enum Act {
    Transfer(u8, u64),
    Legacy(u8),
    Log(u8, u8),
    Store(u8, u8),
    Create,
    /// A contract that destroys itself while it is created.
    Vanish,
    /// Creation code that reverts.
    Revert,
    Delegate(u8),
    Nothing,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..=ACCOUNTS + 2, 0..1_000u64).prop_map(|(to, value)| Act::Transfer(to, value)),
        (1..=ACCOUNTS + 2).prop_map(Act::Legacy),
        (0..4u8, 0..4u8).prop_map(|(a, b)| Act::Log(a, b)),
        (0..4u8, 0..3u8).prop_map(|(slot, value)| Act::Store(slot, value)),
        Just(Act::Create),
        Just(Act::Vanish),
        Just(Act::Revert),
        (1..=ACCOUNTS).prop_map(Act::Delegate),
        Just(Act::Nothing),
    ]
}

/// Blocks of acts, each with its signer.
fn blocks() -> impl Strategy<Value = Vec<Vec<(u8, Act)>>> {
    prop::collection::vec(prop::collection::vec((2..7u8, act()), 0..12), 1..4)
}

/// The transaction of an act; the nonces are those of the accounts after the candidates so far.
fn transaction(
    act: &Act,
    signer: u8,
    nonces: &mut [u64; 256],
    log: Address,
    store: Address,
) -> crate::evm::Transaction {
    let tx = match *act {
        Act::Transfer(to, value) => Tx { to: TxKind::Call(account(to)), value: U256::from(value), ..Tx::default() },
        Act::Legacy(to) => Tx { form: Form::Legacy, to: TxKind::Call(account(to)), ..Tx::default() },
        Act::Log(a, b) => Tx::call(log, words(a.into(), b.into())),
        Act::Store(slot, value) => Tx::call(store, words(slot.into(), value.into())),
        Act::Create => Tx::create(STORE),
        Act::Vanish => {
            let code = [&[0x73], account(1).as_slice(), &[0xff]].concat();
            Tx { to: TxKind::Create, value: U256::from(3), ..Tx::call(log, code) }
        }
        Act::Revert => Tx { to: TxKind::Create, ..Tx::call(log, vec![0x5f, 0x5f, 0xfd]) },
        Act::Delegate(to) => {
            let own = u64::from(to == signer);
            let authorization = authorize(to, nonces[usize::from(to)] + own, store);
            Tx { form: Form::SetCode(vec![authorization]), ..Tx::call(account(to), words(9, 9)) }
        }
        Act::Nothing => Tx { value: U256::ZERO, to: TxKind::Call(Address::repeat_byte(0xdd)), ..Tx::default() },
    };
    let nonce = nonces[usize::from(signer)];
    nonces[usize::from(signer)] += 1;
    if let Act::Delegate(to) = act {
        nonces[usize::from(*to)] += 1;
    }
    // A transfer to an account that has code by now needs more.
    let gas_limit = tx.gas_limit.max(200_000);
    Tx { gas_limit, ..tx.nonce(nonce) }.sign(signer)
}

/// What the store says of a block, against the block.
fn check_records(snapshot: &Snapshot, block: &RecoveredBlock, imported: &Imported) {
    let height = block.header.number;
    let record = snapshot.get::<Blocks>(&height).unwrap().unwrap();
    let stored = read_block(snapshot, height).unwrap().unwrap();
    let bytes = alloy_rlp::encode(&stored);
    assert_eq!(bytes, alloy_rlp::encode(block.clone().into_block()));
    assert_eq!((record.hash, record.size_bytes), (stored.header.hash_slow(), bytes.len() as u64));
    assert_eq!(imported.header.hash(), record.hash);
    assert_eq!(snapshot.first_by_index::<BlocksByHash>(&record.hash).unwrap().unwrap().0, height);
    assert_eq!(proofs::calculate_transaction_root(&stored.body.transactions), block.header.transactions_root);
    assert_eq!(LatestState::new(snapshot).root().unwrap(), block.header.state_root);

    let (mut receipts, mut gas, mut logs) = (Vec::new(), 0, 0);
    for (index, transaction) in (0..).zip(&block.transactions) {
        let key = TransactionKey { block: height, index };
        let hash = *transaction.tx_hash();
        let record = snapshot.get::<Transactions>(&key).unwrap().unwrap();
        assert_eq!((record.hash, record.raw), (hash, transaction.encoded_2718()));
        assert_eq!(snapshot.first_by_index::<TransactionsByHash>(&hash).unwrap().unwrap().0, key);
        let sender = (transaction.signer(), transaction.nonce());
        assert_eq!(snapshot.first_by_index::<TransactionsBySender>(&sender).unwrap().unwrap().0, key);

        let record = snapshot.get::<Receipts>(&key).unwrap().unwrap();
        let receipt = ReceiptEnvelope::decode_2718_exact(&record.raw).unwrap();
        assert_eq!(receipt.tx_type(), transaction.tx_type());
        gas += record.gas_used;
        assert_eq!(receipt.cumulative_gas_used(), gas);
        assert_eq!(record.first_log_index, logs);
        logs += receipt.logs().len() as u64;
        let created = transaction.kind().is_create().then(|| transaction.signer().create(transaction.nonce()));
        assert_eq!(record.contract_address, created);
        let event = &imported.event.transactions[index as usize];
        assert_eq!((event.hash, event.gas_used, event.success), (hash, record.gas_used, receipt.status()));
        assert_eq!(event.logs, receipt.logs());
        receipts.push(receipt);
    }
    for (index, receipt) in (0..).zip(&receipts) {
        let path = receipt_path(snapshot, height, index).unwrap().unwrap();
        let key = Nibbles::unpack(alloy_rlp::encode(index));
        verify_proof(block.header.receipts_root, key, Some(receipt.encoded_2718()), &path).unwrap();
    }
    assert_eq!(receipt_path(snapshot, height, receipts.len() as u64).unwrap(), None);
    assert_eq!(gas, block.header.gas_used);
    assert_eq!(proofs::calculate_receipt_root(&receipts), block.header.receipts_root);
    assert_eq!(snapshot.range_prefix::<Receipts>(&height, Direction::Forward).unwrap().count(), receipts.len());
    let head = snapshot.get::<BlockchainState>(&Current).unwrap().unwrap();
    assert_eq!((head.height, head.hash, head.state_root), (height, record.hash, block.header.state_root));
    assert_eq!(
        head.transaction_count,
        snapshot.range::<Transactions>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap().count() as u64
    );
}

/// What the log index has to find, by reading every receipt.
fn naive(snapshot: &Snapshot, filter: &LogFilter) -> Vec<(u64, u32)> {
    let matches = |log: &Log| {
        (filter.addresses.is_empty() || filter.addresses.contains(&log.address))
            && filter.topics.iter().enumerate().all(|(place, any)| {
                any.is_empty() || log.data.topics().get(place).is_some_and(|topic| any.contains(topic))
            })
    };
    let rows = snapshot.range::<Receipts>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    rows.map(|row| row.unwrap())
        .filter(|(key, _)| filter.heights.contains(&key.block))
        .filter(|(_, record)| ReceiptEnvelope::decode_2718_exact(&record.raw).unwrap().logs().iter().any(matches))
        .map(|(key, _)| (key.block, key.index))
        .collect()
}

fn filters(log: Address) -> Vec<LogFilter> {
    let topic = |value: u64| B256::from(U256::from(value));
    let addresses = [vec![], vec![log], vec![Address::ZERO], vec![Address::ZERO, log]];
    let topics = [
        [vec![], vec![], vec![], vec![]],
        [vec![topic(1)], vec![], vec![], vec![]],
        [vec![topic(0), topic(2)], vec![topic(1), topic(3)], vec![], vec![]],
        [vec![], vec![topic(2)], vec![], vec![]],
        [vec![], vec![], vec![topic(0)], vec![]],
        [vec![topic(1)], vec![topic(1)], vec![], vec![]],
    ];
    let heights = [0..=u64::MAX, 2..=3, 3..=3, RangeInclusive::new(4, 3), 9..=u64::MAX];
    let mut filters = Vec::new();
    for addresses in addresses {
        for topics in topics.clone() {
            for heights in heights.clone() {
                filters.push(LogFilter { heights, addresses: addresses.clone(), topics: topics.clone() });
            }
        }
    }
    filters
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_built_is_valid_stored_and_found_again(blocks in blocks()) {
        let (mut chain, log, store) = chain_with_contracts();
        // A second node that knows only what travels.
        let (mut other, ..) = chain_with_contracts();
        let mut nonces = [0; 256];
        for acts in blocks {
            let state = chain.store.snapshot().unwrap();
            for signer in 1..=ACCOUNTS {
                let record = crate::state::StateReader::account(&LatestState::new(&state), account(signer)).unwrap();
                nonces[usize::from(signer)] = record.unwrap().nonce;
            }
            let candidates: Vec<_> =
                acts.iter().map(|(signer, act)| transaction(act, *signer, &mut nonces, log, store)).collect();
            let built = chain.build(candidates);
            prop_assert_eq!((built.block.transactions.len(), &built.rejected[..]), (acts.len(), &[][..]));
            let bytes = alloy_rlp::encode(built.block.clone().into_block());
            let imported = chain.commit(&built.block);
            check_records(&chain.store.snapshot().unwrap(), &built.block, &imported);

            let received = RecoveredBlock::recover(Block::decode(&mut bytes.as_slice()).unwrap()).unwrap();
            for (ours, theirs) in built.block.transactions.iter().zip(&received.transactions) {
                prop_assert_eq!(ours.signer(), theirs.inner().recover_signer().unwrap());
                prop_assert_eq!(ours.signer(), theirs.signer());
            }
            let theirs = other.commit(&received);
            prop_assert_eq!(theirs.event, imported.event);
            prop_assert_eq!(other.head.hash(), chain.head.hash());
        }
        let snapshot = chain.store.snapshot().unwrap();
        for filter in filters(log) {
            let all = naive(&snapshot, &filter);
            prop_assert_eq!(&find_logs(&snapshot, &filter, 1_000).unwrap(), &all, "{:?}", &filter);
            for most in [0, 1, 2] {
                let first = &all[..all.len().min(most)];
                prop_assert_eq!(&find_logs(&snapshot, &filter, most).unwrap(), first);
            }
        }
    }
}
