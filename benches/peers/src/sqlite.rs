//! SQLite: write-ahead log, a sync for every commit, the same memory for pages, the same indexes.

use crate::{
    documents::Chunk,
    peer::{Peer, folder_bytes},
};
use anyhow::Result;
use lucid_storage::DEFAULT_CACHE_BYTES;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

const INSERT: &str = "INSERT INTO chunks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const GET: &str = "SELECT session_id, idx, account, local_path, ciphertext_sha256, size_bytes FROM chunks \
                   WHERE session_id = ?1 AND idx = ?2 AND account = ?3";
const RANGE: &str = "SELECT session_id, idx, account, local_path, ciphertext_sha256, size_bytes FROM chunks \
                     WHERE session_id = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx";
const BY_HASH: &str = "SELECT session_id, idx, account, local_path, ciphertext_sha256, size_bytes FROM chunks \
                       WHERE ciphertext_sha256 = ?1";

/// How SQLite is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Documents lie in the order of their key, as they do here.
    ByKey,
    /// Documents lie in the order of writing, and an index leads from the key to them.
    ByRowid,
    /// As `ByKey`, with the file locked for good by one process, as the node locks its own: no read takes a lock.
    ByKeyAlone,
}

/// One connection, which its users take turns with: several writers would only wait for each other in it.
pub struct Sqlite {
    folder: PathBuf,
    connection: Mutex<(Connection, i64)>,
}

impl Sqlite {
    pub fn new(folder: &Path, layout: Layout) -> Result<Self> {
        let connection = Connection::open(folder.join("chunks.sqlite"))?;
        if layout == Layout::ByKeyAlone {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -((DEFAULT_CACHE_BYTES >> 10) as i64))?;
        let without_rowid = if layout == Layout::ByRowid { "" } else { "WITHOUT ROWID" };
        connection.execute_batch(&format!(
            "CREATE TABLE chunks (session_id BLOB, idx INTEGER, account BLOB, local_path TEXT, ciphertext_sha256 BLOB,
                 size_bytes INTEGER, status INTEGER, sequence INTEGER,
                 PRIMARY KEY (session_id, idx, account)) {without_rowid};
             CREATE INDEX by_ciphertext_sha256 ON chunks (ciphertext_sha256);
             CREATE INDEX by_sequence ON chunks (sequence);"
        ))?;
        Ok(Self { folder: folder.to_owned(), connection: Mutex::new((connection, 0)) })
    }

    fn connection(&self) -> MutexGuard<'_, (Connection, i64)> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn plain(row: &Row<'_>) -> rusqlite::Result<Chunk> {
    Ok(Chunk {
        session_id: row.get(0)?,
        idx: row.get(1)?,
        account: row.get(2)?,
        local_path: row.get(3)?,
        ciphertext_sha256: row.get(4)?,
        size_bytes: row.get::<_, i64>(5)? as u64,
    })
}

impl Peer for Sqlite {
    fn insert(&self, chunks: &[Chunk]) -> Result<()> {
        let mut guard = self.connection();
        let (connection, sequence) = &mut *guard;
        *sequence += 1;
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare_cached(INSERT)?;
        for chunk in chunks {
            insert.execute(params![
                chunk.session_id,
                chunk.idx,
                chunk.account,
                chunk.local_path,
                chunk.ciphertext_sha256,
                chunk.size_bytes as i64,
                1,
                *sequence
            ])?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    }

    fn get(&self, chunk: &Chunk) -> Result<Option<Chunk>> {
        let guard = self.connection();
        let mut select = guard.0.prepare_cached(GET)?;
        Ok(select.query_row(params![chunk.session_id, chunk.idx, chunk.account], plain).optional()?)
    }

    fn range(&self, session_id: &[u8; 16], first: u32, count: u32) -> Result<Vec<Chunk>> {
        let guard = self.connection();
        let mut select = guard.0.prepare_cached(RANGE)?;
        let rows = select.query_map(params![session_id, first, first + count], plain)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn by_hash(&self, hash: &[u8; 32]) -> Result<Option<Chunk>> {
        let guard = self.connection();
        let mut select = guard.0.prepare_cached(BY_HASH)?;
        Ok(select.query_row(params![hash], plain).optional()?)
    }

    fn settle(self: Box<Self>) -> Result<u64> {
        let (connection, _) = self.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)?;
        folder_bytes(&self.folder)
    }
}
