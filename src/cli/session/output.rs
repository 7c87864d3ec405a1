use crate::cli::exit_codes::{CANNOT_CREATE, NO_INPUT, coded};
use anyhow::{anyhow, ensure};
use std::{
    io::{self, Write},
    path::Path,
};

/// Refuses a place for a new file that, unless `force`, holds something already.
pub(super) fn check_place(path: &Path, force: bool) -> anyhow::Result<()> {
    check_folder(path)?;
    ensure!(force || path.symlink_metadata().is_err(), exists(path));
    Ok(())
}

/// Refuses a place for a new file that has no folder, or is one.
pub(in crate::cli) fn check_folder(path: &Path) -> anyhow::Result<()> {
    let (folder, shown) = (folder_of(path), path.display());
    let missing = || coded(NO_INPUT, format!("cannot write {shown}: there is no folder {}", folder.display()));
    ensure!(folder.is_dir(), missing());
    ensure!(!path.is_dir(), coded(CANNOT_CREATE, format!("cannot write {shown}: it is a folder; name a file in it")));
    Ok(())
}

/// Writes a file whole or not at all: under another name first, then, with `force`, in place of what was there.
pub(super) fn write_file(path: &Path, bytes: &[u8], force: bool) -> anyhow::Result<()> {
    check_place(path, force)?;
    let shown = path.display();
    // Of the error only its kind is said: its text names the file under its other name.
    let failed = |error: &io::Error| anyhow!("cannot write {shown}: {}", error.kind());
    let mut file = tempfile::NamedTempFile::new_in(folder_of(path)).map_err(|error| failed(&error))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|error| failed(&error))?;
    let moved = if force { file.persist(path) } else { file.persist_noclobber(path) };
    moved.map_err(|refused| match refused.error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => failed(&refused.error),
    })?;
    Ok(())
}

fn exists(path: &Path) -> anyhow::Error {
    coded(CANNOT_CREATE, format!("{} is there already; --force puts the new file in its place", path.display()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::write_file;
    use std::{fs, path::Path};

    #[test]
    fn a_file_that_cannot_be_written_is_named_as_the_caller_named_it() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("missing/proof.json");
        for (path, reason) in [(within.as_path(), "there is no folder"), (folder.path(), "it is a folder")] {
            let error = write_file(path, b"{}", false).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains(reason), "{error}");
        }
        let refused = write_file(Path::new("/proc/proof.json"), b"{}", false).unwrap_err().to_string();
        assert!(refused.starts_with("cannot write /proc/proof.json: ") && !refused.contains(".tmp"), "{refused}");
    }

    #[test]
    fn what_is_there_is_replaced_only_where_that_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proof.json");
        write_file(&path, b"old", false).unwrap();
        let refused = write_file(&path, b"new", false).unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write_file(&path, b"new", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
