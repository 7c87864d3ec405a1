//! Room `state`.

mod trie;

pub use trie::{NodeStore, TrieError, proof, root, update};
