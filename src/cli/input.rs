use anyhow::{Context, ensure};
use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

/// Reads a file, and no more than one byte above `most_bytes`: what is too long is seen to be.
pub(super) fn read_file(path: &Path, most_bytes: usize) -> anyhow::Result<Vec<u8>> {
    let context = || format!("cannot read {}", path.display());
    // Before it is opened: a pipe waits there for its writer.
    ensure!(fs::metadata(path).with_context(context)?.is_file(), "{} is not a regular file", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(context)?;
    file.take(most_bytes as u64 + 1).read_to_end(&mut bytes).with_context(context)?;
    Ok(bytes)
}
