//! Merkle proofs of an account and of slots of its storage against the latest state root (EIP-1186).

use alloy_primitives::{Address, Bytes, U256, keccak256};
use lucid_storage::{AccountRecord, Reader};

use super::{LatestState, StateError, StateReader, account_trie::AccountTrie, rows::StorageTrie, trie};

/// An account with the nodes that prove it, or prove that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// Whose account it is.
    pub address: Address,
    /// The account, if there is one.
    pub account: Option<AccountRecord>,
    /// RLP of the nodes of the account trie, from the root on.
    pub nodes: Vec<Bytes>,
    /// The slots that were asked for, in that order.
    pub slots: Vec<SlotProof>,
}

/// A storage slot with the nodes that prove it, or prove that it is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotProof {
    /// The slot.
    pub slot: U256,
    /// Its value.
    pub value: U256,
    /// RLP of the nodes of the account's storage trie, from the root on; none where it has no storage.
    pub nodes: Vec<Bytes>,
}

/// Proves an account and some of its slots. How many slots may be asked for is for the caller to bound.
pub fn prove<R: Reader>(reader: &R, address: Address, slots: &[U256]) -> Result<AccountProof, StateError> {
    let state = LatestState::new(reader);
    let owner = keccak256(address);
    let storage = StorageTrie::new(reader, owner);
    let prove_slot = |slot: &U256| {
        let nodes = trie::proof(&storage, keccak256(slot.to_be_bytes::<32>()))?;
        Ok(SlotProof { slot: *slot, value: state.storage(address, *slot)?, nodes })
    };
    Ok(AccountProof {
        address,
        account: state.account(address)?,
        nodes: trie::proof(&AccountTrie::new(reader), owner)?,
        slots: slots.iter().map(prove_slot).collect::<Result<_, StateError>>()?,
    })
}
