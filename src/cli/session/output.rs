use anyhow::{anyhow, ensure};
use std::{
    io::{self, Write},
    path::Path,
};

/// Writes a file whole or not at all: under another name first, then in place of what was there.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = path.display();
    ensure!(folder.is_dir(), "cannot write {shown}: there is no folder {}", folder.display());
    ensure!(!path.is_dir(), "cannot write {shown}: it is a folder; name a file in it");
    // Of the error only its kind is said: its text names the file under its other name.
    let failed = |error: &io::Error| anyhow!("cannot write {shown}: {}", error.kind());
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::write_file;
    use std::path::Path;

    #[test]
    fn a_file_that_cannot_be_written_is_named_as_the_caller_named_it() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("missing/proof.json");
        for (path, reason) in [(within.as_path(), "there is no folder"), (folder.path(), "it is a folder")] {
            let error = write_file(path, b"{}").unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains(reason), "{error}");
        }
        let refused = write_file(Path::new("/proc/proof.json"), b"{}").unwrap_err().to_string();
        assert!(refused.starts_with("cannot write /proc/proof.json: ") && !refused.contains(".tmp"), "{refused}");
    }
}
