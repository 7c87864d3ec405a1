//! Keys: what a node signs with, and the files that hold it.
//!
//! A node has two secp256k1 keys. The *account* key signs transactions; the *consensus* key signs votes and proposals
//! and draws the VRF. They are never the same key. Each lies in a file of mode 0600 that is written once, whole, and
//! never overwritten. No other room sees the bytes of a secret. A third key is that of the network, which
//! signs nothing of the chain: only a seed derived from it leaves this room. Beside them a small file says what the consensus key has
//! signed last, so that a store that lost its end does not lead to a second vote.

mod dev;
mod error;
mod file;
mod highest_signed;
mod network_key;
mod node_keys;
mod secret;
mod token;
mod unfinished;

pub use dev::{DEV_ACCOUNTS, DEV_MNEMONIC, DevAccount};
pub use error::{InvalidSecret, KeyError};
pub use file::{create_key_file, read_key, read_key_file};
pub use highest_signed::{HIGHEST_SIGNED_FILE, HighestSigned, HighestSignedFile, SignedStep};
pub use network_key::{NETWORK_KEY_FILE, NetworkKey};
pub use node_keys::{ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, NodeKeys, create_key_folder};
pub use secret::SecretKey;
pub use token::write_token_file;
pub use unfinished::clear_unfinished;
