//! The check of all blocks finds what is damaged, and nothing in what blocks leave.

use super::*;
use lucid_storage::{
    Batch, BlockchainState, Blocks, BlocksByHash, Current, Findings, Index, Reader, ReceiptRecord, Receipts,
    TransactionKey, TransactionRecord, Transactions,
};

/// What the check of a chain of five blocks tells after `damage`.
fn told(damage: impl FnOnce(&mut Batch)) -> String {
    let (mut chain, _, _) = chain_with_contracts();
    for nonce in 0..4 {
        chain.advance(vec![Tx::default().nonce(nonce).sign(2), Tx::default().nonce(nonce).sign(3)]);
    }
    let store = &chain.store;
    let mut batch = store.begin().unwrap();
    damage(&mut batch);
    store.commit(batch).unwrap();
    let mut findings = Findings::default();
    let mut last = None;
    let genesis = store.meta().genesis_hash;
    let head = check(&store.snapshot().unwrap(), genesis, &mut findings, &mut |progress| {
        last = Some(progress);
        Ok(())
    });
    if let Ok(head) = head {
        assert_eq!(head.number, 5);
        assert!(last.is_some_and(|last| last.done == last.total && last.total == 6));
        findings.listed.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    } else {
        head.unwrap_err().to_string()
    }
}

#[test]
fn damage_of_each_kind_is_found_and_named() {
    assert_eq!(told(|_| {}), "");
    let key = TransactionKey { block: 3, index: 1 };
    let put_block = |change: fn(&mut lucid_storage::BlockRecord)| {
        told(|batch| {
            let mut record = batch.get::<Blocks>(&2).unwrap().unwrap();
            change(&mut record);
            batch.put::<Blocks>(&2, &record).unwrap();
        })
    };
    let text = put_block(|record| record.timestamp += 1);
    assert!(text.contains("blocks, key 0000000000000002: time or leader"), "{text}");
    let text = put_block(|record| record.hash = B256::repeat_byte(1));
    assert!(
        text.contains("its hash is not that of its header")
            && text.contains("key 0000000000000003: it does not follow"),
        "{text}"
    );
    let text = put_block(|record| record.header.truncate(9));
    assert!(text.contains("header"), "{text}");
    let text = put_block(|record| record.withdrawals = vec![0x80]);
    assert!(text.contains("the withdrawals are not those of the header"), "{text}");
    let text = told(|batch| {
        let record = batch.get::<Transactions>(&key).unwrap().unwrap();
        batch.put::<Transactions>(&key, &TransactionRecord { hash: B256::repeat_byte(1), ..record }).unwrap();
    });
    assert!(text.contains("transactions, key 000000000000000300000001: is no transaction of this hash"), "{text}");
    let text = told(|batch| assert!(batch.remove::<Transactions>(&key).unwrap()));
    assert!(text.contains("the transactions are not those of the header") && text.contains("sums"), "{text}");
    let text = told(|batch| {
        let record = batch.get::<Receipts>(&key).unwrap().unwrap();
        let mut raw = record.raw.clone();
        raw[20] ^= 1;
        batch.put::<Receipts>(&key, &ReceiptRecord { raw, ..record }).unwrap();
    });
    assert!(text.contains("receipts, key 0000000000000003: the receipts"), "{text}");
    let text = told(|batch| {
        let record = batch.get::<Receipts>(&key).unwrap().unwrap();
        batch.put::<Receipts>(&TransactionKey { block: 9, index: 0 }, &record).unwrap();
    });
    assert!(text.contains("receipts: there are receipts of no block"), "{text}");
    let text = told(|batch| {
        let mut state = batch.get::<BlockchainState>(&Current).unwrap().unwrap();
        state.minted = U256::from(1);
        state.state_root = B256::ZERO;
        batch.put::<BlockchainState>(&Current, &state).unwrap();
    });
    assert!(text.contains("is not of the last block") && text.contains("its sums are not"), "{text}");
    let text = told(|batch| {
        let entry = batch.raw_prefix(BlocksByHash::TABLE, &[], lucid_storage::Direction::Forward).unwrap();
        let (entry, _) = entry.last().unwrap().unwrap();
        batch.raw_remove(BlocksByHash::TABLE, entry);
    });
    assert!(text.contains("its hash does not lead to it"), "{text}");
    let text = told(|batch| assert!(batch.remove::<Blocks>(&2).unwrap()));
    assert!(text.contains("block") && text.contains('2'), "{text}");
}
