//! A document of `payouts`.

use super::{
    fields::{Fields, Refusal},
    session::{HASH, SESSION_ID, TEXT, TIME, UUID},
    value,
};
use bson::RawBsonRef;
use lucid_storage::{ImportRow, PayoutRecord};

const AMOUNT: &[&str] = &["usdt_amount", "usdtAmount"];

pub(super) fn read(fields: &Fields<'_>) -> Result<ImportRow, Refusal> {
    let id = fields.required(&["_id"], "a text or an ObjectId", id)?;
    let record = PayoutRecord {
        session_id: fields.required(SESSION_ID, UUID, value::session_id)?,
        to_addr: fields.required(&["to_addr", "toAddr", "to_address", "toAddress"], TEXT, value::text)?,
        usdt_amount: amount(fields, &id)?,
        router: fields.required(&["router"], TEXT, value::text)?,
        reason: fields.required(&["reason"], TEXT, value::text)?,
        txid: fields.optional(&["txid"], TEXT, value::text)?,
        status: fields.required(&["status"], TEXT, value::text)?,
        created_at: fields.required(&["created_at", "createdAt"], TIME, value::time)?,
        kyc_hash: fields.optional_text(&["kyc_hash", "kycHash"], HASH, value::hash)?,
        compliance_sig: fields.optional(&["compliance_sig", "complianceSig"], TEXT, value::text)?,
    };
    Ok(ImportRow::Payout(id, record))
}

/// What a payout is known by, as text.
fn id(value: RawBsonRef<'_>) -> Option<String> {
    match value {
        RawBsonRef::ObjectId(id) => Some(id.to_hex()),
        value => value::session_id(value)
            .filter(|_| value.as_str().is_none())
            .map(|id| id.to_string())
            .or_else(|| value::text(value)),
    }
}

/// The amount in millionths. An export of ours, which has the id as a field too, says it so as Int64 or Decimal128; others
/// say it in USDT.
fn amount(fields: &Fields<'_>, id: &str) -> Result<u64, Refusal> {
    let is_ours = matches!(fields.find(&["id"]), Some((_, RawBsonRef::String(text))) if text == id);
    match fields.find(AMOUNT) {
        Some((_, value @ (RawBsonRef::Int64(_) | RawBsonRef::Decimal128(_)))) if is_ours => {
            let read = |_| value::micro_usdt(value);
            fields.required(AMOUNT, "a whole number of millionths of a USDT", read)
        }
        _ => fields.required(AMOUNT, "an amount in USDT of at most six decimal places", value::usdt),
    }
}
