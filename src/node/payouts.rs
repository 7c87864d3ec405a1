//! Payouts, which a program of its own makes and this node keeps.
//!
//! What a payout promises is written once: for which session, to whom, how much, by which way. What becomes of it may be
//! written again.

use super::state::Node;
use lucid_rpc::PayoutError;
use lucid_storage::{Batch, PayoutRecord, Payouts, Reader, StoreError};

impl Node {
    /// Writes a payout, new or as far as it has come by now; it is on disk when this returns. One that is written again
    /// as it is stays untouched.
    pub(super) fn record_payout(&self, id: &str, payout: &PayoutRecord) -> Result<(), PayoutError> {
        self.write(|batch| put(batch, id, payout)).map_err(|fault| match fault {
            Fault::Refused(error) => error,
            Fault::Store(error) => self.write_fault(error).into(),
        })
    }
}

/// Why a payout is not written.
enum Fault {
    Refused(PayoutError),
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn put(batch: &mut Batch, id: &str, payout: &PayoutRecord) -> Result<(), Fault> {
    let key = id.to_owned();
    if let Some(before) = batch.get::<Payouts>(&key)?
        && let Some(field) = altered(&before, payout)
    {
        return Err(Fault::Refused(PayoutError::Altered { id: key, field }));
    }
    Ok(batch.put::<Payouts>(&key, payout)?)
}

/// A field that differs and may not: what was promised, and what was paid or attested once.
fn altered(before: &PayoutRecord, after: &PayoutRecord) -> Option<&'static str> {
    fn replaced<T: PartialEq>(before: &Option<T>, after: &Option<T>) -> bool {
        before.is_some() && before != after
    }
    let fields = [
        ("session_id", before.session_id != after.session_id),
        ("to_addr", before.to_addr != after.to_addr),
        ("usdt_amount", before.usdt_amount != after.usdt_amount),
        ("router", before.router != after.router),
        ("reason", before.reason != after.reason),
        ("created_at", before.created_at != after.created_at),
        ("txid", replaced(&before.txid, &after.txid)),
        ("kyc_hash", replaced(&before.kyc_hash, &after.kyc_hash)),
        ("compliance_sig", replaced(&before.compliance_sig, &after.compliance_sig)),
    ];
    fields.into_iter().find_map(|(name, is_altered)| is_altered.then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{DataDir, anchorings::tests::node};
    use alloy_primitives::B256;
    use lucid_storage::PayoutsByStatus;
    use lucid_types::SessionId;

    fn payout() -> PayoutRecord {
        PayoutRecord {
            session_id: SessionId::from_bytes([7; 16]).unwrap(),
            to_addr: "TXYZ".into(),
            usdt_amount: 1_500_000,
            router: "PayoutRouterV0".into(),
            reason: "relay".into(),
            txid: None,
            status: "pending".into(),
            created_at: 1_800_000_000,
            kyc_hash: None,
            compliance_sig: None,
        }
    }

    #[test]
    fn a_payout_goes_on_and_what_it_promised_stays() {
        let folder = DataDir::temporary().unwrap();
        let node = node(&folder);
        node.record_payout("p-1", &payout()).unwrap();
        let sequence = node.snapshot().sequence().unwrap();
        node.record_payout("p-1", &payout()).unwrap();
        let row = || node.snapshot().get::<Payouts>(&"p-1".to_owned()).unwrap().unwrap();
        assert_eq!(row(), payout());

        let paid = PayoutRecord { txid: Some("abc".into()), status: "confirmed".into(), ..payout() };
        node.record_payout("p-1", &paid).unwrap();
        assert_eq!(row(), paid);
        let found = node.snapshot().first_by_index::<PayoutsByStatus>(&"confirmed".to_owned()).unwrap();
        assert_eq!(found, Some(("p-1".to_owned(), paid.clone())));
        assert_eq!(node.snapshot().first_by_index::<PayoutsByStatus>(&"pending".to_owned()).unwrap(), None);
        assert!(node.snapshot().sequence().unwrap() > sequence);

        let refused = |payout: &PayoutRecord| match node.record_payout("p-1", payout) {
            Err(PayoutError::Altered { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(&PayoutRecord { usdt_amount: 1_500_001, ..paid.clone() }), "usdt_amount");
        assert_eq!(refused(&PayoutRecord { to_addr: "TXYz".into(), ..paid.clone() }), "to_addr");
        assert_eq!(
            refused(&PayoutRecord { session_id: SessionId::from_bytes([8; 16]).unwrap(), ..paid.clone() }),
            "session_id"
        );
        assert_eq!(refused(&PayoutRecord { txid: None, ..paid.clone() }), "txid");
        assert_eq!(refused(&PayoutRecord { txid: Some("other".into()), ..paid.clone() }), "txid");
        let attested = PayoutRecord { kyc_hash: Some(B256::repeat_byte(1)), ..paid.clone() };
        node.record_payout("p-1", &attested).unwrap();
        assert_eq!(refused(&paid), "kyc_hash");
        assert_eq!(row(), attested);
    }
}
