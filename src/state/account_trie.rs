//! The account trie over its rows. A leaf's row does not repeat the account: it has the address, and the leaf is made
//! anew from the account's row. So a change of an account touches no row of its leaf, which is written only when it
//! appears or moves. Branches and extensions lie as RLP.
//!
//! A row of 20 bytes is a leaf. Every other node with a row holds a hash and so is longer than that; and a leaf is always
//! long enough to have a row, as an account takes more than 32 bytes.

use std::{cell::RefCell, collections::BTreeMap, ops::Deref};

use alloy_primitives::{Address, B256, keccak256};
use alloy_trie::{
    Nibbles, TrieAccount,
    nodes::{LeafNodeRef, TrieNode},
};
use lucid_storage::{AccountRecord, Accounts, Batch, Reader, StoreError, TableId, View};

use super::{
    rows::NodeKey,
    trie::{NodeReader, NodeStore, TrieError},
};

const TABLE: TableId = TableId::AccountTrie;

/// What the account trie holds of an account.
pub(super) fn trie_account(record: &AccountRecord) -> TrieAccount {
    let AccountRecord { nonce, balance, code_hash, storage_root } = *record;
    TrieAccount { nonce, balance, storage_root, code_hash }
}

/// Accounts that one update has to do with, by their hashed addresses: those that it changes, given from the start, and
/// those whose leaves it meets. With them a leaf has its address, and a changed one is read as it was before.
#[derive(Default)]
pub(super) struct KnownAccounts(BTreeMap<B256, Known>);

struct Known {
    address: Address,
    /// The account as the stored trie has it; nothing where it has none.
    before: Option<AccountRecord>,
    /// Nibbles of the path at which its leaf was read. The path is the beginning of its hashed address.
    read_at: Option<usize>,
}

impl KnownAccounts {
    /// Adds an account that the update changes or removes, and that was `before` until then.
    pub(super) fn insert_changed(&mut self, hashed: B256, address: Address, before: Option<AccountRecord>) {
        self.0.insert(hashed, Known { address, before, read_at: None });
    }

    /// The known account at `address`, if its hash begins with `path`. Leaves stand apart, so to search what is below
    /// each of them is to go through the accounts once.
    fn below(&mut self, path: &Nibbles, address: Address) -> Option<(Nibbles, &mut Known)> {
        let mut first = B256::ZERO;
        path.pack_to(&mut first[..path.byte_len()]);
        self.0
            .range_mut(first..)
            .map(|(hashed, known)| (Nibbles::unpack_array(&hashed.0), known))
            .take_while(|(key, _)| key.starts_with(path))
            .find(|(_, known)| known.address == address)
    }
}

/// The account trie in `rows`: a reference to a snapshot, or to a batch.
pub(super) struct AccountTrie<T> {
    rows: T,
    known: RefCell<KnownAccounts>,
}

impl<T> AccountTrie<T> {
    /// To read: `rows` has accounts and trie of the same state.
    pub(super) fn new(rows: T) -> Self {
        Self::changing(rows, KnownAccounts::default())
    }

    /// To update: `rows` may have the accounts that are `changed` as they are to be, or not yet.
    pub(super) fn changing(rows: T, changed: KnownAccounts) -> Self {
        Self { rows, known: RefCell::new(changed) }
    }
}

impl<T: Deref<Target: Reader>> AccountTrie<T> {
    /// The RLP of the leaf of `address` at `path`.
    fn leaf(&self, path: &Nibbles, address: Address) -> Result<Vec<u8>, TrieError<StoreError>> {
        let missing = || TrieError::MissingAccount { path: *path, address };
        let mut accounts = self.known.borrow_mut();
        if let Some((key, known)) = accounts.below(path, address) {
            known.read_at = Some(path.len());
            return known.before.map(|record| leaf_rlp(path, &key, &record)).ok_or_else(missing);
        }
        let hashed = keccak256(address);
        let key = Nibbles::unpack_array(&hashed.0);
        if !key.starts_with(path) {
            return Err(TrieError::MisplacedAccount { path: *path, address });
        }
        let record = Reader::get::<Accounts>(&&*self.rows, &address)?.ok_or_else(missing)?;
        accounts.0.insert(hashed, Known { address, before: Some(record), read_at: Some(path.len()) });
        Ok(leaf_rlp(path, &key, &record))
    }
}

fn leaf_rlp(path: &Nibbles, key: &Nibbles, record: &AccountRecord) -> Vec<u8> {
    let value = alloy_rlp::encode(trie_account(record));
    alloy_rlp::encode(LeafNodeRef::new(&key.slice(path.len()..), &value))
}

/// RLP of a node: where it lies, or made from an account.
pub(super) enum NodeRlp<'a> {
    Stored(View<'a>),
    Made(Vec<u8>),
}

impl Deref for NodeRlp<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Stored(row) => row,
            Self::Made(rlp) => rlp,
        }
    }
}

impl<T: Deref<Target: Reader>> NodeReader for AccountTrie<T> {
    type Error = StoreError;
    type Rlp<'a>
        = NodeRlp<'a>
    where
        Self: 'a;

    fn owner(&self) -> Option<B256> {
        None
    }

    fn get(&self, path: &Nibbles) -> Result<Option<NodeRlp<'_>>, TrieError<StoreError>> {
        let Some(row) = self.rows.view(TABLE, NodeKey::new(None, path).as_slice())? else { return Ok(None) };
        Ok(Some(match <[u8; 20]>::try_from(&*row) {
            Ok(address) => NodeRlp::Made(self.leaf(path, address.into())?),
            Err(_) => NodeRlp::Stored(row),
        }))
    }
}

impl NodeStore for AccountTrie<&mut Batch> {
    fn put(&mut self, path: &Nibbles, node: &TrieNode, rlp: &[u8]) -> Result<(), TrieError<StoreError>> {
        let TrieNode::Leaf(leaf) = node else {
            self.rows.raw_put(TABLE, NodeKey::new(None, path).as_slice(), rlp);
            return Ok(());
        };
        let mut hashed = B256::ZERO;
        path.join(&leaf.key).pack_to(hashed.as_mut_slice());
        let known = self.known.get_mut().0.get(&hashed);
        // The trie writes no other leaves (see `NodeStore::put`).
        let reason = alloy_rlp::Error::Custom("a leaf of an account that is neither changed nor read");
        let known = known.ok_or(TrieError::BadNode { owner: None, path: *path, reason })?;
        if known.read_at != Some(path.len()) {
            self.rows.raw_put(TABLE, NodeKey::new(None, path).as_slice(), known.address.as_slice());
        }
        Ok(())
    }

    fn remove(&mut self, path: &Nibbles) -> Result<(), TrieError<StoreError>> {
        self.rows.raw_remove(TABLE, NodeKey::new(None, path).as_slice());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Account, AccountChange, StateChanges, StateError, apply, prove};
    use alloy_primitives::U256;
    use alloy_trie::nodes::LeafNode;
    use lucid_storage::{Direction, Meta, Options, Store};
    use proptest::prelude::*;

    fn store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::new(Vec::new(), B256::ZERO);
        (Store::create(folder.path().join("store"), &meta, &Options::default()).unwrap(), folder)
    }

    fn address(n: u16) -> Address {
        Address::left_padding_from(&n.to_be_bytes())
    }

    fn changes(nonces: impl IntoIterator<Item = (u16, Option<u64>)>) -> StateChanges {
        let change = |nonce: u64| AccountChange {
            account: Some(Account { nonce, balance: U256::from(7), ..Account::default() }),
            ..AccountChange::default()
        };
        nonces.into_iter().map(|(n, nonce)| (address(n), nonce.map_or_else(AccountChange::default, change))).collect()
    }

    fn rows(reader: &impl Reader) -> BTreeMap<Vec<u8>, Vec<u8>> {
        reader.raw_prefix(TABLE, &[], Direction::Forward).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn leaves(reader: &impl Reader) -> BTreeMap<Vec<u8>, Vec<u8>> {
        rows(reader).into_iter().filter(|(_, row)| row.len() == 20).collect()
    }

    #[test]
    fn a_leaf_is_stored_as_the_address_and_moves_with_it() {
        let (store, _folder) = store();
        let mut batch = store.begin().unwrap();
        apply(&mut batch, 1, &changes([(1, Some(1))])).unwrap();
        assert_eq!(rows(&batch), [(vec![0], address(1).to_vec())].into());
        // Another account makes a fork of the root, and both leaves lie below it.
        apply(&mut batch, 2, &changes([(2, Some(1))])).unwrap();
        let below = |n| (vec![keccak256(address(n))[0] & 0xf0, 1], address(n).to_vec());
        assert_ne!(below(1).0, below(2).0);
        assert_eq!(leaves(&batch), [below(1), below(2)].into());
        assert_eq!(rows(&batch).len(), 3);
        // When it goes, the one that is left is the root again.
        apply(&mut batch, 3, &changes([(2, None)])).unwrap();
        assert_eq!(rows(&batch), [(vec![0], address(1).to_vec())].into());
    }

    #[test]
    fn a_leaf_that_stays_where_it_is_is_not_written_again() {
        let (store, _folder) = store();
        let mut batch = store.begin().unwrap();
        apply(&mut batch, 1, &changes((0..40).map(|n| (n, Some(1))))).unwrap();
        for (key, row) in leaves(&batch) {
            let path = Nibbles::unpack(&key[..key.len() - 1]).slice(..usize::from(key[key.len() - 1]));
            let address = Address::from_slice(&row);
            let hashed = keccak256(address);
            let record = batch.get::<Accounts>(&address).unwrap().unwrap();
            let leaf = |path: &Nibbles| {
                let node = LeafNode::new(Nibbles::unpack_array(&hashed.0).slice(path.len()..), vec![0xc0]);
                (alloy_rlp::encode(&node), TrieNode::Leaf(node))
            };
            for changed in [false, true] {
                let mut known = KnownAccounts::default();
                if changed {
                    known.insert_changed(hashed, address, Some(record));
                }
                let mut trie = AccountTrie::changing(&mut batch, known);
                trie.get(&path).unwrap().unwrap();
                // Whether it is written shows where it was taken away.
                trie.rows.raw_remove(TABLE, key.clone());
                let (rlp, node) = leaf(&path);
                trie.put(&path, &node, &rlp).unwrap();
                assert_eq!(batch.raw_get(TABLE, &key).unwrap(), None, "written where it was read");
                batch.raw_put(TABLE, key.clone(), row.clone());
            }
        }
    }

    fn some_changes() -> impl Strategy<Value = Vec<(u16, Option<u64>)>> {
        prop::collection::vec((0u16..40, prop::option::weighted(0.6, 0u64..4)), 0..25)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rows_and_root_are_those_of_a_trie_made_at_once(blocks in prop::collection::vec(some_changes(), 1..12)) {
            let ((store, _folder), (fresh_store, _fresh_folder)) = (store(), store());
            let mut state = BTreeMap::new();
            let mut batch = store.begin().unwrap();
            for (height, block) in (1..).zip(blocks) {
                state.extend(block.iter().copied());
                let root = apply(&mut batch, height, &changes(block)).unwrap();
                let mut fresh = fresh_store.begin().unwrap();
                prop_assert_eq!(root, apply(&mut fresh, 0, &changes(state.clone())).unwrap());
                prop_assert_eq!(rows(&batch), rows(&fresh));
                // Every other block is read from the store, the others from the batch.
                if height % 2 == 0 {
                    store.commit(batch).unwrap();
                    batch = store.begin().unwrap();
                }
            }
        }
    }

    #[test]
    fn damage_is_named_by_account_and_path() {
        let (store, _folder) = store();
        let mut batch = store.begin().unwrap();
        apply(&mut batch, 1, &changes((0..40).map(|n| (n, Some(1))))).unwrap();
        store.commit(batch).unwrap();
        let key = leaves(&store.snapshot().unwrap()).into_iter().find(|(_, row)| **row == address(5)[..]).unwrap().0;

        let mut batch = store.begin().unwrap();
        batch.remove::<Accounts>(&address(5)).unwrap();
        let missing = |error: StateError| {
            assert!(
                matches!(&error, StateError::Trie(TrieError::MissingAccount { address: of, .. }) if *of == address(5)),
                "{error}"
            );
        };
        missing(prove(&batch, address(5), &[]).unwrap_err());
        // To make the account anew finds a leaf where none should be.
        missing(apply(&mut batch, 2, &changes([(5, Some(2))])).unwrap_err());

        // The address of another account, changed in the same block or not.
        for nonces in [vec![(5, Some(2))], vec![(5, Some(2)), (6, Some(2))]] {
            let mut batch = store.begin().unwrap();
            batch.raw_put(TABLE, key.clone(), address(6).as_slice());
            let error = apply(&mut batch, 2, &changes(nonces)).unwrap_err();
            let misplaced = |error: &StateError| matches!(error, StateError::Trie(TrieError::MisplacedAccount { address: of, .. }) if *of == address(6));
            assert!(misplaced(&error), "{error}");
            assert!(error.to_string().contains("not on the way to that account"), "{error}");
        }

        // A row that is neither an address nor RLP.
        for row in [&[][..], &[7; 19], &[7; 21]] {
            let mut batch = store.begin().unwrap();
            batch.raw_put(TABLE, key.clone(), row);
            let error = apply(&mut batch, 2, &changes([(5, Some(2))])).unwrap_err();
            assert!(matches!(error, StateError::Trie(TrieError::BadNode { owner: None, .. })), "{error}");
        }
    }
}
