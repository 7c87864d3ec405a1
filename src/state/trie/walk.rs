//! Every leaf of a stored trie, with each node held against the hash that its parent names it by.

use alloy_primitives::{B256, keccak256};
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles,
    nodes::{RlpNode, TrieNode},
};

use super::{NodeReader, TrieError, node};

/// Calls `leaf` with the key and the value of every leaf, in order of keys, and returns how many nodes have a row or are
/// read as if they had one. The first node that is missing, damaged or not the one that its parent names is an error.
pub(in crate::state) fn walk<S: NodeReader>(
    store: &S,
    root: B256,
    leaf: &mut dyn FnMut(B256, &[u8]),
) -> Result<u64, TrieError<S::Error>> {
    let top = Nibbles::new();
    if root == EMPTY_ROOT_HASH {
        return match store.get(&top)? {
            None => Ok(0),
            Some(_) => Err(wrong(store, &top)),
        };
    }
    let mut walk = Walk { store, leaf, nodes: 0 };
    walk.below(top, &RlpNode::word_rlp(&root))?;
    Ok(walk.nodes)
}

fn wrong<S: NodeReader>(store: &S, path: &Nibbles) -> TrieError<S::Error> {
    let reason = alloy_rlp::Error::Custom("its hash is not the one that leads to it");
    TrieError::BadNode { owner: store.owner(), path: *path, reason }
}

struct Walk<'a, S> {
    store: &'a S,
    leaf: &'a mut dyn FnMut(B256, &[u8]),
    nodes: u64,
}

impl<S: NodeReader> Walk<'_, S> {
    fn below(&mut self, path: Nibbles, reference: &RlpNode) -> Result<(), TrieError<S::Error>> {
        let node = match reference.as_hash() {
            None => node::decode(self.store, &path, reference)?,
            Some(hash) => {
                let owner = self.store.owner();
                let rlp = self.store.get(&path)?.ok_or(TrieError::MissingNode { owner, path })?;
                if keccak256(&*rlp) != hash {
                    return Err(wrong(self.store, &path));
                }
                self.nodes += 1;
                node::decode(self.store, &path, &rlp)?
            }
        };
        match node {
            TrieNode::EmptyRoot => Ok(()),
            TrieNode::Branch(branch) => branch.state_mask.iter().zip(&branch.stack).try_for_each(|(nibble, child)| {
                let mut below = path;
                below.push_unchecked(nibble);
                self.below(below, child)
            }),
            TrieNode::Extension(extension) => self.below(path.join(&extension.key), &extension.child),
            TrieNode::Leaf(leaf) => {
                let mut key = B256::ZERO;
                path.join(&leaf.key).pack_to(key.as_mut_slice());
                (self.leaf)(key, &leaf.value);
                Ok(())
            }
        }
    }
}
