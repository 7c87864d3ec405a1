//! The pool as rows, so that what waits survives a restart. What a batch would write is told apart from what is written,
//! for only a batch that was committed counts.

use super::pool::Mempool;
use alloy_consensus::transaction::TxHashRef;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::B256;
use lucid_storage::{Batch, Direction, Reader, StoreError, TableId};
use std::collections::BTreeSet;

/// The transactions that have a row.
#[derive(Debug, Default)]
pub struct SavedPool {
    rows: BTreeSet<B256>,
}

/// What brings the rows to the pool as it is.
#[derive(Debug, Default)]
pub struct PoolChanges {
    added: Vec<(B256, Vec<u8>)>,
    removed: Vec<B256>,
}

impl PoolChanges {
    /// Whether the rows are right as they are.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Writes them into a batch.
    pub fn write(&self, batch: &mut Batch) {
        for (hash, raw) in &self.added {
            batch.raw_put(TableId::Mempool, **hash, raw.clone());
        }
        for hash in &self.removed {
            batch.raw_remove(TableId::Mempool, **hash);
        }
    }
}

impl SavedPool {
    /// The rows of a store, and the signed transactions in them (EIP-2718), which a pool may take or refuse.
    pub fn load(reader: &impl Reader) -> Result<(Self, Vec<Vec<u8>>), StoreError> {
        let (mut rows, mut raws) = (BTreeSet::new(), Vec::new());
        for row in reader.raw_prefix(TableId::Mempool, &[], Direction::Forward)? {
            let (key, raw) = row?;
            // A key of another length is none of ours, and stays.
            if let Ok(hash) = B256::try_from(&key[..]) {
                rows.insert(hash);
                raws.push(raw.to_vec());
            }
        }
        Ok((Self { rows }, raws))
    }

    /// What has come into the pool since, and what has left it.
    pub fn changes(&self, pool: &Mempool) -> PoolChanges {
        let new = pool.transactions().filter(|transaction| !self.rows.contains(transaction.tx_hash()));
        let added = new.map(|transaction| (*transaction.tx_hash(), transaction.encoded_2718())).collect();
        let removed = self.rows.iter().filter(|hash| pool.get(hash).is_none()).copied().collect();
        PoolChanges { added, removed }
    }

    /// The rows that go with a block of these transactions.
    pub fn used<'a>(&self, hashes: impl IntoIterator<Item = &'a B256>) -> PoolChanges {
        let removed = hashes.into_iter().filter(|hash| self.rows.contains(*hash)).copied().collect();
        PoolChanges { added: Vec::new(), removed }
    }

    /// The changes were committed.
    pub fn committed(&mut self, changes: PoolChanges) {
        self.rows.extend(changes.added.into_iter().map(|(hash, _)| hash));
        for hash in changes.removed {
            self.rows.remove(&hash);
        }
    }
}
