//! Holds the state's rows against the tries and the tries against the root: what is stored is what the head's header
//! commits to, and nothing else is stored.

use std::ops::Bound::Unbounded;

use alloy_primitives::{B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use lucid_storage::{Accounts, Direction, Findings, Progress, Reader, ReportProgress, Snapshot, TableId};

use super::{
    StateError,
    account_trie::AccountTrie,
    rows::{self, StorageTrie},
    trie,
};

/// Accounts between two reports of progress.
const PROGRESS_STEP_ACCOUNTS: u64 = 256;

/// Checks the state in `snapshot` against the `root` that it has to have. An error means that the rows could not be read
/// on; damage that can be read around is a finding. Visits every account, slot and node once and keeps none of them.
pub fn check(
    snapshot: &Snapshot,
    root: B256,
    findings: &mut Findings,
    progress: &mut ReportProgress<'_>,
) -> Result<(), StateError> {
    let total = snapshot.len(TableId::Accounts)?;
    let mut leaves = 0;
    match trie::walk(&AccountTrie::new(snapshot), root, &mut |_, _| leaves += 1) {
        // A leaf has no row, so what is left are the rows.
        Ok(nodes) => {
            same_number(TableId::AccountTrie, "nodes on the way to accounts", nodes - leaves, snapshot, findings)?
        }
        Err(error) => findings.add(TableId::AccountTrie, &[], error),
    }
    same_number(TableId::Accounts, "accounts in the trie", leaves, snapshot, findings)?;
    same_number(TableId::AccountsByHash, "accounts in the trie", leaves, snapshot, findings)?;

    let (mut done, mut slots, mut nodes) = (0, 0, 0);
    for row in snapshot.range::<Accounts>(Unbounded, Unbounded, Direction::Forward)? {
        let (address, account) = row?;
        if account.code_hash != KECCAK256_EMPTY {
            match snapshot.view(TableId::Code, account.code_hash.as_slice())? {
                None => findings.add(TableId::Accounts, address.as_slice(), "its code is not stored"),
                Some(code) if keccak256(&*code) != account.code_hash => {
                    findings.add(TableId::Code, account.code_hash.as_slice(), "is not the code of this hash");
                }
                Some(_) => {}
            }
        }
        if account.storage_root != EMPTY_ROOT_HASH {
            let mut in_trie = SlotSum::default();
            let storage = StorageTrie::new(snapshot, keccak256(address));
            match trie::walk(&storage, account.storage_root, &mut |key, value| in_trie.add(key, value)) {
                Ok(visited) => nodes += visited,
                Err(error) => findings.add(TableId::StorageTrie, address.as_slice(), error),
            }
            let mut in_rows = SlotSum::default();
            for row in snapshot.raw_prefix(TableId::StorageSlots, address.as_slice(), Direction::Forward)? {
                let (key, value) = row?;
                let slot = rows::slot_of_key(&key)?;
                let value: U256 = rows::decode_value("storage_slots", &value)?;
                in_rows.add(keccak256(slot.to_be_bytes::<32>()), &alloy_rlp::encode(value));
            }
            if in_trie != in_rows {
                findings.add(TableId::StorageSlots, address.as_slice(), "the slots are not those of the storage root");
            }
            slots += in_rows.slots;
        }
        done += 1;
        if done % PROGRESS_STEP_ACCOUNTS == 0 || done == total {
            progress(Progress { done, total })?;
        }
    }
    same_number(TableId::StorageSlots, "slots of accounts", slots, snapshot, findings)?;
    same_number(TableId::StorageTrie, "nodes of accounts", nodes, snapshot, findings)
}

fn same_number(
    table: TableId,
    what: &str,
    found: u64,
    snapshot: &Snapshot,
    findings: &mut Findings,
) -> Result<(), StateError> {
    let entries = snapshot.len(table)?;
    if entries != found {
        findings.add(table, &[], format!("has {entries} entries, and there are {found} {what}"));
    }
    Ok(())
}

/// A set of slots as a number of them and a sum of their hashes: equal for equal sets in whatever order, and for others
/// only by design, which damage has not.
#[derive(Default, PartialEq)]
struct SlotSum {
    slots: u64,
    sum: U256,
}

impl SlotSum {
    fn add(&mut self, key: B256, value: &[u8]) {
        self.slots += 1;
        self.sum = self.sum.wrapping_add(U256::from_be_bytes(keccak256([key.as_slice(), value].concat()).0));
    }
}
