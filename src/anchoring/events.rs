//! What final blocks say of sessions and chunks, as rows of their collections.

use LucidAnchors::SessionRegistered;
use LucidChunkStore::{ChunkStatusUpdated, ChunkStored, LucidChunkStoreEvents};
use alloy_primitives::{Log, LogData};
use alloy_sol_types::{SolEvent, SolEventInterface};
use lucid_storage::{
    AnchoringStatus, Batch, ChunkKey, ChunkRecord, ChunkStatus, Chunks, Reader, SessionKey, SessionRecord, Sessions,
    StoreError,
};
use lucid_types::{
    CommittedBlock, CommittedTransaction, SessionId,
    contracts::{LUCID_ANCHORS_ADDRESS, LUCID_CHUNK_STORE_ADDRESS, LucidAnchors, LucidChunkStore},
};

/// Writes the sessions and chunks that a block's events name, in the block's own batch.
///
/// What only this node knows of them (local paths, the end of a session) is kept. An event that does not decode is
/// passed over: the contracts emit none, and a row is never made from half an event.
pub fn write_events(batch: &mut Batch, block: &CommittedBlock) -> Result<(), StoreError> {
    for transaction in &block.transactions {
        for log in &transaction.logs {
            if log.address == LUCID_ANCHORS_ADDRESS {
                if let Ok(event) = SessionRegistered::decode_log(log) {
                    write_session(batch, block, transaction, &event)?;
                }
            } else if log.address == LUCID_CHUNK_STORE_ADDRESS {
                write_chunk(batch, log)?;
            }
        }
    }
    Ok(())
}

fn write_session(
    batch: &mut Batch,
    block: &CommittedBlock,
    transaction: &CommittedTransaction,
    event: &SessionRegistered,
) -> Result<(), StoreError> {
    let Ok(session_id) = SessionId::from_word(event.sessionId) else { return Ok(()) };
    let key = SessionKey { session_id, account: event.account };
    let ended_at = batch.get::<Sessions>(&key)?.and_then(|known| known.ended_at);
    let record = SessionRecord {
        owner_addr: event.owner,
        started_at: event.startedAt,
        ended_at,
        manifest_hash: event.manifestHash,
        merkle_root: event.merkleRoot,
        chunk_count: event.chunkCount,
        anchor_txid: Some(transaction.hash),
        block_number: Some(block.header.number),
        gas_used: Some(transaction.gas_used),
        status: AnchoringStatus::Confirmed,
    };
    batch.put::<Sessions>(&key, &record)
}

fn write_chunk(batch: &mut Batch, log: &Log<LogData>) -> Result<(), StoreError> {
    match LucidChunkStoreEvents::decode_log(log).map(|log| log.data) {
        Ok(LucidChunkStoreEvents::ChunkStored(ChunkStored {
            sessionId,
            account,
            index,
            ciphertextSha256,
            sizeBytes,
        })) => {
            let Ok(session_id) = SessionId::from_word(sessionId) else { return Ok(()) };
            let key = ChunkKey { session_id, idx: index, account };
            let local_path = batch.get::<Chunks>(&key)?.and_then(|known| known.local_path);
            let record = ChunkRecord {
                local_path,
                ciphertext_sha256: ciphertextSha256,
                size_bytes: sizeBytes,
                status: ChunkStatus::Stored,
            };
            batch.put::<Chunks>(&key, &record)
        }
        Ok(LucidChunkStoreEvents::ChunkStatusUpdated(ChunkStatusUpdated { sessionId, account, index, status })) => {
            let Ok(session_id) = SessionId::from_word(sessionId) else { return Ok(()) };
            let key = ChunkKey { session_id, idx: index, account };
            let (Some(known), Some(status)) = (batch.get::<Chunks>(&key)?, chunk_status(status)) else { return Ok(()) };
            batch.put::<Chunks>(&key, &ChunkRecord { status, ..known })
        }
        Err(_) => Ok(()),
    }
}

/// The contract's status in the words of the collection.
fn chunk_status(status: LucidChunkStore::ChunkStatus) -> Option<ChunkStatus> {
    use LucidChunkStore::ChunkStatus as OnChain;
    match status {
        OnChain::Pending => Some(ChunkStatus::Pending),
        OnChain::Stored => Some(ChunkStatus::Stored),
        OnChain::Verified => Some(ChunkStatus::Verified),
        OnChain::Replicated => Some(ChunkStatus::Replicated),
        OnChain::Missing => Some(ChunkStatus::Missing),
        OnChain::Corrupted => Some(ChunkStatus::Corrupted),
        OnChain::Archived => Some(ChunkStatus::Archived),
        OnChain::__Invalid => None,
    }
}

#[cfg(test)]
mod tests;
