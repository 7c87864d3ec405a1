//! A document of `task_proofs`.

use super::{
    fields::{Fields, Refusal},
    session::{ADDRESS, NUMBER, TIME},
    value,
};
use bson::{RawBsonRef, RawDocument};
use lucid_storage::{ImportRow, TaskProofKey, TaskProofRecord, TaskProofType, TaskValue};

/// Slots of an epoch of 24 hours, and their seconds.
const EPOCH_SLOTS: u64 = 720;
const SLOT_SECS: u64 = 120;
const DAY_SECS: u64 = EPOCH_SLOTS * SLOT_SECS;

pub(super) fn read(fields: &Fields<'_>) -> Result<ImportRow, Refusal> {
    let ts = fields.required(&["ts", "timestamp"], TIME, value::time)?;
    let kind = fields.required(
        &["type", "proof_type", "proofType", "task_type", "taskType"],
        "relay_bandwidth, storage_availability or uptime_beacon",
        |value| value::text(value)?.parse::<TaskProofType>().ok(),
    )?;
    let key = TaskProofKey {
        slot: slot(fields, ts)?,
        node_id: fields.required(&["nodeId", "node_id"], ADDRESS, value::address)?,
        kind,
    };
    let record = TaskProofRecord {
        pool_id: fields.optional_text(&["poolId", "pool_id"], ADDRESS, value::address)?,
        value: claim(fields, kind)?,
        sig: fields.required(&["sig", "signature"], "a signature of 64 bytes", value::signature)?,
        ts,
    };
    Ok(ImportRow::TaskProof(key, record))
}

/// The slot, as it is said; or where an epoch of 24 hours is said, the slot in it that the proof was made in. Slots were
/// counted from a midnight, so which one the time of day says.
fn slot(fields: &Fields<'_>, ts: u64) -> Result<u64, Refusal> {
    const EPOCH: &str = "the number of an epoch";
    if let Some(slot) = fields.optional(&["slot"], NUMBER, value::whole)? {
        return Ok(slot);
    }
    let first = fields.optional(&["epoch"], EPOCH, |value| value::whole(value)?.checked_mul(EPOCH_SLOTS))?;
    let in_epoch = ts % DAY_SECS / SLOT_SECS;
    first.and_then(|first| first.checked_add(in_epoch)).ok_or(Refusal::Missing("slot"))
}

/// What is claimed, by the fields of the type.
fn claim(fields: &Fields<'_>, kind: TaskProofType) -> Result<TaskValue, Refusal> {
    let as_document = |value: RawBsonRef<'_>| value.as_document().map(RawDocument::to_owned);
    let document = fields.required(&["value", "proof_data", "proofData"], "a document", as_document)?;
    let claims = Fields::of(&document)?;
    claims.check_names()?;
    let number = |names: &[&'static str]| claims.required(names, NUMBER, value::whole);
    Ok(match kind {
        TaskProofType::RelayBandwidth => TaskValue::Relay {
            bytes_transferred: number(&["bytes_transferred", "bytesTransferred"])?,
            // What is not claimed is none.
            sessions_relayed: claims
                .optional(&["sessions_relayed", "sessionsRelayed"], NUMBER, value::whole_u32)?
                .unwrap_or(0),
        },
        TaskProofType::StorageAvailability => TaskValue::Storage {
            chunks_stored: number(&["chunks_stored", "chunksStored"])?,
            size_bytes: number(&["size_bytes", "sizeBytes"])?,
        },
        TaskProofType::UptimeBeacon => {
            TaskValue::Uptime { uptime_seconds: number(&["uptime_seconds", "uptimeSeconds"])? }
        }
    })
}
