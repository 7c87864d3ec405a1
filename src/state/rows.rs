//! The bytes of the state's internal rows.
//!
//! - storage slots: address (20) ‖ slot (32, big-endian) -> value, big-endian without leading zeros, never zero
//! - code: keccak-256 of the code (32) -> code
//! - account trie: path, packed ‖ its length in nibbles (1) -> RLP of the node
//! - storage trie: keccak-256 of the address (32) ‖ path, packed ‖ its length in nibbles (1) -> RLP of the node
//!
//! The leaf of an account without storage and code ends with two hashes that say so, 66 bytes that are the same in
//! nearly every leaf. It is stored without them; the length in its RLP header tells.
//!
//! An account's slots are one range, and so are the nodes of its storage trie.

use std::ops::Deref;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles};
use lucid_storage::{Batch, Reader, StoreError, TableId, View};

use super::{
    StateError,
    trie::{NodeReader, NodeStore},
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

/// End of the RLP of a leaf whose account has neither storage nor code: the two hashes, each with its header.
const PLAIN_TAIL: [u8; 66] = {
    let mut tail = [0xa0; 66];
    let (mut n, root, code) = (0, EMPTY_ROOT_HASH.0, KECCAK256_EMPTY.0);
    while n < 32 {
        tail[1 + n] = root[n];
        tail[34 + n] = code[n];
        n += 1;
    }
    tail
};

/// First byte of an RLP list whose length takes the one byte after it, as every leaf of an account has it.
const LONG_LIST: u8 = 0xf8;

/// RLP of a node, where it lies or made whole again.
pub(super) enum NodeRlp<'a> {
    Stored(View<'a>),
    Restored(Vec<u8>),
}

impl<'a> NodeRlp<'a> {
    fn new(row: View<'a>) -> Self {
        match *row {
            [LONG_LIST, payload, ..] if row.len() + PLAIN_TAIL.len() == 2 + usize::from(payload) => {
                Self::Restored([&row, PLAIN_TAIL.as_slice()].concat())
            }
            _ => Self::Stored(row),
        }
    }
}

impl Deref for NodeRlp<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Stored(row) => row,
            Self::Restored(rlp) => rlp,
        }
    }
}

/// What is stored of a node's RLP.
fn node_row(rlp: &[u8]) -> &[u8] {
    match rlp {
        [LONG_LIST, payload, ..] if rlp.len() == 2 + usize::from(*payload) => {
            rlp.strip_suffix(&PLAIN_TAIL).unwrap_or(rlp)
        }
        _ => rlp,
    }
}

/// Bytes of the longest key of a node.
const MAX_NODE_KEY_BYTES: usize = 32 + 32 + 1;

/// The key of a trie's node; nothing as `owner` means the account trie.
struct NodeKey {
    bytes: [u8; MAX_NODE_KEY_BYTES],
    len: usize,
}

impl NodeKey {
    fn new(owner: Option<B256>, path: &Nibbles) -> Self {
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

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The rows of one trie in `rows`: a reference to a snapshot, or to a batch.
pub(super) struct TrieRows<T> {
    rows: T,
    owner: Option<B256>,
}

impl<T> TrieRows<T> {
    /// The account trie.
    pub(super) fn accounts(rows: T) -> Self {
        Self { rows, owner: None }
    }

    /// The storage trie of the account whose address hashes to `owner`.
    pub(super) fn storage(rows: T, owner: B256) -> Self {
        Self { rows, owner: Some(owner) }
    }

    fn table(&self) -> TableId {
        if self.owner.is_some() { TableId::StorageTrie } else { TableId::AccountTrie }
    }
}

impl<T: Deref<Target: Reader>> NodeReader for TrieRows<T> {
    type Error = StoreError;
    type Rlp<'a>
        = NodeRlp<'a>
    where
        Self: 'a;

    fn owner(&self) -> Option<B256> {
        self.owner
    }

    fn get(&self, path: &Nibbles) -> Result<Option<NodeRlp<'_>>, StoreError> {
        Ok(self.rows.view(self.table(), NodeKey::new(self.owner, path).as_slice())?.map(NodeRlp::new))
    }
}

impl NodeStore for TrieRows<&mut Batch> {
    fn put(&mut self, path: &Nibbles, rlp: &[u8]) -> Result<(), StoreError> {
        self.rows.raw_put(self.table(), NodeKey::new(self.owner, path).as_slice(), node_row(rlp));
        Ok(())
    }

    fn remove(&mut self, path: &Nibbles) -> Result<(), StoreError> {
        self.rows.raw_remove(self.table(), NodeKey::new(self.owner, path).as_slice());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_trie::{
        TrieAccount, TrieMask,
        nodes::{BranchNode, LeafNode, RlpNode, TrieNode},
    };
    use lucid_storage::{Meta, Options, Store};
    use proptest::prelude::*;

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

    fn stored_and_read(node: &TrieNode) -> (usize, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::new(Vec::new(), B256::ZERO);
        let store = Store::create(folder.path().join("store"), &meta, &Options::default()).unwrap();
        let mut batch = store.begin().unwrap();
        let path = Nibbles::from_nibbles([1, 2]);
        TrieRows::accounts(&mut batch).put(&path, &alloy_rlp::encode(node)).unwrap();
        let row = batch.raw_get(TableId::AccountTrie, NodeKey::new(None, &path).as_slice()).unwrap().unwrap();
        (row.len(), TrieRows::accounts(&batch).get(&path).unwrap().unwrap().to_vec())
    }

    fn leaf(key: &[u8], account: TrieAccount) -> TrieNode {
        TrieNode::Leaf(LeafNode::new(Nibbles::from_nibbles(key), alloy_rlp::encode(account)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_leaf_comes_back_whole_and_lies_short_where_its_account_is_plain(
            key in prop::collection::vec(0u8..16, 1..64),
            nonce in any::<u64>(),
            balance in any::<[u8; 32]>(),
            has_code in any::<bool>(),
            has_storage in any::<bool>(),
        ) {
            let account = TrieAccount {
                nonce,
                balance: U256::from_be_bytes(balance),
                storage_root: if has_storage { B256::repeat_byte(1) } else { EMPTY_ROOT_HASH },
                code_hash: if has_code { B256::repeat_byte(2) } else { KECCAK256_EMPTY },
            };
            let node = leaf(&key, account);
            let rlp = alloy_rlp::encode(&node);
            let (stored, read) = stored_and_read(&node);
            let left_out = if has_code || has_storage { 0 } else { PLAIN_TAIL.len() };
            prop_assert_eq!(stored, rlp.len() - left_out);
            prop_assert_eq!(read, rlp);
        }
    }

    #[test]
    fn a_branch_of_any_size_is_stored_as_it_is() {
        for children in 2..=16u16 {
            let stack = vec![RlpNode::word_rlp(&KECCAK256_EMPTY); usize::from(children)];
            let node = TrieNode::Branch(BranchNode::new(stack, TrieMask::new(((1u32 << children) - 1) as u16)));
            let rlp = alloy_rlp::encode(&node);
            assert_eq!(stored_and_read(&node), (rlp.len(), rlp));
        }
    }

    #[test]
    fn a_short_row_that_is_no_plain_leaf_is_read_as_it_lies() {
        let plain = TrieAccount { nonce: 1, balance: U256::from(1), ..TrieAccount::default() };
        let rlp = alloy_rlp::encode(leaf(&[3; 62], plain));
        let row = node_row(&rlp);
        // One byte more or less than the length in the header asks for.
        for row in [&row[..row.len() - 1], &[row, &[0]].concat(), &[], &[LONG_LIST]] {
            let folder = tempfile::tempdir().unwrap();
            let meta = Meta::new(Vec::new(), B256::ZERO);
            let store = Store::create(folder.path().join("store"), &meta, &Options::default()).unwrap();
            let mut batch = store.begin().unwrap();
            batch.raw_put(TableId::AccountTrie, [0], row);
            let read = TrieRows::accounts(&batch).get(&Nibbles::new()).unwrap().unwrap().to_vec();
            assert_eq!(read, row);
        }
    }

    #[test]
    fn a_slot_value_of_more_than_32_bytes_is_an_error() {
        assert_eq!(decode_value("t", &[1, 0]).unwrap(), U256::from(256));
        assert!(matches!(decode_value("t", &[1; 33]), Err(StateError::BadRow { table: "t", .. })));
    }
}
