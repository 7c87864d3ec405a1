//! What the trie asks of whoever keeps its nodes, and what it says when that goes wrong.

use std::ops::Deref;

use alloy_primitives::{Address, B256};
use alloy_trie::{Nibbles, nodes::TrieNode};

use super::decode;

/// The nodes of one trie to read, each under its path from the root.
pub(in crate::state) trait NodeReader {
    /// What reading or writing a row can fail with.
    type Error;

    /// The RLP of a node where it lies: nothing is copied to read it.
    type Rlp<'a>: Deref<Target = [u8]>
    where
        Self: 'a;

    /// Whose trie this is, for error messages: nothing for the account trie, keccak256(address) for a storage trie.
    fn owner(&self) -> Option<B256>;

    /// The RLP of the node at `path`, if there is a row.
    fn get(&self, path: &Nibbles) -> Result<Option<Self::Rlp<'_>>, TrieError<Self::Error>>;

    /// The node at `path`, decoded and checked to fit there. A store that makes nodes need not encode them for this.
    fn node(&self, path: &Nibbles) -> Result<Option<TrieNode>, TrieError<Self::Error>>
    where
        Self: Sized,
    {
        self.get(path)?.map(|rlp| decode(self, path, &rlp)).transpose()
    }
}

/// The nodes of one trie to change.
pub(in crate::state) trait NodeStore: NodeReader {
    /// Writes the node at `path`, whose RLP is `rlp`, over what was there. In one update a path is written or removed
    /// once at most, and after it was read; a leaf is one that a change makes, or that was read in the same update.
    fn put(&mut self, path: &Nibbles, node: &TrieNode, rlp: &[u8]) -> Result<(), TrieError<Self::Error>>;

    /// Removes the node at `path`. The trie asks this only of rows that it has read or whose hash it has seen.
    fn remove(&mut self, path: &Nibbles) -> Result<(), TrieError<Self::Error>>;
}

/// Why a trie could not be read or updated. After one of these in `update` the store is half written: drop the batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrieError<E> {
    /// A parent names the hash of a node that has no row.
    #[error("trie {} has no node at path {path:?}", display_owner(owner))]
    MissingNode {
        /// The account whose storage trie it is, hashed; nothing for the account trie.
        owner: Option<B256>,
        /// Where the node should be.
        path: Nibbles,
    },
    /// A node is not RLP of a trie node, or cannot stand where it stands.
    #[error("trie {} has a bad node at path {path:?}: {reason}", display_owner(owner))]
    BadNode {
        /// The account whose storage trie it is, hashed; nothing for the account trie.
        owner: Option<B256>,
        /// Where the node is.
        path: Nibbles,
        /// What is wrong with it.
        reason: alloy_rlp::Error,
    },
    /// A leaf of the account trie names an account that is not stored.
    #[error("trie of accounts has a leaf of {address} at path {path:?}, and there is no such account")]
    MissingAccount {
        /// Where the leaf is.
        path: Nibbles,
        /// The account.
        address: Address,
    },
    /// A leaf of the account trie names an account whose hashed address leads elsewhere.
    #[error("trie of accounts has a leaf of {address} at path {path:?}, which is not on the way to that account")]
    MisplacedAccount {
        /// Where the leaf is.
        path: Nibbles,
        /// The account.
        address: Address,
    },
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] E),
}

fn display_owner(owner: &Option<B256>) -> String {
    owner.map_or_else(|| "of accounts".to_owned(), |owner| format!("of storage {owner}"))
}
