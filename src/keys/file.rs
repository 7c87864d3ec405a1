//! Key files: 64 hexadecimal digits and a newline, mode 0600.
//!
//! A file appears whole or not at all, and never over another: it is written and synced under a temporary name, moved
//! with a rename that refuses to replace, and then the folder is synced. It is read only if nobody but its owner can.

use std::{
    env,
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{InvalidSecret, KeyError, SecretKey, unfinished::NEW_KEY_PREFIX};

/// Mode of a key file: its owner reads and writes it.
pub(super) const KEY_FILE_MODE: u32 = 0o600;
/// Permission bits of the owner's group and of everybody else.
const GROUP_AND_OTHERS: u32 = 0o077;
/// All permission bits, without the bits that tell the type of a file.
const PERMISSION_BITS: u32 = 0o7777;
/// Most bytes read from a key file: 0x, 64 digits and a line end take 68, so a longer file is something else.
const MAX_KEY_FILE_BYTES: usize = 80;

/// Where a service manager (systemd.exec(5), LoadCredential=) puts secrets for this process alone.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// What the owner's group may do with a credential: who may enter the folder is the service manager's matter.
const GROUP_READS: u32 = 0o040;

/// Reads the key in the file at `path`. 0x before the digits and a missing or Windows line end are accepted.
///
/// # Errors
/// [`KeyError::NotFound`], [`KeyError::NotRegularFile`] (a symbolic link included), [`KeyError::TooOpen`] if group or
/// others have any right, [`KeyError::Content`], [`KeyError::SecretAsPath`], [`KeyError::Io`].
pub fn read_key_file(path: &Path) -> Result<SecretKey, KeyError> {
    if path.to_str().is_some_and(looks_like_a_secret) {
        return Err(KeyError::SecretAsPath);
    }
    read_key(&mut open_own_file(path)?, path)
}

/// Reads a key from what somebody pipes in; `path` is what messages call it.
///
/// # Errors
/// [`KeyError::Content`], [`KeyError::Io`].
pub fn read_key(file: &mut impl Read, path: &Path) -> Result<SecretKey, KeyError> {
    // With room to spare from the start: a buffer that grew would leave a copy of the secret behind.
    let mut content = Zeroizing::new(Vec::with_capacity(2 * MAX_KEY_FILE_BYTES));
    let limit = MAX_KEY_FILE_BYTES as u64;
    Read::take(file, limit).read_to_end(&mut content).map_err(io_error("read", path))?;

    let line = std::str::from_utf8(&content).map_err(|_| InvalidSecret::NotHex);
    let digits =
        line.map(|line| line.strip_suffix('\n').unwrap_or(line)).map(|line| line.strip_suffix('\r').unwrap_or(line));
    digits.and_then(SecretKey::from_hex).map_err(|source| KeyError::Content { path: path.to_owned(), source })
}

/// Whether a text is the secret itself, given where the name of its file belongs. A message must not repeat it.
fn looks_like_a_secret(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    // One digit missing or too many is still nearly all of a secret.
    (60..=68).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Writes `key` to a new file at `path`, on disk when this returns.
///
/// # Errors
/// [`KeyError::AlreadyExists`] if anything is at `path`, which then is left as it was; [`KeyError::Io`].
pub fn create_key_file(path: &Path, key: &SecretKey) -> Result<(), KeyError> {
    let folder = folder_of(path);
    let mut file = tempfile::Builder::new()
        .prefix(NEW_KEY_PREFIX)
        .permissions(Permissions::from_mode(KEY_FILE_MODE))
        .tempfile_in(folder)
        .map_err(|error| io_error("create a file in", folder)(without_path(error)))?;
    let written = file.as_file_mut().write_all(&*key.to_line()).and_then(|()| file.as_file().sync_all());
    // It is the file of that name that cannot be written; the name that it has meanwhile is nobody's business.
    written.map_err(io_error("write", path))?;
    file.persist_noclobber(path).map_err(|refused| match refused.error.kind() {
        io::ErrorKind::AlreadyExists => KeyError::AlreadyExists { path: path.to_owned() },
        _ => io_error("create", path)(refused.error),
    })?;
    sync_folder(folder)
}

/// Makes the names in `folder` survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<(), KeyError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync", folder))
}

/// Refuses a file or folder on which group or others have any right; `allowed` is the mode it should have.
pub(super) fn check_private(path: &Path, metadata: &fs::Metadata, allowed: u32) -> Result<(), KeyError> {
    let mode = metadata.permissions().mode() & PERMISSION_BITS;
    if mode & GROUP_AND_OTHERS == 0 { Ok(()) } else { Err(KeyError::TooOpen { path: path.to_owned(), mode, allowed }) }
}

/// Names an I/O error's action and path.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::Io { action, path: path.to_owned(), source }
}

/// The error of making a temporary file, without the path that its text would name a second time.
pub(super) fn without_path(error: io::Error) -> io::Error {
    error.kind().into()
}

/// Tells a file or folder that is not there from one that cannot be looked at.
pub(super) fn look_error(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => KeyError::NotFound { path: path.to_owned() },
        _ => io_error("look at", path)(error),
    }
}

/// The folder that a file lies in; a bare name lies in the working folder.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a regular file that is its owner's alone. A link is refused, for whoever can move what it points to would
/// choose the key; the look before the open keeps a named pipe from hanging the node, and the comparison after it
/// tells that nothing was put in the file's place between the two.
fn open_own_file(path: &Path) -> Result<File, KeyError> {
    let named = fs::symlink_metadata(path).map_err(look_error(path))?;
    let not_regular = || KeyError::NotRegularFile { path: path.to_owned() };
    if !named.is_file() {
        return Err(not_regular());
    }
    let file = File::open(path).map_err(io_error("open", path))?;
    let opened = file.metadata().map_err(look_error(path))?;
    if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(not_regular());
    }
    match credentials_folder() {
        Some(credentials) => check_mode(path, &opened, &credentials)?,
        None => check_private(path, &opened, KEY_FILE_MODE)?,
    }
    Ok(file)
}

/// The folder in which the service manager gives secrets to this process, if it does.
pub(super) fn credentials_folder() -> Option<PathBuf> {
    env::var_os(CREDENTIALS_VARIABLE).map(PathBuf::from)
}

/// Checks the mode of a key file, where the folder `credentials` holds those of the service manager.
fn check_mode(path: &Path, metadata: &fs::Metadata, credentials: &Path) -> Result<(), KeyError> {
    let mode = metadata.permissions().mode() & PERMISSION_BITS;
    if path.parent() == Some(credentials) && mode & GROUP_AND_OTHERS & !GROUP_READS == 0 {
        return Ok(());
    }
    check_private(path, metadata, KEY_FILE_MODE)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_bytes(&[7; 32]).unwrap()
    }

    /// A file with this content and mode in a folder of its own.
    fn file_with(content: &[u8], mode: u32) -> (TempDir, std::path::PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("some.key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_created_file_is_private_and_gives_its_key_back() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("some.key");
        create_key_file(&path, &key()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & PERMISSION_BITS, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", "07".repeat(32)));
        assert_eq!(read_key_file(&path).unwrap(), key());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let (folder, path) = file_with(b"precious", 0o600);
        assert!(matches!(create_key_file(&path, &key()), Err(KeyError::AlreadyExists { path: p }) if p == path));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_written_through() {
        let folder = TempDir::new().unwrap();
        let (path, target) = (folder.path().join("some.key"), folder.path().join("elsewhere"));
        symlink(&target, &path).unwrap();
        assert!(matches!(create_key_file(&path, &key()), Err(KeyError::AlreadyExists { .. })));
        assert!(!target.exists());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_its_remedy() {
        for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
            let (_folder, path) = file_with(&*key().to_line(), mode);
            let error = read_key_file(&path).unwrap_err();
            assert!(matches!(error, KeyError::TooOpen { mode: m, allowed: 0o600, .. } if m == mode));
            let text = error.to_string();
            assert!(text.contains(&format!("mode {mode:04o}")) && text.contains("chmod 600 "), "{text}");
            assert!(text.contains(path.to_str().unwrap()) && !text.contains("0707"), "{text}");
        }
        let (_folder, path) = file_with(&*key().to_line(), 0o400);
        assert_eq!(read_key_file(&path).unwrap(), key(), "read-only for its owner is private enough");
    }

    #[test]
    fn a_credential_of_the_service_manager_may_be_readable_by_its_group() {
        let (folder, path) = file_with(&*key().to_line(), 0o440);
        let metadata = fs::metadata(&path).unwrap();
        assert!(check_mode(&path, &metadata, folder.path()).is_ok());
        assert!(matches!(check_mode(&path, &metadata, Path::new("/run/credentials")), Err(KeyError::TooOpen { .. })));
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert!(matches!(check_mode(&path, &metadata, folder.path()), Err(KeyError::TooOpen { mode: 0o444, .. })));
    }

    /// Who gives the key itself in place of a file's name must not find it in a terminal's log.
    #[test]
    fn a_secret_in_place_of_a_path_is_refused_without_being_shown() {
        let digits = "5a".repeat(32);
        for text in [digits.clone(), format!("0x{digits}"), format!("0x{}", &digits[1..])] {
            let error = read_key_file(Path::new(&text)).unwrap_err();
            assert!(matches!(error, KeyError::SecretAsPath), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("5a5a"));
        }
    }

    #[test]
    fn links_folders_and_missing_files_are_told_apart() {
        let (folder, path) = file_with(&*key().to_line(), 0o600);
        let link = folder.path().join("link.key");
        symlink(&path, &link).unwrap();
        assert!(matches!(read_key_file(&link), Err(KeyError::NotRegularFile { .. })));
        assert!(matches!(read_key_file(folder.path()), Err(KeyError::NotRegularFile { .. })));
        assert!(matches!(read_key_file(&folder.path().join("none")), Err(KeyError::NotFound { .. })));
    }

    #[test]
    fn text_that_people_paste_is_read() {
        let digits = "07".repeat(32);
        for content in [digits.clone(), format!("0x{digits}\n"), format!("{digits}\r\n")] {
            let (_folder, path) = file_with(content.as_bytes(), 0o600);
            assert_eq!(read_key_file(&path).unwrap(), key(), "{content:?}");
        }
    }

    #[test]
    fn anything_but_one_secret_is_refused_without_being_shown() {
        let digits = "07".repeat(32);
        let not_hex = [
            String::new(),
            digits[2..].to_owned(),
            format!("{digits}\n\n"),
            format!("{digits}\n{digits}\n"),
            format!(" {digits}"),
        ];
        for content in not_hex.iter().map(String::as_bytes).chain([&[0xff; 64][..]]) {
            let (_folder, path) = file_with(content, 0o600);
            let error = read_key_file(&path).unwrap_err();
            assert!(matches!(error, KeyError::Content { source: InvalidSecret::NotHex, .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("0707"));
        }
        let (_folder, path) = file_with("00".repeat(32).as_bytes(), 0o600);
        assert!(matches!(read_key_file(&path), Err(KeyError::Content { source: InvalidSecret::OutOfRange, .. })));
    }
}
