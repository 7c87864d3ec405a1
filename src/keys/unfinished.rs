//! What a kill leaves beside keys and tokens: files that were written and never got their names. Each may hold a secret.

use super::{
    KeyError,
    file::{KEY_FILE_MODE, io_error},
};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// What the names of unfinished keys begin with.
pub(super) const NEW_KEY_PREFIX: &str = ".new-key-";
/// What the names of unfinished tokens begin with.
pub(super) const NEW_TOKEN_PREFIX: &str = ".new-token-";
/// Letters and digits that follow, as whoever makes a temporary file draws them.
const DRAWN_CHARS: usize = 6;
/// All permission bits.
const PERMISSION_BITS: u32 = 0o7777;

/// Removes what was never finished from `folder`, which may be missing, and gives the number of files removed. Only
/// regular files of mode 0600 that belong to the folder's owner and are named as this program names them are touched.
///
/// # Errors
/// [`KeyError::Io`]
pub fn clear_unfinished(folder: &Path) -> Result<usize, KeyError> {
    let owner = match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        looked => looked.map_err(io_error("look at", folder))?.uid(),
    };
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let entry = entry.map_err(io_error("read", folder))?;
        if !entry.file_name().to_str().is_some_and(is_unfinished) {
            continue;
        }
        let path = entry.path();
        // Of the entry itself and not of what a link leads to.
        let metadata = fs::symlink_metadata(&path).map_err(io_error("look at", &path))?;
        let private = metadata.permissions().mode() & PERMISSION_BITS == KEY_FILE_MODE;
        if metadata.is_file() && private && metadata.uid() == owner {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_unfinished(name: &str) -> bool {
    let drawn = [NEW_KEY_PREFIX, NEW_TOKEN_PREFIX].iter().find_map(|prefix| name.strip_prefix(prefix));
    drawn.is_some_and(|drawn| drawn.len() == DRAWN_CHARS && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::symlink};

    #[test]
    fn what_a_kill_left_goes_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, mode: u32| {
            fs::write(folder.path().join(name), "5a").unwrap();
            fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).unwrap();
        };
        put(".new-key-aB3xYz", 0o600);
        put(".new-token-000000", 0o600);
        for name in [".new-key-", ".new-key-abcdefg", "account.key", ".new-token-ab-def"] {
            put(name, 0o600);
        }
        put(".new-key-opened", 0o644);
        symlink(folder.path().join("account.key"), folder.path().join(".new-key-linked")).unwrap();
        fs::create_dir(folder.path().join(".new-key-folder")).unwrap();
        assert_eq!(clear_unfinished(folder.path()).unwrap(), 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 7);
        assert_eq!(clear_unfinished(&folder.path().join("missing")).unwrap(), 0);
    }

    /// The names are drawn by a library: where it draws others, this would clear nothing.
    #[test]
    fn what_is_written_is_named_as_what_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        for prefix in [NEW_KEY_PREFIX, NEW_TOKEN_PREFIX] {
            let file = tempfile::Builder::new().prefix(prefix).tempfile_in(folder.path()).unwrap();
            assert!(is_unfinished(file.path().file_name().unwrap().to_str().unwrap()), "{:?}", file.path());
        }
    }
}
