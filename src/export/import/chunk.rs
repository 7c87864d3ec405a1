//! A document of `chunks`.

use super::{
    fields::{Fields, Refusal},
    session::{HASH, NUMBER, SESSION_ID, TEXT, UUID, account},
    value,
};
use lucid_storage::{ChunkKey, ChunkRecord, ChunkStatus, ImportRow};

pub(super) fn read(fields: &Fields<'_>) -> Result<ImportRow, Refusal> {
    let key = ChunkKey {
        session_id: fields.required(SESSION_ID, UUID, value::session_id)?,
        idx: fields.required(
            &["idx", "index", "chunk_idx", "chunkIdx", "chunk_index", "chunkIndex"],
            NUMBER,
            value::whole_u32,
        )?,
        account: account(fields)?,
    };
    const STATUS: &str = "pending, stored, verified, replicated, missing, corrupted or archived";
    let status = |value| value::text(value)?.parse::<ChunkStatus>().ok();
    let record = ChunkRecord {
        local_path: fields.optional(&["local_path", "localPath"], TEXT, value::text)?,
        ciphertext_sha256: fields.required(
            &["ciphertext_sha256", "ciphertextSha256", "ciphertext_hash", "ciphertextHash"],
            HASH,
            value::hash,
        )?,
        size_bytes: fields.required(&["size_bytes", "sizeBytes"], NUMBER, value::whole)?,
        // Older programs noted none. On this chain such a chunk is not.
        status: fields.optional_text(&["status"], STATUS, status)?.unwrap_or(ChunkStatus::Pending),
    };
    Ok(ImportRow::Chunk(key, record))
}
