use crate::state::{Account, AccountChange, StateChanges};
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, map::B256Map};
use revm::{
    bytecode::Bytecode,
    database::{BundleAccount, BundleState},
};

/// What a block changed, in address order and without what it only touched.
pub(super) fn from_bundle(bundle: BundleState) -> StateChanges {
    let BundleState { state, contracts, .. } = bundle;
    let changes = state.into_iter().filter_map(|(address, account)| {
        let change = account_change(&account, &contracts);
        change.map(|change| (address, change))
    });
    StateChanges::from_iter(changes)
}

fn account_change(account: &BundleAccount, contracts: &B256Map<Bytecode>) -> Option<AccountChange> {
    let storage_wiped = account.was_destroyed();
    let storage: std::collections::BTreeMap<_, _> = account
        .storage
        .iter()
        .filter(|(_, slot)| storage_wiped || slot.is_changed())
        .map(|(slot, value)| (*slot, value.present_value))
        .collect();
    if !account.is_info_changed() && storage.is_empty() && !storage_wiped {
        return None;
    }
    let info = account.info.as_ref().map(|info| Account {
        nonce: info.nonce,
        balance: info.balance,
        code_hash: info.code_hash,
    });
    let code = info.as_ref().and_then(|info| new_code(account, info.code_hash, contracts));
    Some(AccountChange { account: info, storage_wiped, storage, code })
}

/// The code that this account has now and had not before the block.
fn new_code(account: &BundleAccount, code_hash: B256, contracts: &B256Map<Bytecode>) -> Option<Bytes> {
    let before = account.original_info.as_ref().map_or(KECCAK256_EMPTY, |info| info.code_hash);
    if code_hash == before || code_hash == KECCAK256_EMPTY {
        return None;
    }
    let own = account.info.as_ref().and_then(|info| info.code.as_ref());
    contracts.get(&code_hash).or(own).map(|code| code.original_bytes())
}
