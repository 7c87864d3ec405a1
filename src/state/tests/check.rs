//! The check of the whole state finds what is damaged, and nothing in what writes leave.

use super::*;
use lucid_storage::{AccountRecord, Accounts, Findings};

fn findings(store: &Store, root: B256) -> Vec<String> {
    let mut findings = Findings::default();
    let mut last = None;
    let checked = check(&store.snapshot().unwrap(), root, &mut findings, &mut |progress| {
        last = Some(progress);
        Ok(())
    });
    checked.unwrap();
    assert!(last.is_none_or(|last| last.done == last.total));
    findings.listed.iter().map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_blocks_leave_is_clean_and_another_root_is_not(blocks in blocks()) {
        let (store, _folder) = store();
        let mut batch = store.begin().unwrap();
        let mut root = EMPTY_ROOT_HASH;
        for (height, block) in (1..).zip(&blocks) {
            root = apply(&mut batch, height, &block.changes).unwrap();
        }
        store.commit(batch).unwrap();
        // The blocks of these tests name codes that nobody deployed.
        let told: Vec<_> = findings(&store, root).into_iter().filter(|told| !told.ends_with("code is not stored")).collect();
        prop_assert_eq!(told, [""; 0]);
        prop_assert!(!findings(&store, B256::repeat_byte(1)).is_empty());
    }
}

/// Damages one thing and returns what the check says of it.
fn damaged(damage: impl FnOnce(&mut Batch)) -> String {
    let (store, _folder) = store();
    let mut batch = store.begin().unwrap();
    let block: StateChanges = (0..40)
        .map(|n| {
            let code = Bytes::from(vec![n; 3]);
            let code_hash = keccak256(&code);
            let change = AccountChange {
                account: Some(Account { nonce: 1, balance: U256::from(n), code_hash }),
                code: Some(code),
                storage: (1..20).map(|slot| (U256::from(slot), U256::from(n) + U256::from(1))).collect(),
                ..Default::default()
            };
            (Address::repeat_byte(n), change)
        })
        .collect();
    let root = apply(&mut batch, 1, &block).unwrap();
    store.commit(batch).unwrap();
    let mut batch = store.begin().unwrap();
    damage(&mut batch);
    store.commit(batch).unwrap();
    findings(&store, root).join("\n")
}

fn first(batch: &Batch, table: TableId, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
    batch.raw_prefix(table, prefix, Direction::Forward).unwrap().next().unwrap().unwrap()
}

#[test]
fn damage_of_each_kind_is_found_and_named() {
    assert_eq!(damaged(|_| {}), "");
    let address = Address::repeat_byte(7);
    let told = damaged(|batch| {
        let record = batch.get::<Accounts>(&address).unwrap().unwrap();
        batch.put::<Accounts>(&address, &AccountRecord { nonce: 2, ..record }).unwrap();
    });
    assert!(told.contains("account_trie: trie of accounts has a bad node"), "{told}");
    let told = damaged(|batch| {
        let record = batch.get::<Accounts>(&address).unwrap().unwrap();
        batch.put::<Accounts>(&Address::repeat_byte(99), &record).unwrap();
    });
    assert!(told.contains("accounts: has 41 entries, and there are 40 accounts in the trie"), "{told}");
    let told = damaged(|batch| {
        let (key, _) = first(batch, TableId::StorageSlots, address.as_slice());
        batch.raw_put(TableId::StorageSlots, key, [9]);
    });
    assert!(told.contains("storage_slots, key 0707") && told.contains("not those of the storage root"), "{told}");
    let told = damaged(|batch| {
        let (key, _) = first(batch, TableId::StorageTrie, keccak256(address).as_slice());
        batch.raw_remove(TableId::StorageTrie, key);
    });
    assert!(told.contains("storage_trie, key 0707") && told.contains("has no node at path"), "{told}");
    let told = damaged(|batch| batch.raw_put(TableId::StorageSlots, [0xee; 52], [1]));
    assert!(told.contains("storage_slots: has 761 entries, and there are 760 slots of accounts"), "{told}");
    let told = damaged(|batch| batch.raw_put(TableId::AccountTrie, [0xff, 0xff, 0xff, 0xff, 8], [1; 40]));
    assert!(told.contains("account_trie: has "), "{told}");
    let told = damaged(|batch| batch.raw_remove(TableId::Code, keccak256([7; 3]).as_slice()));
    assert!(told.contains("accounts, key 0707") && told.contains("its code is not stored"), "{told}");
    let told = damaged(|batch| batch.raw_put(TableId::Code, keccak256([7; 3]).as_slice(), [1]));
    assert!(told.contains("is not the code of this hash"), "{told}");
}
