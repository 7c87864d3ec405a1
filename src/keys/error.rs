//! What can be wrong with a key or its file. Messages name the file and the remedy, and never any of its content.

use std::{io, path::PathBuf};

use alloy_primitives::Address;
use thiserror::Error;

/// Why 32 bytes or a line of text is not a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// The text is not 64 hexadecimal digits.
    #[error("expected 64 hexadecimal digits and a newline")]
    NotHex,
    /// The number is zero or not below the order of secp256k1.
    #[error("the number is zero or not below the order of secp256k1")]
    OutOfRange,
}

/// Why a key could not be read, made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no key file, or no folder for keys, at this path.
    #[error("no keys: {} does not exist", .path.display())]
    NotFound {
        /// The file or folder looked for.
        path: PathBuf,
    },
    /// A file is already at this path; key files are never overwritten.
    #[error("{} exists already; a key file is never overwritten", .path.display())]
    AlreadyExists {
        /// The file found.
        path: PathBuf,
    },
    /// The path names a symbolic link, a folder or a device, or it changed while it was opened.
    #[error("{} is not a regular file; put the key itself there, not a link", .path.display())]
    NotRegularFile {
        /// The path refused.
        path: PathBuf,
    },
    /// The file or folder can be used by others than its owner.
    #[error("{} has mode {mode:04o} and so is open to other users; run: chmod {allowed:o} {}", .path.display(), .path.display())]
    TooOpen {
        /// The file or folder refused.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The permission bits it should have.
        allowed: u32,
    },
    /// The file does not hold a secret key.
    #[error("{} does not hold a secret key: {source}", .path.display())]
    Content {
        /// The file refused.
        path: PathBuf,
        /// What is wrong with its content.
        source: InvalidSecret,
    },
    /// What was given as the name of a file is a key itself. It is not repeated.
    #[error("a key was given where the name of a key file belongs; write it to a file of mode 0600 and name that")]
    SecretAsPath,
    /// The file beside the keys does not say what was signed.
    #[error("{} does not say what was signed last: it is damaged", .path.display())]
    HighestSigned {
        /// The file.
        path: PathBuf,
    },
    /// One key was given for both purposes.
    #[error("the consensus key is the account key of {account}; a node needs two different keys")]
    SharedKey {
        /// The account of that key.
        account: Address,
    },
    /// The operating system gave no randomness.
    #[error("no randomness for a new key: {0}")]
    Entropy(#[from] getrandom::Error),
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
}
