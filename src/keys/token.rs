//! Access tokens: 32 random bytes as 64 hexadecimal digits, each in a file of mode 0600 of its own.

use super::{
    KeyError,
    file::{KEY_FILE_MODE, io_error, sync_folder, without_path},
    unfinished::NEW_TOKEN_PREFIX,
};
use alloy_primitives::hex;
use std::{fs::Permissions, io::Write, os::unix::fs::PermissionsExt, path::Path};
use zeroize::Zeroizing;

/// Random bytes of a token: as many as of a key, so that nobody guesses one.
const TOKEN_BYTES: usize = 32;

/// Draws a new token and puts it into the file at `path`, in place of an older one; on disk when this returns.
///
/// # Errors
/// [`KeyError::Entropy`]; [`KeyError::Io`].
pub fn write_token_file(path: &Path) -> Result<(), KeyError> {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(&mut *bytes)?;
    let mut line = Zeroizing::new([b'\n'; 2 * TOKEN_BYTES + 1]);
    // The buffer has room for two digits a byte, so this cannot fail; if it did, nothing is written.
    hex::encode_to_slice(*bytes, &mut line[..2 * TOKEN_BYTES])
        .map_err(|error| io_error("write", path)(std::io::Error::other(error.to_string())))?;
    let folder = super::file::folder_of(path);
    let mut file = tempfile::Builder::new()
        .prefix(NEW_TOKEN_PREFIX)
        .permissions(Permissions::from_mode(KEY_FILE_MODE))
        .tempfile_in(folder)
        .map_err(|error| io_error("create a file in", folder)(without_path(error)))?;
    let written = file.as_file_mut().write_all(&*line).and_then(|()| file.as_file().sync_all());
    written.map_err(io_error("write", path))?;
    file.persist(path).map_err(|refused| io_error("write", path)(refused.error))?;
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_token_is_private_and_each_rotation_gives_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        write_token_file(&path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let digits = first.strip_suffix('\n').unwrap();
        assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first:?}");
        write_token_file(&path).unwrap();
        assert_ne!(fs::read_to_string(&path).unwrap(), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
