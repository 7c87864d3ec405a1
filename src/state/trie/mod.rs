//! An incremental Merkle-Patricia trie (Ethereum yellow paper, appendix D) whose nodes are stored by path.
//!
//! A node's row is named by where it stands, not by its hash, so an update overwrites the rows on its way and
//! nothing has to be collected later: at any moment the store holds exactly the nodes of the latest trie.
//! - Keys are 32-byte hashes, so every path ends at 64 nibbles and branches carry no value.
//! - A node whose RLP is shorter than 32 bytes lives inside its parent and has no row. The root always has one,
//!   unless the trie is empty: then the store holds nothing.
//! - Damage never panics: a row that is missing, does not decode or has no place in such a trie is a
//!   [`TrieError`] that names its trie and path. Every step goes at least one nibble deeper, so 64 bounds recursion.

mod fork;
mod node;
mod proof;
mod store;
mod update;
mod walk;

#[cfg(test)]
mod tests;

pub use store::TrieError;

pub(super) use node::decode;
pub(super) use proof::proof;
pub(super) use store::{NodeReader, NodeStore};
pub(super) use update::{root, update};
pub(super) use walk::walk;
