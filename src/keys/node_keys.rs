//! The two keys of a node and the folder they lie in, which is its owner's alone (mode 0700).

use std::{fs, os::unix::fs::DirBuilderExt, path::Path};

use super::{
    HighestSigned, HighestSignedFile, KeyError, SecretKey, create_key_file,
    file::{check_private, credentials_folder, folder_of, io_error, look_error, sync_folder},
    read_key_file,
};

/// Name of the file with the key that signs transactions.
pub const ACCOUNT_KEY_FILE: &str = "account.key";
/// Name of the file with the key that signs votes and draws the VRF.
pub const CONSENSUS_KEY_FILE: &str = "consensus.key";

/// Mode of the folder: its owner lists, reads and writes it.
const KEY_FOLDER_MODE: u32 = 0o700;

/// A node's account key and consensus key, which are two different keys.
#[derive(Clone, Debug)]
pub struct NodeKeys {
    account: SecretKey,
    consensus: SecretKey,
}

impl NodeKeys {
    /// Pairs two keys.
    ///
    /// # Errors
    /// [`KeyError::SharedKey`] if they are the same: a vote must never be usable as a transaction's signature.
    pub fn new(account: SecretKey, consensus: SecretKey) -> Result<Self, KeyError> {
        if account == consensus {
            return Err(KeyError::SharedKey { account: account.address() });
        }
        Ok(Self { account, consensus })
    }

    /// Reads both keys from `folder`, and makes nothing: a node with a chain must not go on with a new key.
    ///
    /// # Errors
    /// As [`read_key_file`]; [`KeyError::TooOpen`] also for the folder; [`KeyError::SharedKey`].
    pub fn load(folder: &Path) -> Result<Self, KeyError> {
        check_folder(folder)?;
        Self::new(read_key_file(&folder.join(ACCOUNT_KEY_FILE))?, read_key_file(&folder.join(CONSENSUS_KEY_FILE))?)
    }

    /// Reads both keys from the folder in which a service manager (systemd.exec(5), `LoadCredential=`) gives them to this
    /// process alone; `None` where it gives none of them. Who enters that folder is the service manager's matter.
    ///
    /// # Errors
    /// As [`read_key_file`], [`KeyError::NotFound`] where one of the two is missing; [`KeyError::SharedKey`].
    pub fn load_credentials() -> Result<Option<Self>, KeyError> {
        let Some(folder) = credentials_folder() else { return Ok(None) };
        let (account, consensus) = (folder.join(ACCOUNT_KEY_FILE), folder.join(CONSENSUS_KEY_FILE));
        if !account.exists() && !consensus.exists() {
            return Ok(None);
        }
        Self::new(read_key_file(&account)?, read_key_file(&consensus)?).map(Some)
    }

    /// Reads the keys in `folder`, making the folder and each key that is missing. Run again after a crash it goes on
    /// where it stopped. With a new consensus key comes the file that says that it has signed nothing.
    ///
    /// # Errors
    /// As [`NodeKeys::load`], other than for what is missing; [`KeyError::Entropy`].
    pub fn load_or_create(folder: &Path) -> Result<Self, KeyError> {
        create_key_folder(folder)?;
        let account = read_or_create(&folder.join(ACCOUNT_KEY_FILE))?;
        let consensus = folder.join(CONSENSUS_KEY_FILE);
        let signed = HighestSignedFile::in_folder(folder);
        // Before the key: a key without the file may have signed anything.
        if !consensus.exists() && signed.read()?.is_none() {
            signed.write(HighestSigned::NOTHING)?;
        }
        Self::new(account, read_or_create(&consensus)?)
    }

    /// The key that signs transactions.
    pub fn account(&self) -> &SecretKey {
        &self.account
    }

    /// The key that signs votes and proposals and draws the VRF.
    pub fn consensus(&self) -> &SecretKey {
        &self.consensus
    }
}

/// Makes a folder that only its owner enters, where there is none, and refuses one that others can enter.
///
/// # Errors
/// [`KeyError::TooOpen`], [`KeyError::Io`].
pub fn create_key_folder(folder: &Path) -> Result<(), KeyError> {
    if !folder.exists() {
        let builder = &mut fs::DirBuilder::new();
        builder.recursive(true).mode(KEY_FOLDER_MODE).create(folder).map_err(io_error("create", folder))?;
        sync_folder(folder_of(folder))?;
    }
    check_folder(folder)
}

/// Refuses a folder in which others could see or swap keys. The folder may be a link: what it leads to counts.
fn check_folder(folder: &Path) -> Result<(), KeyError> {
    let metadata = fs::metadata(folder).map_err(look_error(folder))?;
    check_private(folder, &metadata, KEY_FOLDER_MODE)
}

pub(super) fn read_or_create(path: &Path) -> Result<SecretKey, KeyError> {
    match read_key_file(path) {
        Err(KeyError::NotFound { .. }) => {
            let key = SecretKey::generate()?;
            create_key_file(path, &key)?;
            Ok(key)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use tempfile::TempDir;

    use super::*;

    fn same(a: &NodeKeys, b: &NodeKeys) -> bool {
        a.account == b.account && a.consensus == b.consensus
    }

    #[test]
    fn keys_are_made_once_in_a_private_folder_and_found_again() {
        let data = TempDir::new().unwrap();
        let folder = data.path().join("node/keys");
        let made = NodeKeys::load_or_create(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o700);
        assert!(same(&made, &NodeKeys::load_or_create(&folder).unwrap()));
        assert!(same(&made, &NodeKeys::load(&folder).unwrap()));
        assert_ne!(made.account(), made.consensus());
    }

    #[test]
    fn a_new_consensus_key_is_known_to_have_signed_nothing_and_one_that_was_put_there_is_not() {
        let data = TempDir::new().unwrap();
        let (new, copied) = (data.path().join("new"), data.path().join("copied"));
        NodeKeys::load_or_create(&new).unwrap();
        assert_eq!(HighestSignedFile::in_folder(&new).read().unwrap(), Some(HighestSigned::NOTHING));
        create_key_folder(&copied).unwrap();
        fs::copy(new.join(CONSENSUS_KEY_FILE), copied.join(CONSENSUS_KEY_FILE)).unwrap();
        NodeKeys::load_or_create(&copied).unwrap();
        assert_eq!(HighestSignedFile::in_folder(&copied).read().unwrap(), None);
    }

    #[test]
    fn loading_makes_nothing() {
        let data = TempDir::new().unwrap();
        let folder = data.path().join("keys");
        assert!(matches!(NodeKeys::load(&folder), Err(KeyError::NotFound { path }) if path == folder));
        assert!(!folder.exists());
    }

    #[test]
    fn making_goes_on_after_a_crash_between_the_two_files() {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let account = SecretKey::from_bytes(&[1; 32]).unwrap();
        create_key_file(&folder.path().join(ACCOUNT_KEY_FILE), &account).unwrap();
        assert!(
            matches!(NodeKeys::load(folder.path()), Err(KeyError::NotFound { path }) if path.ends_with(CONSENSUS_KEY_FILE))
        );
        assert_eq!(NodeKeys::load_or_create(folder.path()).unwrap().account(), &account);
        assert!(NodeKeys::load(folder.path()).is_ok());
    }

    #[test]
    fn a_damaged_key_file_is_not_replaced_by_a_new_key() {
        let data = TempDir::new().unwrap();
        let folder = data.path().join("keys");
        NodeKeys::load_or_create(&folder).unwrap();
        let path = folder.join(CONSENSUS_KEY_FILE);
        fs::write(&path, "damaged").unwrap();
        assert!(matches!(NodeKeys::load_or_create(&folder), Err(KeyError::Content { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"damaged");
    }

    #[test]
    fn one_key_for_both_purposes_is_refused() {
        let data = TempDir::new().unwrap();
        let folder = data.path().join("keys");
        let made = NodeKeys::load_or_create(&folder).unwrap();
        fs::copy(folder.join(ACCOUNT_KEY_FILE), folder.join(CONSENSUS_KEY_FILE)).unwrap();
        assert!(
            matches!(NodeKeys::load(&folder), Err(KeyError::SharedKey { account }) if account == made.account().address())
        );
    }

    #[test]
    fn a_folder_open_to_others_is_refused_with_its_remedy() {
        let data = TempDir::new().unwrap();
        let folder = data.path().join("keys");
        NodeKeys::load_or_create(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o750)).unwrap();
        let text = NodeKeys::load(&folder).unwrap_err().to_string();
        assert!(text.contains("mode 0750") && text.contains(&format!("chmod 700 {}", folder.display())), "{text}");
    }
}
