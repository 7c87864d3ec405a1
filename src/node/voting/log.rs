//! The log of the open height and the bodies that belong to it, as they lie in the store.

use super::super::{error::NodeError, state::Node};
use crate::consensus::bft::{Body, Evidence, LogEntry, Message};
use alloy_primitives::{B256, hex};
use lucid_storage::{Batch, Direction, Reader, StoreError, TableId};
use std::ops::Bound;

/// What is to be added to the log, in order.
#[derive(Debug)]
pub(super) enum Written {
    /// An entry of a height.
    Entry(u64, LogEntry),
    /// A valid body.
    Body(Box<Body>),
}

/// The log of a height.
pub(in crate::node) fn read_log<R: Reader>(reader: &R, height: u64) -> Result<Vec<LogEntry>, NodeError> {
    let mut rows = reader.raw_prefix(TableId::ConsensusLog, &height.to_be_bytes(), Direction::Forward)?;
    let mut entries = Vec::new();
    while let Some((key, entry)) = rows.next_view()? {
        entries.push(LogEntry::decode(&entry).map_err(|_| damaged(TableId::ConsensusLog, &key))?);
    }
    Ok(entries)
}

/// The body of a block that is not decided yet.
pub(super) fn read_body<R: Reader>(reader: &R, height: u64, block_hash: B256) -> Result<Option<Body>, NodeError> {
    let key = body_key(height, block_hash);
    let Some(bytes) = reader.raw_get(TableId::PendingBodies, &key)? else { return Ok(None) };
    match Message::decode(&bytes) {
        Ok(Message::Body(body)) => Ok(Some(*body)),
        _ => Err(damaged(TableId::PendingBodies, &key).into()),
    }
}

/// All bodies of a height.
pub(super) fn read_bodies<R: Reader>(reader: &R, height: u64) -> Result<Vec<Body>, NodeError> {
    let mut rows = reader.raw_prefix(TableId::PendingBodies, &height.to_be_bytes(), Direction::Forward)?;
    let mut bodies = Vec::new();
    while let Some((key, bytes)) = rows.next_view()? {
        match Message::decode(&bytes) {
            Ok(Message::Body(body)) => bodies.push(*body),
            _ => return Err(damaged(TableId::PendingBodies, &key).into()),
        }
    }
    Ok(bodies)
}

impl Node {
    /// Adds to the log, on disk when this returns. `place` is that of the first entry, and what it is after the last.
    pub(super) fn write_log(&self, written: &[Written], mut place: u64) -> Result<u64, NodeError> {
        self.write_to_log(|batch| -> Result<u64, NodeError> {
            for written in written {
                match written {
                    Written::Entry(height, entry) => {
                        let key = [height.to_be_bytes(), place.to_be_bytes()].concat();
                        batch.raw_put(TableId::ConsensusLog, key, entry.encode());
                        place += 1;
                    }
                    Written::Body(body) => {
                        let key = body_key(body.height, body.block_hash);
                        batch.raw_put(TableId::PendingBodies, key, Message::Body(body.clone()).encode());
                    }
                }
            }
            Ok(place)
        })
    }
}

/// Clears the log and the bodies up to a height that is decided, and keeps what it showed of voters who signed twice.
pub(in crate::node) fn settle_height(batch: &mut Batch, height: u64, evidence: &[Evidence]) -> Result<(), StoreError> {
    let end = (height + 1).to_be_bytes();
    for table in [TableId::ConsensusLog, TableId::PendingBodies] {
        let mut rows = batch.raw_range(table, Bound::Unbounded, Bound::Excluded(&end), Direction::Forward)?;
        let mut keys = Vec::new();
        while let Some((key, _)) = rows.next_view()? {
            keys.push(key.to_vec());
        }
        drop(rows);
        for key in keys {
            batch.raw_remove(table, key);
        }
    }
    for found in evidence {
        let key = [height.to_be_bytes().as_slice(), found.first.voter.as_slice()].concat();
        batch.raw_put(TableId::Evidence, key, found.encode());
    }
    Ok(())
}

fn damaged(table: TableId, key: &[u8]) -> StoreError {
    StoreError::DamagedRow { table: table.name(), key: hex::encode(key), what: "is no message of consensus" }
}

fn body_key(height: u64, block_hash: B256) -> Vec<u8> {
    [height.to_be_bytes().as_slice(), block_hash.as_slice()].concat()
}
