//! The bytes of the state's internal rows.
//!
//! - storage slots: address (20) ‖ slot (32, big-endian) -> value, big-endian without leading zeros, never zero
//! - code: keccak-256 of the code (32) -> code
//! - account trie: path, packed ‖ its length in nibbles (1) -> RLP of the node, or of a leaf the address (20), see
//!   `account_trie`
//! - storage trie: keccak-256 of the address (32) ‖ path, packed ‖ its length in nibbles (1) -> RLP of the node
//!
//! An account's slots are one range, and so are the nodes of its storage trie.

use std::ops::Deref;

use alloy_primitives::{Address, B256, U256};
use alloy_trie::{Nibbles, nodes::TrieNode};
use lucid_storage::{Batch, Reader, StoreError, TableId, View};

use super::{
    StateError,
    trie::{NodeReader, NodeStore, TrieError},
};

/// Bytes of a slot's key.
pub(super) const SLOT_KEY_BYTES: usize = 20 + 32;

/// The key of one storage slot.
pub(super) fn slot_key(address: Address, slot: U256) -> [u8; SLOT_KEY_BYTES] {
    let mut key = [0; SLOT_KEY_BYTES];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}

/// The slot that a key is of.
pub(super) fn slot_of_key(key: &[u8]) -> Result<U256, StateError> {
    match key.split_at_checked(20) {
        Some((_, slot)) if slot.len() == 32 => Ok(U256::from_be_slice(slot)),
        _ => Err(StateError::BadRow { table: "storage_slots", what: "a key is not 52 bytes" }),
    }
}

/// A slot's value at the latest state; zero where there is no row.
pub(super) fn read_slot<R: Reader>(reader: &R, key: &[u8; SLOT_KEY_BYTES]) -> Result<U256, StateError> {
    match reader.view(TableId::StorageSlots, key)? {
        Some(bytes) => decode_value("storage_slots", &bytes),
        None => Ok(U256::ZERO),
    }
}

/// The value of a slot from its bytes, in the `table` that holds them.
pub(super) fn decode_value(table: &'static str, bytes: &[u8]) -> Result<U256, StateError> {
    U256::try_from_be_slice(bytes).ok_or(StateError::BadRow { table, what: "a slot's value is longer than 32 bytes" })
}

/// Bytes of the longest key of a node.
const MAX_NODE_KEY_BYTES: usize = 32 + 32 + 1;

/// The key of a trie's node; nothing as `owner` means the account trie.
pub(super) struct NodeKey {
    bytes: [u8; MAX_NODE_KEY_BYTES],
    len: usize,
}

impl NodeKey {
    pub(super) fn new(owner: Option<B256>, path: &Nibbles) -> Self {
        let mut bytes = [0; MAX_NODE_KEY_BYTES];
        let start = owner.map_or(0, |owner| {
            bytes[..32].copy_from_slice(owner.as_slice());
            32
        });
        let end = start + path.byte_len();
        path.pack_to(&mut bytes[start..end]);
        // A path has at most 64 nibbles.
        bytes[end] = path.len() as u8;
        Self { bytes, len: end + 1 }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The storage trie of one account in `rows`: a reference to a snapshot, or to a batch.
pub(super) struct StorageTrie<T> {
    rows: T,
    owner: B256,
}

impl<T> StorageTrie<T> {
    /// Of the account whose address hashes to `owner`.
    pub(super) fn new(rows: T, owner: B256) -> Self {
        Self { rows, owner }
    }

    fn key(&self, path: &Nibbles) -> NodeKey {
        NodeKey::new(Some(self.owner), path)
    }
}

impl<T: Deref<Target: Reader>> NodeReader for StorageTrie<T> {
    type Error = StoreError;
    type Rlp<'a>
        = View<'a>
    where
        Self: 'a;

    fn owner(&self) -> Option<B256> {
        Some(self.owner)
    }

    fn get(&self, path: &Nibbles) -> Result<Option<View<'_>>, TrieError<StoreError>> {
        Ok(self.rows.view(TableId::StorageTrie, self.key(path).as_slice())?)
    }
}

impl NodeStore for StorageTrie<&mut Batch> {
    fn put(&mut self, path: &Nibbles, _: &TrieNode, rlp: &[u8]) -> Result<(), TrieError<StoreError>> {
        self.rows.raw_put(TableId::StorageTrie, self.key(path).as_slice(), rlp);
        Ok(())
    }

    fn remove(&mut self, path: &Nibbles) -> Result<(), TrieError<StoreError>> {
        self.rows.raw_remove(TableId::StorageTrie, self.key(path).as_slice());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stored_in_these_bytes() {
        let path = Nibbles::from_nibbles([0xa, 0xb, 0xc]);
        assert_eq!(NodeKey::new(None, &path).as_slice(), [0xab, 0xc0, 3]);
        assert_eq!(NodeKey::new(None, &Nibbles::new()).as_slice(), [0]);
        let owner = B256::repeat_byte(7);
        assert_eq!(NodeKey::new(Some(owner), &path).as_slice(), [owner.as_slice(), &[0xab, 0xc0, 3]].concat());
        assert_eq!(NodeKey::new(Some(owner), &Nibbles::unpack(owner)).as_slice().len(), MAX_NODE_KEY_BYTES);
        let (address, slot) = (Address::repeat_byte(1), U256::from(0x0203));
        let key = [address.as_slice(), &[0; 30], &[2, 3]].concat();
        assert_eq!(slot_key(address, slot).as_slice(), key);
        assert_eq!(slot_of_key(&key).unwrap(), slot);
        assert!(slot_of_key(&key[1..]).is_err());
    }

    #[test]
    fn a_slot_value_of_more_than_32_bytes_is_an_error() {
        assert_eq!(decode_value("t", &[1, 0]).unwrap(), U256::from(256));
        assert!(matches!(decode_value("t", &[1; 33]), Err(StateError::BadRow { table: "t", .. })));
    }
}
