//! Applies a sorted set of changes from the root down, visiting each node on their way once.
//!
//! The contract of every step: it is handed the node that stands at `at`, decoded, and returns the one that shall
//! stand there, while the row at `at` itself is its caller's to write ([`Updater::settle`]) or remove
//! ([`Updater::vacate`]). So a node that ends up merged into its parent is never written on the way.

use alloy_primitives::{B256, keccak256};
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles,
    nodes::{ExtensionNode, LeafNode, RlpNode, TrieNode},
};

use super::{NodeReader, NodeStore, TrieError, fork::Children, node};

/// RLP of a full branch: the longest node but for a leaf with a long value. Sizes the one encoding buffer.
const BRANCH_RLP_BYTES: usize = 532;

/// The root hash of the stored trie.
pub(in crate::state) fn root<S: NodeReader>(store: &S) -> Result<B256, TrieError<S::Error>> {
    Ok(store.get(&Nibbles::new())?.map_or(EMPTY_ROOT_HASH, |rlp| keccak256(&*rlp)))
}

/// Sets each key to its value's RLP, or deletes it where there is none, and returns the new root hash. Each key is there
/// once, in any order.
///
/// Deleting an absent key changes nothing.
pub(in crate::state) fn update<S: NodeStore>(
    store: &mut S,
    changes: impl IntoIterator<Item = (B256, Option<Vec<u8>>)>,
) -> Result<B256, TrieError<S::Error>> {
    let changes = changes.into_iter().map(|(key, value)| Change { key: Nibbles::unpack_array(&key.0), value });
    let mut changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return root(store);
    }
    // The order is what lets a node be visited once for all the changes below it.
    changes.sort_unstable_by_key(|change| change.key);
    debug_assert!(changes.is_sorted_by(|a, b| a.key < b.key), "a key is there twice");
    let old = node::root(store)?;
    let stored = old.is_some();
    let mut updater = Updater { store, rlp: Vec::with_capacity(BRANCH_RLP_BYTES) };
    match updater.change(Nibbles::new(), old, &mut changes)? {
        Some(new) => updater.settle_root(&new),
        None => updater.vacate(&Nibbles::new(), stored).map(|()| EMPTY_ROOT_HASH),
    }
}

/// One key's new value; nothing deletes it. The value is taken out when it becomes a leaf.
pub(super) struct Change {
    pub(super) key: Nibbles,
    value: Option<Vec<u8>>,
}

/// One run of [`update`]: the store, and a buffer in which every node is encoded.
pub(super) struct Updater<'a, S> {
    pub(super) store: &'a mut S,
    rlp: Vec<u8>,
}

impl<S: NodeStore> Updater<'_, S> {
    /// Applies `changes`, all of them below `at`, to the node there.
    pub(super) fn change(
        &mut self,
        at: Nibbles,
        node: Option<TrieNode>,
        changes: &mut [Change],
    ) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        match node {
            _ if changes.is_empty() => Ok(node),
            None | Some(TrieNode::EmptyRoot) => self.plant(at, changes),
            Some(TrieNode::Leaf(leaf)) => self.change_leaf(at, leaf, changes),
            Some(TrieNode::Extension(extension)) => self.change_extension(at, extension, changes),
            Some(TrieNode::Branch(branch)) => self.fork(at, Children::of(branch), changes),
        }
    }

    /// Grows what `changes` insert where nothing stands yet.
    fn plant(&mut self, at: Nibbles, changes: &mut [Change]) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        match retain(changes, |change| change.value.is_some()) {
            [] => Ok(None),
            [only] => Ok(leaf(&at, only)),
            [first, .., last] => {
                let shared = first.key.common_prefix_length(&last.key);
                let step = first.key.slice(at.len()..shared);
                self.fork_below(at, step, Children::default(), changes)
            }
        }
    }

    fn change_leaf(
        &mut self,
        at: Nibbles,
        old: LeafNode,
        changes: &mut [Change],
    ) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        let key = at.join(&old.key);
        let changes = retain(changes, |change| change.value.is_some() || change.key == key);
        match changes {
            [] => return Ok(Some(TrieNode::Leaf(old))),
            [only] if only.key == key => return Ok(leaf(&at, only)),
            _ => {}
        }
        let shared = shared_by_all(&key, changes);
        let rest = LeafNode::new(key.slice(shared + 1..), old.value);
        let children = Children::with_node(key.get_unchecked(shared), TrieNode::Leaf(rest));
        self.fork_below(at, key.slice(at.len()..shared), children, changes)
    }

    fn change_extension(
        &mut self,
        at: Nibbles,
        old: ExtensionNode,
        changes: &mut [Change],
    ) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        let end = at.join(&old.key);
        let changes = retain(changes, |change| change.value.is_some() || change.key.starts_with(&end));
        if changes.is_empty() {
            return Ok(Some(TrieNode::Extension(old)));
        }
        let shared = shared_by_all(&end, changes);
        if shared == end.len() {
            let below = node::resolve(self.store, &end, &old.child)?;
            let below = self.change(end, Some(below), changes)?;
            return self.prepend(&at, &old.key, below, old.child.is_hash());
        }
        let nibble = end.get_unchecked(shared);
        let rest = end.slice(shared + 1..);
        let children = if rest.is_empty() {
            Children::with_reference(nibble, old.child)
        } else {
            Children::with_node(nibble, TrieNode::Extension(ExtensionNode::new(rest, old.child)))
        };
        self.fork_below(at, end.slice(at.len()..shared), children, changes)
    }

    /// Makes a fork `step` nibbles below `at`, where no row is, and hangs it there.
    fn fork_below(
        &mut self,
        at: Nibbles,
        step: Nibbles,
        children: Children,
        changes: &mut [Change],
    ) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        let fork = self.fork(at.join(&step), children, changes)?;
        self.prepend(&at, &step, fork, false)
    }

    /// Turns the node that stands `step` nibbles below `at` into one that stands at `at`. Its own row goes
    /// (`stored` says whether it has one) unless it is a branch, which cannot absorb nibbles.
    pub(super) fn prepend(
        &mut self,
        at: &Nibbles,
        step: &Nibbles,
        node: Option<TrieNode>,
        stored: bool,
    ) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        if step.is_empty() {
            return Ok(node);
        }
        let below = at.join(step);
        let node = match node {
            Some(TrieNode::Branch(branch)) => {
                let child = self.settle(&below, &TrieNode::Branch(branch), stored)?;
                return Ok(Some(TrieNode::Extension(ExtensionNode::new(*step, child))));
            }
            Some(TrieNode::Extension(node)) => {
                Some(TrieNode::Extension(ExtensionNode::new(step.join(&node.key), node.child)))
            }
            Some(TrieNode::Leaf(node)) => Some(TrieNode::Leaf(LeafNode::new(step.join(&node.key), node.value))),
            Some(TrieNode::EmptyRoot) | None => None,
        };
        self.vacate(&below, stored)?;
        Ok(node)
    }

    /// Gives the finished node at `at` its row, or takes it away where the node fits into its parent, and
    /// returns what the parent holds of it. `stored` says whether there is a row now.
    pub(super) fn settle(
        &mut self,
        at: &Nibbles,
        node: &TrieNode,
        stored: bool,
    ) -> Result<RlpNode, TrieError<S::Error>> {
        self.rlp.clear();
        let reference = node.rlp(&mut self.rlp);
        if reference.is_hash() {
            self.store.put(at, node, &self.rlp)?;
        } else {
            self.vacate(at, stored)?;
        }
        Ok(reference)
    }

    /// The root has a row and a hash however short it is.
    fn settle_root(&mut self, node: &TrieNode) -> Result<B256, TrieError<S::Error>> {
        self.rlp.clear();
        let reference = node.rlp(&mut self.rlp);
        self.store.put(&Nibbles::new(), node, &self.rlp)?;
        Ok(reference.as_hash().unwrap_or_else(|| keccak256(&self.rlp)))
    }

    /// Removes the row at `at` if there is one.
    pub(super) fn vacate(&mut self, at: &Nibbles, stored: bool) -> Result<(), TrieError<S::Error>> {
        if stored {
            self.store.remove(at)?;
        }
        Ok(())
    }
}

/// The leaf at `at` for a change, or nothing where it deletes.
fn leaf(at: &Nibbles, change: &mut Change) -> Option<TrieNode> {
    let value = change.value.take()?;
    Some(TrieNode::Leaf(LeafNode::new(change.key.slice(at.len()..), value)))
}

/// How many nibbles of `path` every change shares. Sorted keys that share a prefix share it with all between them.
fn shared_by_all(path: &Nibbles, changes: &[Change]) -> usize {
    let shared = |change: Option<&Change>| change.map_or(path.len(), |change| change.key.common_prefix_length(path));
    shared(changes.first()).min(shared(changes.last()))
}

/// Moves the changes that `keep` names to the front, in order, and returns them. The others have no effect.
fn retain(changes: &mut [Change], keep: impl Fn(&Change) -> bool) -> &mut [Change] {
    let mut kept = 0;
    for index in 0..changes.len() {
        if keep(&changes[index]) {
            changes.swap(kept, index);
            kept += 1;
        }
    }
    &mut changes[..kept]
}
