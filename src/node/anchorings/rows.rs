//! What an anchoring is on disk.

use super::accept::Checked;
use alloy_consensus::{ReceiptEnvelope, Transaction as _, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use lucid_storage::{
    AnchoringStatus, Batch, ChunkKey, ChunkRecord, ChunkStatus, Chunks, MerkleTreeRecord, MerkleTrees, Reader,
    ReceiptRecord, SessionAnchoringRecord, SessionAnchorings, SessionKey, SessionRecord, Sessions, StoreError,
};
use lucid_types::AnchoringId;

/// Writes a new job: itself, the tree's leaves, and what is known of session and chunks before they are on chain.
pub(super) fn write_job(
    batch: &mut Batch,
    id: &AnchoringId,
    checked: &Checked,
    job: &SessionAnchoringRecord,
) -> Result<(), StoreError> {
    batch.put::<SessionAnchorings>(id, job)?;
    let tree = MerkleTreeRecord {
        session_id: job.session_id,
        root_hash: job.merkle_root,
        height: checked.tree_height,
        leaf_count: job.chunk_count,
        leaves: checked.request.leaves.concat(),
        created_at: job.created_at,
    };
    batch.put::<MerkleTrees>(&tree.tree_id(), &tree)?;
    batch.put::<Sessions>(&SessionKey { session_id: job.session_id, account: job.account }, &pending_session(job))?;
    let request = &checked.request;
    for (idx, (ciphertext_sha256, size_bytes)) in
        (0u32..).zip(request.ciphertext_sha256.iter().zip(&request.size_bytes))
    {
        let key = ChunkKey { session_id: job.session_id, idx, account: job.account };
        let chunk = ChunkRecord {
            local_path: request.local_paths.get(idx as usize).cloned(),
            ciphertext_sha256: *ciphertext_sha256,
            size_bytes: *size_bytes,
            status: ChunkStatus::Pending,
        };
        batch.put::<Chunks>(&key, &chunk)?;
    }
    Ok(())
}

fn pending_session(job: &SessionAnchoringRecord) -> SessionRecord {
    SessionRecord {
        owner_addr: job.owner,
        started_at: job.started_at,
        ended_at: None,
        manifest_hash: job.manifest_hash,
        merkle_root: job.merkle_root,
        chunk_count: job.chunk_count,
        anchor_txid: None,
        block_number: None,
        gas_used: None,
        status: job.status,
    }
}

/// Writes where a job stands, and the same into its session as long as that is not on chain.
pub(super) fn write_progress(
    batch: &mut Batch,
    id: &AnchoringId,
    job: &SessionAnchoringRecord,
) -> Result<(), StoreError> {
    batch.put::<SessionAnchorings>(id, job)?;
    let key = SessionKey { session_id: job.session_id, account: job.account };
    if let Some(session) = batch.get::<Sessions>(&key)?
        && session.status != AnchoringStatus::Confirmed
        && job.status != AnchoringStatus::Confirmed
    {
        batch.put::<Sessions>(&key, &SessionRecord { status: job.status, ..session })?;
    }
    Ok(())
}

/// Whether two signed transactions call the same contract with the same data.
pub(super) fn same_call(one: &[u8], other: &[u8]) -> bool {
    match (TxEnvelope::decode_2718_exact(one), TxEnvelope::decode_2718_exact(other)) {
        (Ok(one), Ok(other)) => one.kind() == other.kind() && one.input() == other.input(),
        _ => false,
    }
}

pub(super) fn succeeded(receipt: &ReceiptRecord) -> bool {
    ReceiptEnvelope::decode_2718_exact(&receipt.raw).is_ok_and(|receipt| receipt.status())
}
