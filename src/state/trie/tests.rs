//! The trie against alloy-trie's `HashBuilder` and proof checker, and against damage.

use std::{collections::BTreeMap, convert::Infallible};

use alloy_primitives::B256;
use alloy_trie::{
    EMPTY_ROOT_HASH, HashBuilder, Nibbles,
    nodes::TrieNode,
    proof::{ProofRetainer, verify_proof},
};
use proptest::{collection::vec, prelude::*};

use super::{NodeReader, NodeStore, TrieError, proof, root, update};

/// What a store in memory fails with: nothing.
type Never = TrieError<Infallible>;

#[derive(Clone, Debug, Default, PartialEq)]
struct Memory(BTreeMap<Nibbles, Vec<u8>>);

impl NodeReader for Memory {
    type Error = Infallible;
    type Rlp<'a>
        = &'a [u8]
    where
        Self: 'a;

    fn owner(&self) -> Option<B256> {
        None
    }

    fn get(&self, path: &Nibbles) -> Result<Option<&[u8]>, Never> {
        Ok(self.0.get(path).map(Vec::as_slice))
    }
}

impl NodeStore for Memory {
    fn put(&mut self, path: &Nibbles, node: &TrieNode, rlp: &[u8]) -> Result<(), Never> {
        assert_eq!(alloy_rlp::encode(node), rlp);
        self.0.insert(*path, rlp.to_vec());
        Ok(())
    }

    fn remove(&mut self, path: &Nibbles) -> Result<(), Never> {
        assert!(self.0.remove(path).is_some(), "removed {path:?}, where no row was");
        Ok(())
    }
}

type Changes = BTreeMap<B256, Option<Vec<u8>>>;
type Values = BTreeMap<B256, Vec<u8>>;

/// Root by the reference implementation, and its proof of one key.
fn reference(values: &Values, target: B256) -> (B256, Vec<Vec<u8>>) {
    let retainer = ProofRetainer::new(vec![Nibbles::unpack(target)]);
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in values {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    (root, nodes.into_iter().map(|(_, rlp)| rlp.to_vec()).filter(|rlp| rlp != &[0x80]).collect())
}

fn apply(values: &mut Values, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => values.insert(*key, value.clone()),
            None => values.remove(key),
        };
    }
}

fn fresh(values: &Values) -> Memory {
    let mut store = Memory::default();
    update(&mut store, values.iter().map(|(key, value)| (*key, Some(value.clone())))).unwrap();
    store
}

fn check_proof(store: &Memory, root: B256, values: &Values, key: B256) {
    let nodes = proof(store, key).unwrap();
    verify_proof(root, Nibbles::unpack(key), values.get(&key).cloned(), &nodes).unwrap();
    let lie = Some(vec![0xfe; 5]);
    assert!(verify_proof(root, Nibbles::unpack(key), lie, &nodes).is_err(), "proof of another value");
}

/// Keys that differ in few nibbles, at the head, in the middle or at the very end, so that batches meet: long
/// extensions, deep forks, and nodes short enough to be embedded.
fn key() -> impl Strategy<Value = B256> {
    let nibble = || prop_oneof![Just(0u8), Just(1), Just(7), Just(15)];
    let few = (nibble(), nibble(), nibble(), nibble()).prop_map(|(a, b, c, d)| {
        let mut key = B256::repeat_byte(0x11);
        key.0[0] = a << 4 | b;
        key.0[20] = c << 4 | 1;
        key.0[31] = 0x10 | d;
        key
    });
    prop_oneof![8 => few, 1 => any::<[u8; 32]>().prop_map(B256::from)]
}

/// Short values make nodes of less than 32 bytes, which are embedded.
fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        3 => Just(None),
        3 => (1u8..0x80).prop_map(|byte| Some(vec![byte])),
        3 => vec(any::<u8>(), 2..110).prop_map(Some),
    ]
}

fn batches() -> impl Strategy<Value = Vec<Changes>> {
    vec(proptest::collection::btree_map(key(), value(), 0..24), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_batch_gives_the_root_and_the_proofs_of_the_reference(batches in batches(), absent in key()) {
        let (mut store, mut values) = (Memory::default(), Values::new());
        for changes in batches {
            apply(&mut values, &changes);
            let root = update(&mut store, changes.clone()).unwrap();
            let (expected, nodes) = reference(&values, absent);
            prop_assert_eq!(root, expected);
            prop_assert_eq!(super::root(&store).unwrap(), expected);
            for key in values.keys().chain(changes.keys()).chain([&absent]) {
                check_proof(&store, root, &values, *key);
            }
            // The reference keeps embedded nodes apart; ours are those of them that have a hash, and the root.
            let ours: Vec<Vec<u8>> = proof(&store, absent).unwrap().iter().map(|rlp| rlp.to_vec()).collect();
            let hashed: Vec<_> = nodes.into_iter().enumerate().filter(|(i, rlp)| *i == 0 || rlp.len() >= 32).collect();
            prop_assert!(hashed.iter().map(|(_, rlp)| rlp).eq(&ours));
        }
    }

    #[test]
    fn no_orphan_node_stays(batches in batches()) {
        let (mut store, mut values) = (Memory::default(), Values::new());
        for changes in batches {
            apply(&mut values, &changes);
            update(&mut store, changes).unwrap();
            prop_assert_eq!(&store, &fresh(&values));
        }
        let all: Changes = values.keys().map(|key| (*key, None)).collect();
        prop_assert_eq!(update(&mut store, all).unwrap(), EMPTY_ROOT_HASH);
        prop_assert!(store.0.is_empty());
    }

    #[test]
    fn one_batch_or_many_single_changes_end_alike(changes in proptest::collection::btree_map(key(), value(), 0..24)) {
        let mut values = Values::new();
        apply(&mut values, &changes);
        let mut store = Memory::default();
        for (key, value) in changes.into_iter().rev() {
            update(&mut store, [(key, value)]).unwrap();
        }
        prop_assert_eq!(store, fresh(&values));
    }

    #[test]
    fn a_damaged_store_is_an_error_and_never_a_panic(
        first in batches(), second in batches(), at in any::<prop::sample::Index>(), how in 0u8..4,
        byte in any::<prop::sample::Index>(), noise in any::<u8>(), target in key(),
    ) {
        let mut store = Memory::default();
        for changes in first {
            update(&mut store, changes).unwrap();
        }
        if !store.0.is_empty() {
            let path = *store.0.keys().nth(at.index(store.0.len())).unwrap();
            let other = store.0.values().nth(byte.index(store.0.len())).unwrap().clone();
            let row = store.0.get_mut(&path).unwrap();
            match how {
                0 => { store.0.remove(&path); }
                1 => row.truncate(byte.index(row.len())),
                2 => { let i = byte.index(row.len()); row[i] ^= noise; }
                _ => *row = other,
            }
        }
        let _ = proof(&store, target);
        for changes in second {
            // Past an error the batch would be dropped. Going on here only looks for panics.
            let _ = update(&mut Forgiving(&mut store), changes);
        }
    }
}

/// A damaged trie may ask to remove what is not there.
struct Forgiving<'a>(&'a mut Memory);

impl NodeReader for Forgiving<'_> {
    type Error = Infallible;
    type Rlp<'a>
        = &'a [u8]
    where
        Self: 'a;

    fn owner(&self) -> Option<B256> {
        None
    }

    fn get(&self, path: &Nibbles) -> Result<Option<&[u8]>, Never> {
        self.0.get(path)
    }
}

impl NodeStore for Forgiving<'_> {
    fn put(&mut self, path: &Nibbles, node: &TrieNode, rlp: &[u8]) -> Result<(), Never> {
        self.0.put(path, node, rlp)
    }

    fn remove(&mut self, path: &Nibbles) -> Result<(), Never> {
        self.0.0.remove(path);
        Ok(())
    }
}

fn values(keys: &[&str]) -> Changes {
    keys.iter().map(|key| (format!("{key:0<64}").parse().unwrap(), Some(vec![0xaa; 40]))).collect()
}

#[test]
fn a_missing_node_is_named_by_its_path() {
    let mut store = Memory::default();
    update(&mut store, values(&["11", "12", "2"])).unwrap();
    let path = Nibbles::from_nibbles([1]);
    store.0.remove(&path).unwrap();
    let change = values(&["11"]);
    let is_it = |error| matches!(error, TrieError::MissingNode { owner: None, path: at } if at == path);
    assert!(is_it(proof(&store, *change.keys().next().unwrap()).unwrap_err()));
    assert!(is_it(update(&mut store, change).unwrap_err()));
}

#[test]
fn an_undecodable_node_is_named_by_its_path() {
    let mut store = Memory::default();
    update(&mut store, values(&["11", "12", "2"])).unwrap();
    let path = Nibbles::from_nibbles([1]);
    store.0.insert(path, vec![0xc1, 0x80, 0x00]);
    let error = update(&mut store, values(&["11"])).unwrap_err();
    assert!(matches!(error, TrieError::BadNode { owner: None, path: at, .. } if at == path));
    assert!(error.to_string().starts_with("trie of accounts has a bad node at path Nibbles(0x1)"), "{error}");
}

#[test]
fn a_branch_that_loses_its_second_child_becomes_the_other() {
    let mut store = Memory::default();
    let before = update(&mut store, values(&["11", "12", "2"])).unwrap();
    update(&mut store, values(&["2f"])).unwrap();
    let delete: Changes = values(&["2f"]).into_keys().map(|key| (key, None)).collect();
    assert_eq!(update(&mut store, delete).unwrap(), before);
    assert_eq!(root(&store).unwrap(), before);
}

/// The deepest trie that there can be, built, changed and taken down, on a stack of the size that threads get.
#[test]
fn a_fork_at_every_nibble_does_not_exhaust_the_stack() {
    let keys = (0..64).map(|i| format!("{}1", "0".repeat(i))).chain(["0".to_owned()]);
    let changes: Changes = keys.flat_map(|key| values(&[key.as_str()])).collect();
    let mut all = Values::new();
    apply(&mut all, &changes);
    let mut store = Memory::default();
    assert_eq!(update(&mut store, changes.clone()).unwrap(), reference(&all, B256::ZERO).0);
    assert_eq!(proof(&store, B256::ZERO).unwrap().len(), 65);
    let other: Changes = changes.keys().map(|key| (*key, Some(vec![0xbb; 40]))).collect();
    update(&mut store, other).unwrap();
    let none: Changes = changes.into_keys().map(|key| (key, None)).collect();
    assert_eq!(update(&mut store, none).unwrap(), EMPTY_ROOT_HASH);
    assert!(store.0.is_empty());
}
