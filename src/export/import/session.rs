//! A document of `sessions`.

use super::{
    fields::{Fields, Refusal},
    value,
};
use alloy_primitives::Address;
use bson::RawBsonRef;
use lucid_storage::{AnchoringStatus, ImportRow, SessionKey, SessionRecord};

pub(super) const SESSION_ID: &[&str] = &["session_id", "sessionId"];
pub(super) const UUID: &str = "a UUID";
pub(super) const ADDRESS: &str = "an address of 20 bytes";
pub(super) const HASH: &str = "a hash of 32 bytes";
pub(super) const TIME: &str = "a time from 1970 on";
pub(super) const NUMBER: &str = "a whole number from 0 on";
pub(super) const TEXT: &str = "a text";

pub(super) fn read(fields: &Fields<'_>) -> Result<ImportRow, Refusal> {
    // A session that has no other id is known by its own.
    let names = if fields.find(SESSION_ID).is_some() { SESSION_ID } else { &["_id"] };
    let session_id = fields.required(names, UUID, value::session_id)?;
    let record = SessionRecord {
        owner_addr: fields.required(
            &["owner_addr", "ownerAddr", "owner_address", "ownerAddress"],
            ADDRESS,
            value::address,
        )?,
        started_at: fields.required(&["started_at", "startedAt"], TIME, value::time)?,
        ended_at: fields.optional(&["ended_at", "endedAt"], TIME, value::time)?,
        manifest_hash: fields.required(&["manifest_hash", "manifestHash"], HASH, value::hash)?,
        merkle_root: fields.required(&["merkle_root", "merkleRoot"], HASH, value::hash)?,
        chunk_count: chunk_count(fields)?,
        anchor_txid: fields.optional_text(&["anchor_txid", "anchorTxid"], HASH, value::hash)?,
        block_number: fields.optional(&["block_number", "blockNumber"], NUMBER, value::whole)?,
        gas_used: fields.optional(&["gas_used", "gasUsed"], NUMBER, value::whole)?,
        status: fields.required(&["status"], "pending, processing, confirmed, failed or expired", |value| {
            value::text(value)?.parse::<AnchoringStatus>().ok()
        })?,
    };
    Ok(ImportRow::Session(SessionKey { session_id, account: account(fields)? }, record))
}

/// The account that registered a session, which older programs did not note: then the zero address.
pub(super) fn account(fields: &Fields<'_>) -> Result<Address, Refusal> {
    Ok(fields.optional_text(&["account"], ADDRESS, value::address)?.unwrap_or_default())
}

/// As it says, or the number of the chunks that it lists.
fn chunk_count(fields: &Fields<'_>) -> Result<u32, Refusal> {
    const NAMES: &[&str] = &["chunk_count", "chunkCount"];
    match (fields.find(NAMES), fields.find(&["chunks"])) {
        (None, Some((_, RawBsonRef::Array(chunks)))) => {
            let mut count = 0;
            for chunk in chunks {
                chunk.map_err(|error| Refusal::Bson(error.to_string()))?;
                count += 1;
            }
            Ok(count)
        }
        _ => fields.required(NAMES, NUMBER, value::whole_u32),
    }
}
