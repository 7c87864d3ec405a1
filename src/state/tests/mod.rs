//! The room against a model that knows no trie, no row and no undo log: plain maps, one kept for each height.

mod check;
mod genesis;
mod history;
mod model;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, proof::verify_proof};
use lucid_storage::{Batch, Direction, Meta, Options, Reader, Store, TableId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use model::{Block, Model, address, blocks};

/// An empty store in a folder that lives as long as it.
fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let meta = Meta::new(b"{}".to_vec(), B256::ZERO);
    (Store::create(folder.path().join("store"), &meta, &Options::default()).unwrap(), folder)
}

/// Applies the blocks from height 1 on, some of them committed on their own, and checks each root. Returns the
/// open batch at the end and the model at each height.
fn run(store: &Store, blocks: &[Block]) -> (Batch, Vec<Model>) {
    let mut batch = store.begin().unwrap();
    let mut history = vec![Model::default()];
    for (height, block) in (1..).zip(blocks) {
        let mut model = history.last().unwrap().clone();
        model.apply(&block.changes);
        assert_eq!(apply(&mut batch, height, &block.changes).unwrap(), model.root(), "root at height {height}");
        history.push(model);
        if block.commit {
            store.commit(batch).unwrap();
            batch = store.begin().unwrap();
        }
    }
    (batch, history)
}

/// All of an internal table.
fn table(reader: &impl Reader, table: TableId) -> Vec<(Vec<u8>, Vec<u8>)> {
    reader.raw_prefix(table, &[], Direction::Forward).unwrap().collect::<Result<_, _>>().unwrap()
}

fn account(nonce: u64) -> Option<Account> {
    Some(Account { nonce, balance: U256::from(7), code_hash: KECCAK256_EMPTY })
}

fn check_proof(reader: &impl Reader, model: &Model, root: B256, address: Address, slots: &[U256]) {
    let proof = prove(reader, address, slots).unwrap();
    let leaf = model.trie_account(address);
    let encoded = leaf.as_ref().map(alloy_rlp::encode);
    verify_proof(root, Nibbles::unpack(keccak256(address)), encoded, &proof.nodes).unwrap();
    let storage_root = leaf.map_or(EMPTY_ROOT_HASH, |leaf| leaf.storage_root);
    for slot in proof.slots {
        assert_eq!(slot.value, model.slot(address, slot.slot));
        let key = Nibbles::unpack(keccak256(slot.slot.to_be_bytes::<32>()));
        let value = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
        verify_proof(storage_root, key, value, &slot.nodes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn state_and_proofs_agree_with_plain_maps_at_every_height(blocks in blocks()) {
        let (store, _folder) = store();
        let (batch, history) = run(&store, &blocks);
        let (head, last) = (history.len() - 1, history.last().unwrap());
        let root = LatestState::new(&batch).root().unwrap();
        prop_assert_eq!(root, last.root());
        for address in (0..model::ADDRESSES).map(address) {
            let slots: Vec<_> = (0..model::SLOTS).map(model::slot).collect();
            check_proof(&batch, last, root, address, &slots);
            for (height, model) in history.iter().enumerate() {
                let state = HistoricalState::new(&batch, height as u64, head as u64).unwrap();
                let record = state.account(address).unwrap();
                prop_assert_eq!(record.as_ref().map(account_trie::trie_account), model.trie_account(address));
                for slot in &slots {
                    prop_assert_eq!(state.storage(address, *slot).unwrap(), model.slot(address, *slot));
                }
            }
        }
    }

    #[test]
    fn the_undo_log_names_every_account_that_a_later_batch_wrote(blocks in blocks()) {
        let (store, _folder) = store();
        let mut heights = Vec::new();
        for (height, block) in (1..).zip(&blocks) {
            let mut batch = store.begin().unwrap();
            apply(&mut batch, height, &block.changes).unwrap();
            heights.push((height, store.commit(batch).unwrap().sequence));
        }
        let snapshot = store.snapshot().unwrap();
        for (height, sequence) in heights {
            let rows = table(&snapshot, TableId::UndoLog).into_iter();
            let above = rows.filter(|(key, _)| key[..8] > height.to_be_bytes()[..] && key[8] == 0);
            let named: std::collections::BTreeSet<_> = above.flat_map(|(_, row)| undo::addresses(&row)).collect();
            for address in (0..model::ADDRESSES).map(address) {
                let row = snapshot.get_stored::<lucid_storage::Accounts>(&address).unwrap();
                if let Some(row) = row {
                    prop_assert_eq!(named.contains(&address), row.sequence > sequence);
                }
            }
        }
    }

    #[test]
    fn no_row_stays_that_a_fresh_state_would_not_have(blocks in blocks()) {
        let ((store, _folder), (fresh_store, _fresh_folder)) = (store(), store());
        let (batch, history) = run(&store, &blocks);
        let mut fresh = fresh_store.begin().unwrap();
        apply(&mut fresh, 0, &history.last().unwrap().as_changes()).unwrap();
        for id in [TableId::StorageSlots, TableId::AccountTrie, TableId::StorageTrie] {
            prop_assert_eq!(table(&batch, id), table(&fresh, id));
        }
        prop_assert!(table(&fresh, TableId::UndoLog).is_empty(), "genesis wrote undo rows");
    }
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let (store, _folder) = store();
    let storage = [(U256::from(1), U256::from(5))].into();
    let change = AccountChange { account: account(1), storage, ..Default::default() };
    let changes = StateChanges::from([(address(0), change)]);
    let mut batch = store.begin().unwrap();
    let root = apply(&mut batch, 1, &changes).unwrap();
    store.commit(batch).unwrap();
    let mut batch = store.begin().unwrap();
    assert_eq!(apply(&mut batch, 2, &changes).unwrap(), root);
    let absent = StateChanges::from([(address(1), AccountChange::default())]);
    assert_eq!(apply(&mut batch, 3, &absent).unwrap(), root);
    assert!(batch.is_empty());
}

#[test]
fn code_is_read_back_by_its_hash_and_outlives_its_account() {
    let (store, _folder) = store();
    let mut batch = store.begin().unwrap();
    let code = Bytes::from_static(&[0x60, 0x00]);
    let hash = keccak256(&code);
    let new = Account { nonce: 1, balance: U256::ZERO, code_hash: hash };
    let change = AccountChange { account: Some(new), code: Some(code.clone()), ..Default::default() };
    apply(&mut batch, 1, &[(address(0), change)].into()).unwrap();
    apply(&mut batch, 2, &[(address(0), AccountChange::default())].into()).unwrap();
    let state = LatestState::new(&batch);
    assert_eq!(state.account(address(0)).unwrap(), None);
    assert_eq!(state.code(hash).unwrap(), code);
    assert_eq!(state.code(KECCAK256_EMPTY).unwrap(), Bytes::new());
    assert!(matches!(state.code(B256::ZERO), Err(StateError::MissingCode(B256::ZERO))));
}

#[test]
fn code_under_a_hash_that_is_not_its_own_is_refused() {
    let (store, _folder) = store();
    let change = AccountChange { account: account(1), code: Some(Bytes::from_static(&[1])), ..Default::default() };
    let error = apply(&mut store.begin().unwrap(), 1, &[(address(0), change)].into()).unwrap_err();
    assert!(matches!(error, StateError::CodeMismatch { expected: KECCAK256_EMPTY, .. }), "{error}");
}

#[test]
fn a_damaged_storage_trie_is_named_by_its_account() {
    let (store, _folder) = store();
    let mut batch = store.begin().unwrap();
    let storage: std::collections::BTreeMap<_, _> = (1u64..40).map(|i| (U256::from(i), U256::MAX)).collect();
    let change = AccountChange { account: account(1), storage, ..Default::default() };
    apply(&mut batch, 1, &[(address(0), change.clone())].into()).unwrap();
    let rows = table(&batch, TableId::StorageTrie);
    batch.raw_remove(TableId::StorageTrie, rows.last().unwrap().0.clone());
    let wipe = AccountChange { storage_wiped: true, storage: Default::default(), ..change };
    let error = apply(&mut batch, 2, &[(address(0), wipe)].into()).unwrap_err();
    let hashed = keccak256(address(0));
    let named = |owner: &Option<B256>| *owner == Some(hashed);
    assert!(matches!(&error, StateError::Trie(TrieError::MissingNode { owner, .. }) if named(owner)), "{error}");
    assert!(error.to_string().contains(&hashed.to_string()), "{error}");
}
