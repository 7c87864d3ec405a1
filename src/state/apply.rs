//! Writing a block's changes: rows, tries and undo log in one batch, so that none is ever ahead of another.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use lucid_storage::{AccountRecord, Accounts, Batch, Direction, Reader, TableId};

use super::{
    Account, AccountChange, StateChanges, StateError,
    account_trie::{self, AccountTrie, Known, KnownAccounts, trie_account},
    rows::{self, StorageTrie},
    trie,
    undo::UndoWriter,
};

/// Applies the changes of the block at `height` to the latest state and returns the new state root.
///
/// Called once for each height, in order; the genesis allocation is applied in the same way at height 0, and
/// leaves no undo rows. What does not change anything is not written. On an error the batch has to be dropped.
pub fn apply(batch: &mut Batch, height: u64, changes: &StateChanges) -> Result<B256, StateError> {
    let mut undo = UndoWriter::new(height);
    let (mut known, mut trie_changes, mut came_or_went) = (Vec::new(), Vec::new(), Vec::new());
    for (address, change) in changes {
        if let Some(Written { before, after }) = apply_account(batch, &mut undo, *address, change)? {
            let hashed = keccak256(address);
            if before.is_some() != after.is_some() {
                came_or_went.push((hashed, *address, after.is_some()));
            }
            known.push(Known::changed(hashed, before));
            trie_changes.push((hashed, after.map(|record| alloy_rlp::encode(trie_account(&record)))));
        }
    }
    undo.finish(batch)?;
    let root = trie::update(&mut AccountTrie::changing(&mut *batch, KnownAccounts::new(known)), trie_changes)?;
    for (hashed, address, exists) in came_or_went {
        account_trie::note_existence(batch, &hashed, address, exists);
    }
    Ok(root)
}

/// An account that was written: how it was before, and how it is now. Nothing stands for no account.
struct Written {
    before: Option<AccountRecord>,
    after: Option<AccountRecord>,
}

/// Writes one account with its storage and code. Returns nothing where it is as it was.
fn apply_account(
    batch: &mut Batch,
    undo: &mut UndoWriter,
    address: Address,
    change: &AccountChange,
) -> Result<Option<Written>, StateError> {
    let before = batch.get::<Accounts>(&address)?;
    let old_root = before.map_or(EMPTY_ROOT_HASH, |record| record.storage_root);
    let storage_root = apply_storage(batch, undo, address, change, old_root)?;
    let after = change.account.map(|Account { nonce, balance, code_hash }| AccountRecord {
        nonce,
        balance,
        code_hash,
        storage_root,
    });
    if let (Some(code), Some(account)) = (&change.code, &change.account) {
        put_code(batch, address, account.code_hash, code)?;
    }
    if before == after {
        return Ok(None);
    }
    undo.account(batch, address, before.as_ref());
    if let Some(record) = &after {
        batch.overwrite::<Accounts>(&address, record)?;
    } else {
        batch.remove::<Accounts>(&address)?;
    }
    Ok(Some(Written { before, after }))
}

/// Writes the slots that change and returns the root of the storage trie, which was `old_root`.
fn apply_storage(
    batch: &mut Batch,
    undo: &mut UndoWriter,
    address: Address,
    change: &AccountChange,
    old_root: B256,
) -> Result<B256, StateError> {
    let mut trie_changes = Vec::new();
    for (slot, value) in slots_after(batch, address, change, old_root)? {
        let key = rows::slot_key(address, slot);
        let before = rows::read_slot(batch, &key)?;
        if value == before {
            continue;
        }
        undo.slot(batch, &key, before);
        let hashed = keccak256(slot.to_be_bytes::<32>());
        if value.is_zero() {
            batch.raw_remove(TableId::StorageSlots, key);
            trie_changes.push((hashed, None));
        } else {
            batch.raw_put(TableId::StorageSlots, key, value.to_be_bytes_trimmed_vec());
            trie_changes.push((hashed, Some(alloy_rlp::encode(value))));
        }
    }
    if trie_changes.is_empty() {
        return Ok(old_root);
    }
    let mut storage = StorageTrie::new(batch, keccak256(address));
    // Nodes below the root are held against their parents. A root that is not there would be an empty trie.
    if trie::root(&storage)? != old_root {
        return Err(StateError::BadRow { table: "storage_trie", what: "a root is not the one that its account names" });
    }
    Ok(trie::update(&mut storage, trie_changes)?)
}

/// The slots that the change touches with their values after it. A wipe touches every slot that there is: most
/// become zero, and so it leaves undo rows and an honest trie like any other write.
fn slots_after(
    batch: &Batch,
    address: Address,
    change: &AccountChange,
    old_root: B256,
) -> Result<BTreeMap<U256, U256>, StateError> {
    let mut slots = BTreeMap::new();
    if (change.storage_wiped || change.account.is_none()) && old_root != EMPTY_ROOT_HASH {
        for row in batch.raw_prefix(TableId::StorageSlots, address.as_slice(), Direction::Forward)? {
            slots.insert(rows::slot_of_key(&row?.0)?, U256::ZERO);
        }
    }
    if change.account.is_some() {
        slots.extend(&change.storage);
    }
    Ok(slots)
}

/// Stores code under its hash, if it is new: contracts made from one source share it.
fn put_code(batch: &mut Batch, address: Address, expected: B256, code: &Bytes) -> Result<(), StateError> {
    let actual = keccak256(code);
    if actual != expected {
        return Err(StateError::CodeMismatch { address, expected, actual });
    }
    if !code.is_empty() && batch.view(TableId::Code, actual.as_slice())?.is_none() {
        batch.raw_put(TableId::Code, actual.as_slice(), code.as_ref());
    }
    Ok(())
}
