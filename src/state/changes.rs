//! What a block, or the genesis, changes in the state: the one thing that may be applied to it.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};

/// Changes by account. Sorted, so that nothing derived from them depends on the order of execution.
pub type StateChanges = BTreeMap<Address, AccountChange>;

/// How one account is after a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account, or nothing where it is removed; its storage goes with it. Whether an empty account (EIP-161)
    /// stays is the caller's decision.
    pub account: Option<Account>,
    /// Whether the storage from before is gone. `storage` is applied after that.
    pub storage_wiped: bool,
    /// New values of the slots that changed, in any order of writing; zero deletes.
    pub storage: BTreeMap<U256, U256>,
    /// Code deployed here. Its keccak-256 is the account's `code_hash`.
    pub code: Option<Bytes>,
}

/// An account without its storage. The default has neither nonce, balance nor code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Wei.
    pub balance: U256,
    /// keccak-256 of its code.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY }
    }
}
