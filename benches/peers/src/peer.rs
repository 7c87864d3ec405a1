//! What is asked of each store.

use crate::documents::Chunk;
use anyhow::Result;
use std::{os::unix::fs::MetadataExt, path::Path};

/// In which the kernel counts what a file takes.
const BLOCK_BYTES: u64 = 512;

/// A store that holds chunks, each under its session, place and account, with an index by hash and one by the order of
/// writing, and that syncs every commit.
pub trait Peer: Sync {
    /// Puts chunks that are new into one commit.
    fn insert(&self, chunks: &[Chunk]) -> Result<()>;

    /// Reads one chunk.
    fn get(&self, chunk: &Chunk) -> Result<Option<Chunk>>;

    /// Reads `count` chunks of a session from `first` on.
    fn range(&self, session_id: &[u8; 16], first: u32, count: u32) -> Result<Vec<Chunk>>;

    /// Reads a chunk by its hash.
    fn by_hash(&self, hash: &[u8; 32]) -> Result<Option<Chunk>>;

    /// Closes it, where it is not a server. Gives its bytes on disk.
    fn settle(self: Box<Self>) -> Result<u64>;

    /// Syncs of its file so far, where it counts them.
    fn syncs(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// The process whose memory it is; `None` for this one.
    fn process(&self) -> Option<u32> {
        None
    }
}

/// Bytes on disk of all files below a folder: a file may have holes.
pub fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.blocks() * BLOCK_BYTES };
    }
    Ok(bytes)
}
