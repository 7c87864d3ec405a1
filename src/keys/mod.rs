//! Keys: what a node signs with, and the files that hold it.
//!
//! A node has two secp256k1 keys. The *account* key signs transactions; the *consensus* key signs votes and proposals
//! and draws the VRF. They are never the same key. Each lies in a file of mode 0600 that is written once, whole, and
//! never overwritten. No other room sees the bytes of a secret.

mod dev;
mod error;
mod file;
mod node_keys;
mod secret;

pub use dev::{DEV_ACCOUNTS, DEV_MNEMONIC, DevAccount};
pub use error::{InvalidSecret, KeyError};
pub use file::{create_key_file, read_key_file};
pub use node_keys::{ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, NodeKeys};
pub use secret::SecretKey;
