use crate::{
    error::RpcError,
    limits::{MAX_TEXT_BYTES, MAX_TIME_SECS},
};
use alloy_primitives::B256;
use lucid_storage::PayoutRecord;
use lucid_types::SessionId;
use serde::{Deserialize, Serialize};

/// A payout, as the `payouts` collection has it: the parameter of `lucid_recordPayout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutDocument {
    /// Name of the payout, of the paying program's choosing.
    pub id: String,
    /// The session that it pays for.
    pub session_id: SessionId,
    /// Who is paid: an address of the paying network, in its own form.
    pub to_addr: String,
    /// Amount in millionths of a USDT.
    pub usdt_amount: u64,
    /// Way by which it is paid.
    pub router: String,
    /// What it is paid for.
    pub reason: String,
    /// Transaction that paid it, in the form of the paying network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// How far it has come.
    pub status: String,
    /// When it was asked for, in Unix seconds.
    pub created_at: u64,
    /// Hash of the identity check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kyc_hash: Option<B256>,
    /// Signature of the compliance desk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance_sig: Option<String>,
}

impl PayoutDocument {
    /// The id and the record, if what must be said is said and nothing is too long.
    pub(crate) fn check(self) -> Result<(String, PayoutRecord), RpcError> {
        let texts = [
            ("id", Some(&self.id)),
            ("to_addr", Some(&self.to_addr)),
            ("router", Some(&self.router)),
            ("reason", Some(&self.reason)),
            ("txid", self.txid.as_ref()),
            ("status", Some(&self.status)),
            ("compliance_sig", self.compliance_sig.as_ref()),
        ];
        for (name, text) in texts {
            match text.map(String::len) {
                Some(0) => return Err(RpcError::InvalidRequest(format!("{name} is empty"))),
                Some(bytes) if bytes > MAX_TEXT_BYTES => {
                    let text = format!("{name} has {bytes} bytes, and at most {MAX_TEXT_BYTES} are taken");
                    return Err(RpcError::InvalidRequest(text));
                }
                _ => {}
            }
        }
        if self.created_at > MAX_TIME_SECS {
            let text =
                format!("created_at is {}, which is no time in Unix seconds before the year 10000", self.created_at);
            return Err(RpcError::InvalidRequest(text));
        }
        let record = PayoutRecord {
            session_id: self.session_id,
            to_addr: self.to_addr,
            usdt_amount: self.usdt_amount,
            router: self.router,
            reason: self.reason,
            txid: self.txid,
            status: self.status,
            created_at: self.created_at,
            kyc_hash: self.kyc_hash,
            compliance_sig: self.compliance_sig,
        };
        Ok((self.id, record))
    }
}
