//! From rows to nodes: every node that the trie works on came through `decode`, which refuses what could make
//! the algorithms above it go astray (a path past 64 nibbles, an empty step, a child that is nothing).

use alloy_primitives::keccak256;
use alloy_rlp::Decodable;
use alloy_trie::{
    Nibbles,
    nodes::{RlpNode, TrieNode},
};

use super::{NodeReader, TrieError};

/// Length of every key: the nibbles of a 32-byte hash.
pub(super) const KEY_NIBBLES: usize = 64;

/// The root node, or nothing where the trie is empty.
pub(super) fn root<S: NodeReader>(store: &S) -> Result<Option<TrieNode>, TrieError<S::Error>> {
    store.node(&Nibbles::new())
}

/// The child at `path` that its parent names as `reference`: from its row where that is a hash, else from within it.
pub(super) fn resolve<S: NodeReader>(
    store: &S,
    path: &Nibbles,
    reference: &RlpNode,
) -> Result<TrieNode, TrieError<S::Error>> {
    if !reference.is_hash() {
        return decode(store, path, reference);
    }
    let node = store.node(path)?.ok_or_else(|| TrieError::MissingNode { owner: store.owner(), path: *path })?;
    // A leaf is where a value comes in that was read and worked with elsewhere: a damaged one must not be made true by the
    // change that replaces it. Branches above are held against their hashes by the check of the whole state.
    if let TrieNode::Leaf(leaf) = &node
        && reference.as_hash() != Some(keccak256(alloy_rlp::encode(leaf)))
    {
        let reason = alloy_rlp::Error::Custom("the leaf is not the one that its parent names");
        return Err(TrieError::BadNode { owner: store.owner(), path: *path, reason });
    }
    Ok(node)
}

/// Decodes the node at `path` and checks that it can stand there.
pub(in crate::state) fn decode<S: NodeReader>(
    store: &S,
    path: &Nibbles,
    mut rlp: &[u8],
) -> Result<TrieNode, TrieError<S::Error>> {
    let decoded = TrieNode::decode(&mut rlp).and_then(|node| match misplaced(path, &node) {
        _ if !rlp.is_empty() => Err(alloy_rlp::Error::UnexpectedLength),
        Some(reason) => Err(alloy_rlp::Error::Custom(reason)),
        None => Ok(node),
    });
    decoded.map_err(|reason| TrieError::BadNode { owner: store.owner(), path: *path, reason })
}

/// Why a node cannot stand at `path` of a trie whose keys have 64 nibbles, if it cannot.
fn misplaced(path: &Nibbles, node: &TrieNode) -> Option<&'static str> {
    match node {
        TrieNode::EmptyRoot => Some("an empty node has no row"),
        TrieNode::Branch(_) => (path.len() >= KEY_NIBBLES).then_some("a branch below the last nibble"),
        TrieNode::Extension(node) if node.key.is_empty() => Some("an extension of no nibble"),
        TrieNode::Extension(node) => {
            (path.len() + node.key.len() >= KEY_NIBBLES).then_some("an extension past the last branch")
        }
        TrieNode::Leaf(node) => {
            (path.len() + node.key.len() != KEY_NIBBLES).then_some("a leaf whose path is not 64 nibbles")
        }
    }
}
