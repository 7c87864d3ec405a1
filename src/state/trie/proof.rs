//! Merkle proofs as `eth_getProof` gives them (EIP-1186).

use alloy_primitives::{B256, Bytes};
use alloy_trie::{
    Nibbles,
    nodes::{RlpNode, TrieNode},
};

use super::{NodeReader, TrieError, node};

/// The RLP of the nodes from the root towards `key`, as far as the trie goes: they end at its leaf where it is
/// present and else at the node that shows there is none. Nodes that are embedded in their parent are not
/// repeated; of an empty trie there is nothing to show.
pub(in crate::state) fn proof<S: NodeReader>(store: &S, key: B256) -> Result<Vec<Bytes>, TrieError<S::Error>> {
    let key = Nibbles::unpack_array(&key.0);
    let mut path = Nibbles::new();
    let mut nodes = Vec::new();
    let Some(rlp) = store.get(&path)? else { return Ok(nodes) };
    let mut node = node::decode(store, &path, &rlp)?;
    nodes.push(Bytes::copy_from_slice(&rlp));
    while let Some((below, reference)) = towards(&key, &path, &node) {
        path = below;
        node = if reference.is_hash() {
            let owner = store.owner();
            let rlp = store.get(&path)?.ok_or(TrieError::MissingNode { owner, path })?;
            nodes.push(Bytes::copy_from_slice(&rlp));
            node::decode(store, &path, &rlp)?
        } else {
            node::decode(store, &path, reference)?
        };
    }
    Ok(nodes)
}

/// The child of the node at `path` that is on the way to `key`, and where it stands.
fn towards<'a>(key: &Nibbles, path: &Nibbles, node: &'a TrieNode) -> Option<(Nibbles, &'a RlpNode)> {
    match node {
        TrieNode::Branch(branch) => {
            let nibble = key.get(path.len())?;
            let index = branch.state_mask.iter().position(|child| child == nibble)?;
            Some((key.slice(..=path.len()), branch.stack.get(index)?))
        }
        TrieNode::Extension(extension) => {
            let below = path.join(&extension.key);
            key.starts_with(&below).then_some((below, &extension.child))
        }
        TrieNode::Leaf(_) | TrieNode::EmptyRoot => None,
    }
}
