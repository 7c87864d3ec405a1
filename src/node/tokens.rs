//! The access tokens of the data folder: one file for each scope, made when it is missing.

use crate::keys::{KeyError, clear_unfinished, create_key_folder, write_token_file};
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
    /// There is none.
    #[error("there is no token file {}; `lucid-node key rotate-token SCOPE --datadir DIR` writes one", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Two files hold one token, and have it mean two things.
    #[error(
        "{} (scope {other_scope}) and {} (scope {scope}) hold the same token, and a token has one scope; write a new one \
         with `lucid-node key rotate-token {scope} --datadir DIR`", other.display(), path.display()
    )]
    Twice {
        /// The file that was read first.
        other: PathBuf,
        /// What its token is for.
        other_scope: Scope,
        /// The other file.
        path: PathBuf,
        /// What its token would be for.
        scope: Scope,
    },
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

/// Makes the token of each scope that has none in `folder` yet, and clears what a kill left of others.
pub(super) fn create_tokens(folder: &Path) -> Result<(), TokenFileError> {
    create_key_folder(folder)?;
    clear_unfinished(folder)?;
    for scope in Scope::ALL {
        let path = folder.join(scope.name());
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            write_token_file(&path)?;
        }
    }
    Ok(())
}

/// A node's tokens: those in `folder`, without the ones that are not made yet, and the one in the file `lent`, which lets
/// others read. What signs or changes anything is not lent with an address.
pub(super) fn read_tokens(folder: &Path, lent: Option<&Path>) -> Result<Tokens, TokenFileError> {
    if folder.exists() {
        // It is there, so this makes nothing and looks at its mode.
        create_key_folder(folder)?;
    }
    let own = Scope::ALL.map(|scope| (scope, folder.join(scope.name())));
    let mut tokens: Vec<(Scope, Token, PathBuf)> = Vec::new();
    for (index, (scope, path)) in own.into_iter().chain(lent.map(|path| (Scope::Read, path.to_owned()))).enumerate() {
        let token = match read_token_file(&path) {
            Err(TokenFileError::Missing { .. }) if index < Scope::ALL.len() => continue,
            read => read?,
        };
        // For the same scope it is one token at two places, and means one thing.
        let held = tokens.iter().find(|(held, known, _)| *known == token && *held != scope);
        if let Some((other_scope, _, other)) = held {
            return Err(TokenFileError::Twice { other: other.clone(), other_scope: *other_scope, path, scope });
        }
        tokens.push((scope, token, path));
    }
    Ok(tokens.into_iter().map(|(scope, token, _)| (scope, token)).collect())
}

/// The token in a file that only its owner can read, or the group that this process runs with as well.
pub fn read_token_file(path: &Path) -> Result<Token, TokenFileError> {
    // Looked at before it is opened: a pipe would keep its reader waiting.
    let named = fs::symlink_metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TokenFileError::Missing { path: path.to_owned() },
        _ => io_error("look at", path)(error),
    })?;
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
        assert_eq!(read_tokens(&folder, None).unwrap().scope_of(&Token::from_bytes([1; 32])), None);
        assert!(!folder.exists(), "looking makes nothing");
        create_tokens(&folder).unwrap();
        let tokens = read_tokens(&folder, None).unwrap();
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
        fs::copy(folder.join("read"), folder.join(".new-token-killed")).unwrap();
        create_tokens(&folder).unwrap();
        assert_eq!(read_tokens(&folder, None).unwrap().scope_of(&seen[0]), Some(Scope::Admin));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
    }

    /// The last file that was read decided, so an operator's token could become one that only reads.
    #[test]
    fn a_token_in_files_of_two_scopes_is_refused_with_both_names_and_without_the_token() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("tokens");
        create_tokens(&folder).unwrap();
        let refused = |lent: Option<&Path>, names: [&Path; 2]| {
            let text = read_tokens(&folder, lent).unwrap_err().to_string();
            assert!(names.iter().all(|name| text.contains(&name.display().to_string())), "{text}");
            let secret = fs::read_to_string(names[0]).unwrap();
            assert!(!text.contains(secret.trim_end()), "{text}");
        };
        let (admin, read) = (folder.join("admin"), folder.join("read"));
        refused(Some(&admin), [&admin, &admin]);
        let copied = temporary.path().join("copied");
        fs::copy(&admin, &copied).unwrap();
        refused(Some(&copied), [&admin, &copied]);
        // Lent as what it is, from where it is or from elsewhere.
        fs::copy(&read, &copied).unwrap();
        assert!(read_tokens(&folder, Some(&read)).is_ok() && read_tokens(&folder, Some(&copied)).is_ok());
        fs::copy(&admin, folder.join("payout")).unwrap();
        refused(None, [&admin, &folder.join("payout")]);
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
        assert!(matches!(read_token_file(&folder.path().join("none")), Err(TokenFileError::Missing { .. })));
        for content in ["", "secret", &"a".repeat(63), &"ab".repeat(40)] {
            fs::write(&path, content).unwrap();
            let error = read_token_file(&path).unwrap_err();
            assert!(matches!(error, TokenFileError::Content { .. }), "{error}");
            assert!(content.is_empty() || !error.to_string().contains(content), "{error}");
        }
    }
}
