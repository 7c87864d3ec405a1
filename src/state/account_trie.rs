//! The account trie over its rows. Only branches and extensions have a row. A leaf is made from the account's row in
//! `accounts`, found by its path in `accounts_by_hash`, the table of all accounts in the order of the trie. So a change
//! of an account writes its row and those of the nodes above it, and nothing for its leaf.
//!
//! A child that its parent names by a hash and that has no row is a leaf, as a leaf is always too long to lie within its
//! parent: an account takes more than 32 bytes.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ops::{Bound, Deref},
};

use alloy_primitives::{Address, B256, keccak256};
use alloy_trie::{
    Nibbles, TrieAccount,
    nodes::{LeafNode, TrieNode},
};
use lucid_storage::{AccountRecord, Accounts, Batch, Direction, Reader, StoreError, TableId, View};

use super::{
    rows::NodeKey,
    trie::{NodeReader, NodeStore, TrieError, decode},
};

const TABLE: TableId = TableId::AccountTrie;
const BY_HASH: TableId = TableId::AccountsByHash;

/// Bytes of an account's hash in `accounts_by_hash`. The address follows, so hashes that begin alike do no harm.
const HASH_BYTES: usize = 8;

/// What the account trie holds of an account.
pub(super) fn trie_account(record: &AccountRecord) -> TrieAccount {
    let AccountRecord { nonce, balance, code_hash, storage_root } = *record;
    TrieAccount { nonce, balance, storage_root, code_hash }
}

/// Accounts that one update has to do with: those that it changes, given from the start, and those whose leaves it
/// meets. With them a changed account is read as it was before.
#[derive(Default)]
pub(super) struct KnownAccounts {
    /// In order of hashed addresses.
    changed: Vec<Known>,
    met: BTreeMap<B256, Known>,
}

pub(super) struct Known {
    hashed: B256,
    /// The account as the stored trie has it; nothing where it has none.
    before: Option<AccountRecord>,
    /// Nibbles of the path at which its leaf was read. The path is the beginning of its hashed address.
    read_at: Option<usize>,
}

impl Known {
    /// An account that the update changes or removes, and that was `before` until then.
    pub(super) fn changed(hashed: B256, before: Option<AccountRecord>) -> Self {
        Self { hashed, before, read_at: None }
    }
}

impl KnownAccounts {
    /// Each account that an update changes, once and in any order.
    pub(super) fn new(mut changed: Vec<Known>) -> Self {
        changed.sort_unstable_by_key(|known| known.hashed);
        Self { changed, met: BTreeMap::new() }
    }

    fn get(&self, hashed: &B256) -> Option<&Known> {
        match self.changed.binary_search_by_key(hashed, |known| known.hashed) {
            Ok(place) => self.changed.get(place),
            Err(_) => self.met.get(hashed),
        }
    }

    /// The changed account below `path` that the stored trie has. Where a leaf stands there is one at most.
    fn stored_below(&mut self, path: &Nibbles, first: &B256) -> Option<&mut Known> {
        let start = self.changed.partition_point(|known| known.hashed < *first);
        let below = |known: &&mut Known| Nibbles::unpack_array(&known.hashed.0).starts_with(path);
        self.changed[start..].iter_mut().take_while(below).find(|known| known.before.is_some())
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

    /// To update: `rows` may have the accounts that are changed as they are to be, or not yet, and has
    /// `accounts_by_hash` as it was.
    pub(super) fn changing(rows: T, known: KnownAccounts) -> Self {
        Self { rows, known: RefCell::new(known) }
    }
}

impl<T: Deref<Target: Reader>> AccountTrie<T> {
    /// The leaf at `path`, where no row is; nothing where there is no account below it.
    fn leaf(&self, path: &Nibbles) -> Result<Option<LeafNode>, TrieError<StoreError>> {
        let mut first = B256::ZERO;
        path.pack_to(&mut first[..path.byte_len()]);
        let mut accounts = self.known.borrow_mut();
        if let Some(known) = accounts.stored_below(path, &first) {
            known.read_at = Some(path.len());
            return Ok(known.before.map(|record| leaf(path, &known.hashed, &record)));
        }
        let Some((hashed, address)) = self.stored_account(path, &first)? else { return Ok(None) };
        // A changed one that is not stored came to be in this update, so the trie has it of no account.
        let record = match accounts.get(&hashed) {
            Some(_) => None,
            None => Reader::get::<Accounts>(&&*self.rows, &address)?,
        };
        let record = record.ok_or(TrieError::MissingAccount { path: *path, address })?;
        let known = Known { hashed, before: Some(record), read_at: Some(path.len()) };
        accounts.met.insert(hashed, known);
        Ok(Some(leaf(path, &hashed, &record)))
    }

    /// The first account below `path`, whose hash begins with `first` up to the end of the path.
    fn stored_account(&self, path: &Nibbles, first: &B256) -> Result<Option<(B256, Address)>, TrieError<StoreError>> {
        let lower = Bound::Included(&first[..HASH_BYTES]);
        // More than one is passed over only where the path is longer than what the keys have of the hash.
        for row in self.rows.raw_range(BY_HASH, lower, Bound::Unbounded, Direction::Forward)? {
            let key = row?.0;
            let (hash, address) = key.split_at_checked(HASH_BYTES).unwrap_or_default();
            let address = Address::try_from(address).map_err(|_| bad_entry(path))?;
            let hashed = keccak256(address);
            if hashed[..HASH_BYTES] != *hash {
                return Err(TrieError::MisplacedAccount { path: *path, address });
            }
            let key = Nibbles::unpack_array(&hashed.0);
            if key.starts_with(path) {
                return Ok(Some((hashed, address)));
            }
            if hash > &first[..HASH_BYTES] {
                break;
            }
        }
        Ok(None)
    }
}

fn bad_entry(path: &Nibbles) -> TrieError<StoreError> {
    let reason = alloy_rlp::Error::Custom("an entry of accounts_by_hash has no address");
    TrieError::BadNode { owner: None, path: *path, reason }
}

fn leaf(path: &Nibbles, hashed: &B256, record: &AccountRecord) -> LeafNode {
    LeafNode::new(Nibbles::unpack_array(&hashed.0).slice(path.len()..), alloy_rlp::encode(trie_account(record)))
}

/// The entry of an account in `accounts_by_hash`.
fn entry(hashed: &B256, address: Address) -> [u8; HASH_BYTES + 20] {
    let mut key = [0; HASH_BYTES + 20];
    key[..HASH_BYTES].copy_from_slice(&hashed[..HASH_BYTES]);
    key[HASH_BYTES..].copy_from_slice(address.as_slice());
    key
}

/// Notes that the account came or went, once the trie was updated.
pub(super) fn note_existence(batch: &mut Batch, hashed: &B256, address: Address, exists: bool) {
    if exists {
        batch.raw_put(BY_HASH, entry(hashed, address), Vec::new());
    } else {
        batch.raw_remove(BY_HASH, entry(hashed, address));
    }
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
        match self.rows.view(TABLE, NodeKey::new(None, path).as_slice())? {
            Some(row) => Ok(Some(NodeRlp::Stored(row))),
            None => Ok(self.leaf(path)?.map(|leaf| NodeRlp::Made(alloy_rlp::encode(leaf)))),
        }
    }

    fn node(&self, path: &Nibbles) -> Result<Option<TrieNode>, TrieError<StoreError>> {
        match self.rows.view(TABLE, NodeKey::new(None, path).as_slice())? {
            Some(row) => decode(self, path, &row).map(Some),
            None => Ok(self.leaf(path)?.map(TrieNode::Leaf)),
        }
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
        // Where the leaf was read there is no row; where it comes to stand there may be that of another node.
        if self.known.get_mut().get(&hashed).is_some_and(|known| known.read_at == Some(path.len())) {
            return Ok(());
        }
        self.remove(path)
    }

    fn remove(&mut self, path: &Nibbles) -> Result<(), TrieError<StoreError>> {
        let key = NodeKey::new(None, path);
        if self.rows.view(TABLE, key.as_slice())?.is_some() {
            self.rows.raw_remove(TABLE, key.as_slice());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Account, AccountChange, StateChanges, StateError, apply, prove};
    use alloy_primitives::U256;
    use lucid_storage::{Meta, Options, Store};
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

    fn by_hash(reader: &impl Reader) -> Vec<(Vec<u8>, Vec<u8>)> {
        reader.raw_prefix(BY_HASH, &[], Direction::Forward).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_leaf_has_no_row_and_its_account_an_entry_by_hash() {
        let (store, _folder) = store();
        let mut batch = store.begin().unwrap();
        apply(&mut batch, 1, &changes([(1, Some(1))])).unwrap();
        assert!(rows(&batch).is_empty());
        let entry = |n| ([&keccak256(address(n))[..8], address(n).as_slice()].concat(), vec![]);
        assert_eq!(by_hash(&batch), [entry(1)]);
        // Another account makes a fork of the root, and both leaves lie below it.
        apply(&mut batch, 2, &changes([(2, Some(1))])).unwrap();
        assert_ne!(keccak256(address(1))[0] >> 4, keccak256(address(2))[0] >> 4);
        assert_eq!(rows(&batch).into_keys().collect::<Vec<_>>(), [[0]]);
        let mut both = [entry(1), entry(2)];
        both.sort();
        assert_eq!(by_hash(&batch), both);
        // When it goes, the one that is left is the root again, and the fork's row is gone.
        apply(&mut batch, 3, &changes([(2, None)])).unwrap();
        assert!(rows(&batch).is_empty());
        assert_eq!(by_hash(&batch), [entry(1)]);
    }

    #[test]
    fn a_change_of_an_account_writes_only_the_nodes_above_it() {
        let (store, _folder) = store();
        let mut batch = store.begin().unwrap();
        apply(&mut batch, 0, &changes((0..400).map(|n| (n, Some(1))))).unwrap();
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().unwrap();
        let mut batch = store.begin().unwrap();
        apply(&mut batch, 0, &changes([(7, Some(2))])).unwrap();
        let path = Nibbles::unpack(keccak256(address(7)));
        let above = (0..64).map(|len| NodeKey::new(None, &path.slice(..len)));
        let above = above.filter(|key| snapshot.raw_get(TABLE, key.as_slice()).unwrap().is_some());
        let before = rows(&snapshot);
        let written: Vec<_> = rows(&batch).into_iter().filter(|(key, row)| before.get(key) != Some(row)).collect();
        assert_eq!(written.len(), above.count());
        assert_eq!(by_hash(&batch), by_hash(&snapshot));
    }

    #[test]
    fn hashes_that_begin_alike_are_told_apart_by_the_rest() {
        let (store, _folder) = store();
        let mut batch = store.begin().unwrap();
        apply(&mut batch, 0, &changes((0..3).map(|n| (n, Some(1))))).unwrap();
        let trie = AccountTrie::new(&batch);
        for n in 0..3 {
            let hashed = keccak256(address(n));
            let path = Nibbles::unpack(hashed);
            for len in [4, 15, 16, 17, 40, 63] {
                let path = path.slice(..len);
                let mut first = B256::ZERO;
                path.pack_to(&mut first[..path.byte_len()]);
                assert_eq!(trie.stored_account(&path, &first).unwrap(), Some((hashed, address(n))));
            }
            // The last nibble is another one: no account is there, though the entry's bytes fit.
            let mut other = hashed;
            other[20] ^= 1;
            let other_path = Nibbles::unpack(other).slice(..42);
            let mut first = B256::ZERO;
            other_path.pack_to(&mut first[..21]);
            assert_eq!(trie.stored_account(&other_path, &first).unwrap(), None);
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
                prop_assert_eq!(by_hash(&batch), by_hash(&fresh));
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
        let entry = entry(&keccak256(address(5)), address(5));

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

        // A balance that is not the one that the root commits to: a change of the account must not make it true.
        let mut batch = store.begin().unwrap();
        let record = batch.get::<Accounts>(&address(5)).unwrap().unwrap();
        let false_money = AccountRecord { balance: record.balance + U256::from(1), ..record };
        batch.overwrite::<Accounts>(&address(5), &false_money).unwrap();
        let error = apply(&mut batch, 2, &changes([(5, Some(2))])).unwrap_err();
        assert!(error.to_string().contains("the leaf is not the one that its parent names"), "{error}");

        // Without its entry there is nothing where the trie names a leaf.
        let mut batch = store.begin().unwrap();
        batch.raw_remove(BY_HASH, entry);
        let error = prove(&batch, address(5), &[]).unwrap_err();
        assert!(matches!(error, StateError::Trie(TrieError::MissingNode { owner: None, .. })), "{error}");

        // The address of another account.
        let mut batch = store.begin().unwrap();
        batch.raw_remove(BY_HASH, entry);
        batch.raw_put(BY_HASH, [&entry[..8], address(6).as_slice()].concat(), []);
        let error = prove(&batch, address(5), &[]).unwrap_err();
        let misplaced = |error: &StateError| matches!(error, StateError::Trie(TrieError::MisplacedAccount { address: of, .. }) if *of == address(6));
        assert!(misplaced(&error), "{error}");
        assert!(error.to_string().contains("not on the way to that account"), "{error}");

        // An entry that is cut, and a row that is not RLP.
        let mut batch = store.begin().unwrap();
        batch.raw_remove(BY_HASH, entry);
        batch.raw_put(BY_HASH, &entry[..20], []);
        let error = prove(&batch, address(5), &[]).unwrap_err();
        assert!(matches!(error, StateError::Trie(TrieError::BadNode { owner: None, .. })), "{error}");
        for row in [&[][..], &[7; 19], &[7; 21]] {
            let mut batch = store.begin().unwrap();
            batch.raw_put(TABLE, [0], row);
            let error = apply(&mut batch, 2, &changes([(5, Some(2))])).unwrap_err();
            assert!(matches!(error, StateError::Trie(TrieError::BadNode { owner: None, .. })), "{error}");
        }
    }
}
