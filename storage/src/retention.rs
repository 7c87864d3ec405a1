//! Rows that have had their time go, a few with each block: deletion is the slow side of the store, and a step that rides
//! in a block's batch costs no sync. What is left over is worked off by the blocks that follow.
//!
//! Which rows of the chain go with a block follows from its slot and from the rows, so every node removes the same.
//! Imported rows are nobody's work here and stay.

use crate::{
    batch::Batch,
    collection::{Collection, Retention},
    error::StoreError,
    range::Direction,
    reader::{Reader, decode_key},
    space::RowSpace,
    tables::COLLECTION_PRUNINGS,
};
use std::ops::Bound;

/// Rows of one collection that are removed in a step at most: more than a block can bring, so that what is left over
/// becomes less. (The gas of a block pays for 1,454 task proofs.)
pub const MAX_PRUNED_ROWS: usize = 1_500;

/// Removes rows that their collection need not keep any longer, oldest first, and returns how many: of those that are kept
/// as long as the leader window the rows of slots below `first_slot`, of those that keep so many the rows beyond them. At
/// most [`MAX_PRUNED_ROWS`] of each collection go; the next step goes on.
///
/// # Errors
///
/// A row cannot be read; then the batch has to be dropped.
pub fn prune_expired(batch: &mut Batch, first_slot: u64) -> Result<usize, StoreError> {
    COLLECTION_PRUNINGS.iter().try_fold(0, |pruned, prune| Ok(pruned + prune(batch, first_slot, MAX_PRUNED_ROWS)?))
}

/// The step of one collection.
pub(crate) fn prune_collection<C: Collection>(
    batch: &mut Batch,
    first_slot: u64,
    limit: usize,
) -> Result<usize, StoreError> {
    match C::DEF.retention {
        Retention::Forever => Ok(0),
        // The slot is the first part of the key.
        Retention::LeaderWindow => prune_first::<C>(batch, &RowSpace::own().key(&first_slot), limit),
        Retention::Newest(kept) => prune_to::<C>(batch, kept, limit),
    }
}

/// Removes the first rows beyond so many. The key is a number that rises, so the first are the oldest.
fn prune_to<C: Collection>(batch: &mut Batch, kept: u64, limit: usize) -> Result<usize, StoreError> {
    let beyond = usize::try_from(batch.rows_left(C::DEF.table)?.saturating_sub(kept)).unwrap_or(usize::MAX);
    match beyond.min(limit) {
        0 => Ok(0),
        rows => prune_first::<C>(batch, &RowSpace::own().end(), rows),
    }
}

/// Removes the first rows below `end`, at most so many.
fn prune_first<C: Collection>(batch: &mut Batch, end: &[u8], limit: usize) -> Result<usize, StoreError> {
    let mut keys = Vec::new();
    let first = Bound::Included(RowSpace::own().prefix());
    let mut rows = batch.raw_range(C::DEF.table, first, Bound::Excluded(end), Direction::Forward)?;
    while keys.len() < limit
        && let Some((key, _)) = rows.next_view()?
    {
        keys.push(decode_key::<C>(&key)?);
    }
    drop(rows);
    for key in &keys {
        batch.remove::<C>(key)?;
    }
    Ok(keys.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ConsensusEvents, Findings, MAX_CONSENSUS_EVENTS, Meta, Options, Store, StoreKey, TaskProofKey, TaskProofType,
        TaskProofs,
        samples::{Sample, address, hash},
        shard_ranges,
        tables::TableId,
    };
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    fn proof(slot: u64, node: u8) -> TaskProofKey {
        TaskProofKey { slot, node_id: address(node), kind: TaskProofType::UptimeBeacon }
    }

    /// A row of another database, of any slot.
    fn put_imported(batch: &mut Batch, slot: u64) {
        batch.import::<TaskProofs>(&"old".parse().unwrap(), &proof(slot, 1), &Sample::sample(), None).unwrap();
    }

    /// Keys of the own rows, or of those that are not.
    fn keys(store: &Store, table: TableId, own: bool) -> BTreeSet<Vec<u8>> {
        let snapshot = store.snapshot().unwrap();
        let rows = snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(|row| row.unwrap().0);
        rows.filter(|key| key.starts_with(RowSpace::own().prefix()) == own).collect()
    }

    fn own_key<K: StoreKey>(key: &K) -> Vec<u8> {
        RowSpace::own().key(key)
    }

    /// Indexes, sequences and shard ranges are what the rows ask for.
    fn is_sound(store: &Store) {
        let mut findings = Findings::default();
        store.snapshot().unwrap().check_rows(&mut findings, &mut |_| Ok(())).unwrap();
        assert!(findings.is_empty(), "{:?}", findings.listed);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u64, u8),
        Event(u64),
        Imported(u64),
        Prune(u64, usize),
        PruneTo(u64, usize),
        Commit,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0u64..40, 0u8..12).prop_map(|(slot, node)| Step::Put(slot, node)),
            4 => (0u64..40).prop_map(Step::Event),
            1 => (0u64..40).prop_map(Step::Imported),
            2 => (0u64..40, 0usize..30).prop_map(|(slot, limit)| Step::Prune(slot, limit)),
            2 => (0u64..12, 0usize..9).prop_map(|(kept, limit)| Step::PruneTo(kept, limit)),
            3 => Just(Step::Commit),
        ]
    }

    /// Removes the first keys of a model that are beyond or below something.
    fn prune_model<K: Ord + Clone>(model: &mut BTreeSet<K>, goes: impl Fn(&K) -> bool, limit: usize) -> usize {
        let gone: Vec<K> = model.iter().filter(|key| goes(key)).take(limit).cloned().collect();
        gone.iter().for_each(|key| assert!(model.remove(key)));
        gone.len()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_pruned_is_what_a_model_prunes(steps in prop::collection::vec(step(), 1..250)) {
            let (_folder, store) = new_store();
            let (mut proofs, mut events, mut imported) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            let mut batch = store.begin().unwrap();
            for step in steps.into_iter().chain([Step::Commit]) {
                match step {
                    Step::Put(slot, node) => {
                        batch.put::<TaskProofs>(&proof(slot, node), &Sample::sample()).unwrap();
                        proofs.insert((slot, node));
                    }
                    Step::Event(id) => {
                        batch.put::<ConsensusEvents>(&id, &Sample::sample()).unwrap();
                        events.insert(id);
                    }
                    Step::Imported(slot) => {
                        put_imported(&mut batch, slot);
                        imported.insert(slot);
                    }
                    Step::Prune(first, limit) => {
                        let pruned = prune_collection::<TaskProofs>(&mut batch, first, limit).unwrap();
                        prop_assert_eq!(pruned, prune_model(&mut proofs, |(slot, _)| *slot < first, limit));
                    }
                    Step::PruneTo(kept, limit) => {
                        let pruned = prune_to::<ConsensusEvents>(&mut batch, kept, limit).unwrap();
                        let beyond = events.len().saturating_sub(kept as usize);
                        prop_assert_eq!(pruned, prune_model(&mut events, |_| true, limit.min(beyond)));
                    }
                    Step::Commit => {
                        store.commit(batch).unwrap();
                        is_sound(&store);
                        let wanted: BTreeSet<_> = proofs.iter().map(|(s, n)| own_key(&proof(*s, *n))).collect();
                        prop_assert_eq!(keys(&store, TableId::TaskProofs, true), wanted);
                        let wanted: BTreeSet<_> = events.iter().map(own_key).collect();
                        prop_assert_eq!(keys(&store, TableId::ConsensusEvents, true), wanted);
                        prop_assert_eq!(keys(&store, TableId::TaskProofs, false).len(), imported.len());
                        batch = store.begin().unwrap();
                    }
                }
            }
        }
    }

    /// As many proofs as come when a bound is moved by a whole epoch, and events over their number.
    #[test]
    fn a_backlog_is_worked_off_over_many_steps_and_leaves_no_empty_ranges() {
        let (_folder, store) = new_store();
        let (slots, nodes, events) = (100u64, 40u8, 700);
        let mut batch = store.begin().unwrap();
        for slot in 0..slots {
            (0..nodes).for_each(|node| batch.append::<TaskProofs>(&proof(slot, node), &Sample::sample()).unwrap());
            put_imported(&mut batch, slot);
        }
        for id in 0..MAX_CONSENSUS_EVENTS + events {
            batch.append::<ConsensusEvents>(&id, &Sample::sample()).unwrap();
        }
        store.commit(batch).unwrap();
        let (first, mut steps) = (90, Vec::new());
        loop {
            let mut batch = store.begin().unwrap();
            let pruned = prune_expired(&mut batch, first).unwrap();
            store.commit(batch).unwrap();
            if pruned == 0 {
                break;
            }
            steps.push(pruned);
        }
        // 3,600 proofs and 700 events.
        assert_eq!(steps, [1_500 + 700, 1_500, 600]);
        is_sound(&store);
        let kept = keys(&store, TableId::TaskProofs, true);
        assert_eq!(kept.len(), 10 * usize::from(nodes));
        assert!(kept.first().unwrap().starts_with(&own_key(&first)));
        assert_eq!(keys(&store, TableId::TaskProofs, false).len(), slots as usize);
        let events_kept = keys(&store, TableId::ConsensusEvents, true);
        assert_eq!((events_kept.len() as u64, events_kept.first()), (MAX_CONSENSUS_EVENTS, Some(&own_key(&events))));
        let ranges = shard_ranges(&store.snapshot().unwrap(), &TaskProofs::DEF).unwrap();
        assert!(
            *ranges[0].start == *RowSpace::own().prefix() && ranges.iter().all(|range| range.documents > 0),
            "{ranges:?}"
        );
    }
}
