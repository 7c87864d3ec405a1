//! Files with a secret in them: read only where nobody but the owner can, as key files are.

use super::error::MongoError;
use std::{
    env,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Most bytes that are read of one: a URI with many hosts and options is far below it.
const MAX_SECRET_FILE_BYTES: usize = 8 << 10;

/// Permission bits, without those that tell the type of a file.
const PERMISSION_BITS: u32 = 0o7777;
/// Permission bits of the owner's group and of everybody else.
const GROUP_AND_OTHERS: u32 = 0o077;
/// What the owner's group may do with a credential: who may enter the folder is the service manager's matter.
const GROUP_READS: u32 = 0o040;

/// Where a service manager (systemd.exec(5), LoadCredential=) puts secrets for this process alone.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The text in the file at `path`, without the white space around it.
///
/// # Errors
///
/// It is not there, is no regular file (a link is none), others can read it, or it holds no text.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, MongoError> {
    let credentials = env::var_os(CREDENTIALS_VARIABLE).map(PathBuf::from);
    read_secret_of(path, credentials.as_deref())
}

fn read_secret_of(path: &Path, credentials: Option<&Path>) -> Result<Zeroizing<String>, MongoError> {
    let io = |source: io::Error| MongoError::SecretFile { path: path.to_owned(), source };
    if path.to_string_lossy().contains("://") {
        return Err(MongoError::UriForFile);
    }
    let not_regular = || MongoError::NotRegularFile { path: path.to_owned() };
    // The look before the open keeps a named pipe from hanging the program.
    let named = fs::symlink_metadata(path).map_err(io)?;
    if !named.is_file() {
        return Err(not_regular());
    }
    let file = File::open(path).map_err(io)?;
    let opened = file.metadata().map_err(io)?;
    if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(not_regular());
    }
    let is_credential = credentials.is_some_and(|folder| path.parent() == Some(folder));
    let refused = if is_credential { GROUP_AND_OTHERS & !GROUP_READS } else { GROUP_AND_OTHERS };
    let mode = opened.permissions().mode() & PERMISSION_BITS;
    if mode & refused != 0 {
        return Err(MongoError::TooOpen { path: path.to_owned(), mode });
    }
    // With room from the start: a buffer that grew would leave a copy of the secret behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_SECRET_FILE_BYTES + 1));
    file.take(MAX_SECRET_FILE_BYTES as u64 + 1).read_to_end(&mut content).map_err(io)?;
    let content_fault = |what| MongoError::SecretContent { path: path.to_owned(), what };
    if content.len() > MAX_SECRET_FILE_BYTES {
        return Err(content_fault("it has more than 8 KiB"));
    }
    let text = std::str::from_utf8(&content).map_err(|_| content_fault("it is no text"))?.trim();
    if text.is_empty() {
        return Err(content_fault("it is empty"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::symlink};

    #[test]
    fn a_connection_string_in_place_of_a_file_is_not_repeated() {
        let refused = read_secret(Path::new("mongodb://me:pa55word@host/")).unwrap_err();
        assert!(matches!(refused, MongoError::UriForFile) && !refused.to_string().contains("pa55word"), "{refused}");
    }

    #[test]
    fn what_others_can_read_is_refused_and_a_credential_may_be_its_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("uri");
        fs::write(&path, " mongodb://a \n").unwrap();
        let read = |mode: u32, credentials: Option<&Path>| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            read_secret_of(&path, credentials)
        };
        for mode in [0o600, 0o400] {
            assert_eq!(&*read(mode, None).unwrap(), "mongodb://a");
        }
        for mode in [0o640, 0o604, 0o620, 0o644] {
            assert!(matches!(read(mode, None), Err(MongoError::TooOpen { .. })), "{mode:o}");
        }
        assert!(read(0o440, Some(folder.path())).is_ok());
        assert!(matches!(read(0o444, Some(folder.path())), Err(MongoError::TooOpen { .. })));
        assert!(matches!(read(0o440, Some(Path::new("/run"))), Err(MongoError::TooOpen { .. })));
    }

    #[test]
    fn what_is_no_file_with_a_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(matches!(read_secret(&path("none")), Err(MongoError::SecretFile { .. })));
        fs::write(path("empty"), "\n").unwrap();
        fs::write(path("large"), vec![b'a'; MAX_SECRET_FILE_BYTES + 1]).unwrap();
        fs::write(path("bytes"), [0xff, 0xfe]).unwrap();
        for name in ["empty", "large", "bytes"] {
            fs::set_permissions(path(name), Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read_secret(&path(name)), Err(MongoError::SecretContent { .. })), "{name}");
        }
        symlink(path("empty"), path("link")).unwrap();
        for name in ["link", "."] {
            assert!(matches!(read_secret(&path(name)), Err(MongoError::NotRegularFile { .. })), "{name}");
        }
    }
}
