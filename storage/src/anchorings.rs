//! Which of several anchorings of a session is the last one: the answer to "how does it stand" and to "begin it again".

use crate::{
    error::StoreError,
    range::Direction,
    reader::Reader,
    records::{AnchoringStatus, SessionAnchoringRecord},
    tables::SessionAnchoringsBySession,
};
use alloy_primitives::Address;
use lucid_types::{AnchoringId, SessionId};
use std::collections::BTreeMap;

/// The last anchoring of a session for each account that had it anchored here, or for `account` alone; of at most one
/// account more than `most_accounts`, which says that there are more.
///
/// # Errors
/// [`StoreError`]
pub fn last_anchorings(
    reader: &impl Reader,
    session_id: SessionId,
    account: Option<Address>,
    most_accounts: usize,
) -> Result<BTreeMap<Address, (AnchoringId, SessionAnchoringRecord)>, StoreError> {
    let mut last: BTreeMap<Address, (AnchoringId, SessionAnchoringRecord)> = BTreeMap::new();
    for job in reader.by_index::<SessionAnchoringsBySession>(&session_id, Direction::Forward)? {
        let (id, job) = job?;
        let wanted = account.is_none_or(|account| account == job.account);
        if wanted && last.get(&job.account).is_none_or(|(_, other)| age(other) <= age(&job)) {
            last.insert(job.account, (id, job));
        }
        if last.len() > most_accounts {
            break;
        }
    }
    Ok(last)
}

/// Orders the anchorings of one session: of two that were asked for in the same second only the later can have gone on.
const fn age(job: &SessionAnchoringRecord) -> (u64, bool) {
    (job.created_at, !matches!(job.status, AnchoringStatus::Failed | AnchoringStatus::Expired))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Meta, Options, SessionAnchorings, Store,
        samples::{Sample, address, anchoring, hash},
    };

    #[test]
    fn the_last_anchoring_is_the_youngest_and_of_one_second_the_one_that_can_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("x"), &Meta::new(vec![], hash(1)), &Options::default()).unwrap();
        let sample = SessionAnchoringRecord::sample();
        let mut batch = store.begin().unwrap();
        let jobs = [
            (1, 1, 10, AnchoringStatus::Failed),
            (2, 1, 20, AnchoringStatus::Pending),
            // Asked for in the same second, by a key that sorts behind: it ended at once.
            (3, 1, 20, AnchoringStatus::Failed),
            (4, 2, 5, AnchoringStatus::Confirmed),
            (5, 3, 5, AnchoringStatus::Confirmed),
        ];
        for (id, account, created_at, status) in jobs {
            let job = SessionAnchoringRecord { account: address(account), created_at, status, ..sample.clone() };
            batch.put::<SessionAnchorings>(&anchoring(id), &job).unwrap();
        }
        let last = |account, most| {
            let last = last_anchorings(&batch, sample.session_id, account, most).unwrap();
            last.into_values().map(|(id, _)| id.as_bytes()[15]).collect::<Vec<_>>()
        };
        assert_eq!(last(None, 10), [2, 4, 5]);
        assert_eq!(last(Some(address(1)), 10), [2]);
        assert_eq!(last(Some(address(9)), 10), [] as [u8; 0]);
        assert_eq!(last(None, 1).len(), 2, "one more than is wanted says that there are more");
    }
}
