//! The access tokens of the data folder: one file for each scope, made when it is missing.

use crate::keys::{KeyError, create_key_folder, write_token_file};
use lucid_rpc::{InvalidToken, Scope, Token, Tokens};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Permission bits, without those that tell the type of a file.
const PERMISSION_BITS: u32 = 0o7777;
/// What the group of the process may have besides: reading.
const GROUP_READS: u32 = 0o040;
/// What group and others have in all.
const GROUP_AND_OTHERS: u32 = 0o077;
/// Most bytes that are read of a file: 64 digits and a line end take 66, so a longer one is something else.
const MAX_FILE_BYTES: u64 = 80;

/// Why the tokens cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// A link, a folder, a pipe.
    #[error("{} is not a regular file", path.display())]
    NotRegularFile {
        /// The file.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("{} has mode {mode:04o}: others can read it; run chmod 600 {}", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds something else.
    #[error("{} holds no token: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidToken,
    },
    /// A new one cannot be made.
    #[error(transparent)]
    New(#[from] KeyError),
    /// The file cannot be read.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The tokens in `folder`, one for each scope; those that are missing are made.
pub fn load_or_create_tokens(folder: &Path) -> Result<Tokens, TokenFileError> {
    create_key_folder(folder)?;
    let token = |scope: Scope| {
        let path = folder.join(scope.name());
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            write_token_file(&path)?;
        }
        Ok((scope, read_token_file(&path)?))
    };
    Scope::ALL.into_iter().map(token).collect()
}

/// The token in a file that only its owner can read, or the group that this process runs with as well.
pub fn read_token_file(path: &Path) -> Result<Token, TokenFileError> {
    // Looked at before it is opened: a pipe would keep its reader waiting.
    let named = fs::symlink_metadata(path).map_err(io_error("look at", path))?;
    let not_regular = || TokenFileError::NotRegularFile { path: path.to_owned() };
    if !named.is_file() {
        return Err(not_regular());
    }
    let mut file = File::open(path).map_err(io_error("open", path))?;
    let opened = file.metadata().map_err(io_error("look at", path))?;
    if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(not_regular());
    }
    let mode = opened.permissions().mode() & PERMISSION_BITS;
    let allowed = if process_group() == Some(opened.gid()) { GROUP_READS } else { 0 };
    if mode & GROUP_AND_OTHERS & !allowed != 0 {
        return Err(TokenFileError::TooOpen { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    Read::take(&mut file, MAX_FILE_BYTES).read_to_string(&mut text).map_err(io_error("read", path))?;
    text.trim_end().parse().map_err(|source| TokenFileError::Content { path: path.to_owned(), source })
}

/// The group that this process runs with. Linux shows it as the group of the process's own folder.
fn process_group() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|process| process.gid())
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TokenFileError {
    move |source| TokenFileError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::symlink};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn tokens_are_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tokens");
        let tokens = load_or_create_tokens(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let mut seen = Vec::new();
        for scope in Scope::ALL {
            let path = folder.join(scope.name());
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let token = read_token_file(&path).unwrap();
            assert_eq!(tokens.scope_of(&token), Some(scope));
            assert!(!seen.contains(&token));
            seen.push(token);
        }
        let again = load_or_create_tokens(&folder).unwrap();
        assert_eq!(again.scope_of(&seen[0]), Some(Scope::Admin));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_and_one_of_the_own_group_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("read");
        write_token_file(&path).unwrap();
        // It was made by this process, so it has its group.
        for mode in [0o600, 0o400, 0o640] {
            set_mode(&path, mode);
            assert!(read_token_file(&path).is_ok(), "{mode:o}");
        }
        for mode in [0o644, 0o604, 0o660, 0o650, 0o666] {
            set_mode(&path, mode);
            let error = read_token_file(&path).unwrap_err();
            assert!(matches!(error, TokenFileError::TooOpen { mode: found, .. } if found == mode), "{error}");
        }
    }

    #[test]
    fn what_is_no_token_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("read");
        write_token_file(&path).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read_token_file(&link), Err(TokenFileError::NotRegularFile { .. })));
        assert!(matches!(read_token_file(folder.path()), Err(TokenFileError::NotRegularFile { .. })));
        assert!(matches!(read_token_file(&folder.path().join("none")), Err(TokenFileError::Io { .. })));
        for content in ["", "secret", &"a".repeat(63), &"ab".repeat(40)] {
            fs::write(&path, content).unwrap();
            let error = read_token_file(&path).unwrap_err();
            assert!(matches!(error, TokenFileError::Content { .. }), "{error}");
            assert!(content.is_empty() || !error.to_string().contains(content), "{error}");
        }
    }
}
