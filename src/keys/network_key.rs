//! The key by which other nodes know this one. It signs nothing of the chain, and no key of the chain stands for it.

use std::path::Path;

use zeroize::Zeroizing;

use super::{KeyError, SecretKey, node_keys::read_or_create, read_key_file};

/// Name of the file with the key that connections with other nodes are authenticated by.
pub const NETWORK_KEY_FILE: &str = "p2p.key";

/// What the seed is derived for, so that it is no other secret: not even that of the file, if somebody put a copy of another
/// key there.
const SEED_CONTEXT: &str = "lucid-node 2026 seed of the key of the p2p network";

/// The key of a node among nodes. A new one makes it a stranger to its peers, and nothing is lost with the old one.
#[derive(Clone, Debug)]
pub struct NetworkKey(SecretKey);

impl NetworkKey {
    /// Reads the key in `folder`, or makes it where there is none.
    ///
    /// # Errors
    /// As [`read_key_file`], other than for what is missing; [`KeyError::AlreadyExists`], [`KeyError::Entropy`].
    pub fn load_or_create(folder: &Path) -> Result<Self, KeyError> {
        read_or_create(&folder.join(NETWORK_KEY_FILE)).map(Self)
    }

    /// Reads the key in `folder` and makes nothing.
    ///
    /// # Errors
    /// As [`read_key_file`].
    pub fn load(folder: &Path) -> Result<Self, KeyError> {
        read_key_file(&folder.join(NETWORK_KEY_FILE)).map(Self)
    }

    /// The 32 bytes from which the network makes its key pair.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(SEED_CONTEXT);
        hasher.update(&*self.0.to_line());
        Zeroizing::new(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_its_file_is_its_owners_alone() {
        let folder = TempDir::new().unwrap();
        assert!(matches!(NetworkKey::load(folder.path()), Err(KeyError::NotFound { .. })));
        let made = NetworkKey::load_or_create(folder.path()).unwrap();
        let path = folder.path().join(NETWORK_KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(NetworkKey::load_or_create(folder.path()).unwrap().seed(), made.seed());
        fs::write(&path, "damaged").unwrap();
        assert!(matches!(NetworkKey::load_or_create(folder.path()), Err(KeyError::Content { .. })));
    }

    #[test]
    fn the_seed_is_not_the_secret_of_the_file_and_stays_the_same() {
        let key = NetworkKey(SecretKey::from_bytes(&[7; 32]).unwrap());
        assert_ne!(*key.seed(), [7; 32]);
        let pinned = alloy_primitives::hex!("fa2e147bbf338007f286e7ca6f17def3d76aacd411bdb3c719ac924dfb59278c");
        assert_eq!(*key.seed(), pinned, "a node that is updated keeps its name");
    }
}
