//! The state as plain maps, and random blocks of changes over few addresses and slots, so that they meet.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
};

use crate::state::{Account, AccountChange, StateChanges};

pub(super) const ADDRESSES: u8 = 6;
pub(super) const SLOTS: u8 = 6;

pub(super) fn address(index: u8) -> Address {
    Address::repeat_byte(index)
}

/// The last ones are at the far end of the key space.
pub(super) fn slot(index: u8) -> U256 {
    if index < 4 { U256::from(index) } else { U256::MAX - U256::from(index) }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model(BTreeMap<Address, (Account, BTreeMap<U256, U256>)>);

impl Model {
    pub(super) fn apply(&mut self, changes: &StateChanges) {
        for (address, change) in changes {
            let (_, mut slots) = self.0.remove(address).unwrap_or((Account::default(), BTreeMap::new()));
            let Some(account) = change.account else { continue };
            if change.storage_wiped {
                slots.clear();
            }
            slots.extend(&change.storage);
            slots.retain(|_, value| !value.is_zero());
            self.0.insert(*address, (account, slots));
        }
    }

    /// The changes that make this state out of nothing.
    pub(super) fn as_changes(&self) -> StateChanges {
        let change = |(account, storage): &(Account, BTreeMap<U256, U256>)| AccountChange {
            account: Some(*account),
            storage: storage.clone(),
            ..Default::default()
        };
        self.0.iter().map(|(address, state)| (*address, change(state))).collect()
    }

    pub(super) fn trie_account(&self, address: Address) -> Option<TrieAccount> {
        let (Account { nonce, balance, code_hash }, slots) = self.0.get(&address)?;
        let slots = slots.iter().map(|(slot, value)| (B256::from(*slot), *value));
        let storage_root = storage_root_unhashed(slots);
        Some(TrieAccount { nonce: *nonce, balance: *balance, code_hash: *code_hash, storage_root })
    }

    pub(super) fn slot(&self, address: Address, slot: U256) -> U256 {
        self.0.get(&address).and_then(|(_, slots)| slots.get(&slot)).copied().unwrap_or_default()
    }

    pub(super) fn root(&self) -> B256 {
        let accounts = self.0.keys().filter_map(|address| Some((*address, self.trie_account(*address)?)));
        state_root_unhashed(accounts)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) changes: StateChanges,
    /// Whether the store commits after this block, so that later ones read rows and not the batch.
    pub(super) commit: bool,
}

fn account() -> impl Strategy<Value = Option<Account>> {
    let some = (0u64..3, 0u64..3, any::<bool>()).prop_map(|(nonce, balance, has_code)| {
        let code_hash = if has_code { keccak256([nonce as u8]) } else { KECCAK256_EMPTY };
        Some(Account { nonce, balance: U256::from(balance) << 180, code_hash })
    });
    prop_oneof![1 => Just(None), 5 => some]
}

fn change() -> impl Strategy<Value = AccountChange> {
    let value = prop_oneof![Just(U256::ZERO), Just(U256::from(1)), Just(U256::MAX), Just(U256::from(0x80))];
    let storage = btree_map((0..SLOTS).prop_map(slot), value, 0..5);
    (account(), prop::bool::weighted(0.15), storage).prop_map(|(account, storage_wiped, storage)| AccountChange {
        account,
        storage_wiped,
        storage,
        code: None,
    })
}

pub(super) fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let changes = btree_map((0..ADDRESSES).prop_map(address), change(), 0..5);
    vec((changes, prop::bool::weighted(0.2)).prop_map(|(changes, commit)| Block { changes, commit }), 1..14)
}
