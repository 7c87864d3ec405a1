//! The Merkle-Patricia path from a block's receipts root to one receipt.
//!
//! alloy-trie's own check is not used on it: that one takes the value as known, and it panics on a hostile path whose
//! extension nodes are together longer than a key. Its decoder of single nodes is.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{Nibbles, nodes::TrieNode};

/// Where the path from the receipts root to a receipt breaks. Nodes are counted from 1, the root node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptPathError {
    /// A node is not the one that its parent, or for the first one the header, names.
    #[error("node {node} has the hash {found}, not {expected}")]
    NodeHash {
        /// The node.
        node: usize,
        /// Hash that the parent names.
        expected: B256,
        /// Hash of the node in the proof.
        found: B256,
    },
    /// Not the encoding of a node.
    #[error("node {node} is not a trie node: {source}")]
    NodeEncoding {
        /// The node.
        node: usize,
        /// What the decoder said.
        source: alloy_rlp::Error,
    },
    /// The trie has nothing, or something else, where the receipt should be.
    #[error("node {node} does not lead to this transaction")]
    LeadsElsewhere {
        /// The node.
        node: usize,
    },
    /// Nodes follow after the receipt.
    #[error("nodes follow after the receipt at node {node}")]
    Overlong {
        /// The node with the receipt.
        node: usize,
    },
    /// The path ends before it has come to the receipt.
    #[error("it ends after {0} nodes, before the receipt")]
    Incomplete(usize),
}

/// Follows `path` from `root` along the key of the transaction at `index` (RLP of the index) and returns the bytes
/// of its receipt (EIP-2718).
///
/// Every node on the way is named by its hash: a receipt has more than 256 bytes, and with it every node above it more
/// than the 31 up to which a node stands inside its parent. Keys are prefix-free, so no branch holds a value.
pub(super) fn receipt_at(root: B256, index: u64, path: &[Bytes]) -> Result<Vec<u8>, ReceiptPathError> {
    let key = Nibbles::unpack(alloy_rlp::encode_fixed_size(&index));
    let (mut expected, mut walked) = (root, 0);
    for (place, bytes) in path.iter().enumerate() {
        let node = place + 1;
        let found = keccak256(bytes);
        if found != expected {
            return Err(ReceiptPathError::NodeHash { node, expected, found });
        }
        let decoded = decode_node(bytes).map_err(|source| ReceiptPathError::NodeEncoding { node, source })?;
        // `walked` never passes the key's end: a branch takes a nibble that is there, an extension what matches.
        let rest = key.slice(walked..);
        let elsewhere = ReceiptPathError::LeadsElsewhere { node };
        let child = match decoded {
            TrieNode::Leaf(leaf) if leaf.key != rest => return Err(elsewhere),
            TrieNode::Leaf(_) if node < path.len() => return Err(ReceiptPathError::Overlong { node }),
            TrieNode::Leaf(leaf) => return Ok(leaf.value),
            TrieNode::Extension(extension) if rest.starts_with(&extension.key) => {
                walked += extension.key.len();
                extension.child
            }
            TrieNode::Branch(branch) => {
                walked += 1;
                let (next, branch) = (rest.first(), branch.as_ref());
                let child = branch.children().find(|(nibble, _)| Some(*nibble) == next);
                child.and_then(|(_, child)| child.cloned()).ok_or_else(|| elsewhere.clone())?
            }
            TrieNode::Extension(_) | TrieNode::EmptyRoot => return Err(elsewhere),
        };
        expected = child.as_hash().ok_or(elsewhere)?;
    }
    Err(ReceiptPathError::Incomplete(path.len()))
}

fn decode_node(mut bytes: &[u8]) -> alloy_rlp::Result<TrieNode> {
    let node = TrieNode::decode(&mut bytes)?;
    if bytes.is_empty() { Ok(node) } else { Err(alloy_rlp::Error::UnexpectedLength) }
}
