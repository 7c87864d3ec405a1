//! The node's own store, with everything that the node writes: envelopes, checksums, indexes, the shard index.

use crate::{
    documents::Chunk,
    peer::{Peer, folder_bytes},
};
use alloy_primitives::{Address, B256};
use anyhow::Result;
use lucid_storage::{
    ChunkKey, ChunkRecord, ChunkStatus, Chunks, ChunksByCiphertextSha256, Meta, Options, Reader, SharedCommits, Store,
    StoreError,
};
use lucid_types::SessionId;
use std::{
    ops::Bound,
    path::{Path, PathBuf},
};

pub struct Lucid {
    folder: PathBuf,
    commits: SharedCommits,
}

impl Lucid {
    /// A new store in `folder`, with so much memory for pages.
    pub fn new(folder: &Path, cache_bytes: usize) -> Result<Self> {
        let meta = Meta::new(b"{}".to_vec(), B256::ZERO);
        let options = Options { cache_bytes, ..Options::default() };
        let store = Store::create(folder.join("lucid.redb"), &meta, &options)?;
        Ok(Self { folder: folder.to_owned(), commits: SharedCommits::new(store)? })
    }
}

fn stored(chunk: &Chunk) -> Result<(ChunkKey, ChunkRecord)> {
    let record = ChunkRecord {
        local_path: Some(chunk.local_path.clone()),
        ciphertext_sha256: B256::from(chunk.ciphertext_sha256),
        size_bytes: chunk.size_bytes,
        status: ChunkStatus::Stored,
    };
    Ok((key(&chunk.session_id, chunk.idx, chunk.account.into())?, record))
}

fn key(session_id: &[u8; 16], idx: u32, account: Address) -> Result<ChunkKey> {
    Ok(ChunkKey { session_id: SessionId::from_bytes(*session_id)?, idx, account })
}

fn plain((key, record): (ChunkKey, ChunkRecord)) -> Chunk {
    Chunk {
        session_id: *key.session_id.as_bytes(),
        idx: key.idx,
        account: key.account.into(),
        local_path: record.local_path.unwrap_or_default(),
        ciphertext_sha256: record.ciphertext_sha256.into(),
        size_bytes: record.size_bytes,
    }
}

impl Peer for Lucid {
    fn insert(&self, chunks: &[Chunk]) -> Result<()> {
        let rows = chunks.iter().map(stored).collect::<Result<Vec<_>>>()?;
        Ok(self.commits.write(|batch| {
            rows.iter().try_for_each(|(key, record)| batch.put::<Chunks>(key, record))?;
            Ok::<_, StoreError>(())
        })?)
    }

    fn get(&self, chunk: &Chunk) -> Result<Option<Chunk>> {
        let key = key(&chunk.session_id, chunk.idx, chunk.account.into())?;
        Ok(self.commits.snapshot().get::<Chunks>(&key)?.map(|record| plain((key, record))))
    }

    fn range(&self, session_id: &[u8; 16], first: u32, count: u32) -> Result<Vec<Chunk>> {
        let (from, to) = (key(session_id, first, Address::ZERO)?, key(session_id, first + count, Address::ZERO)?);
        let snapshot = self.commits.snapshot();
        let rows = snapshot.range::<Chunks>(
            Bound::Included(&from),
            Bound::Excluded(&to),
            lucid_storage::Direction::Forward,
        )?;
        Ok(rows.map(|row| row.map(plain)).collect::<Result<_, _>>()?)
    }

    fn by_hash(&self, hash: &[u8; 32]) -> Result<Option<Chunk>> {
        let snapshot = self.commits.snapshot();
        Ok(snapshot.first_by_index::<ChunksByCiphertextSha256>(&B256::from(*hash))?.map(plain))
    }

    fn syncs(&self) -> Result<Option<u64>> {
        Ok(Some(self.commits.store().stats()?.syncs))
    }

    fn settle(self: Box<Self>) -> Result<u64> {
        drop(self.commits);
        folder_bytes(&self.folder)
    }
}
