//! The rows of consensus held against what the chain's blocks make them: every block is taken again, in a store of its own
//! beside, and what it writes there is what must be here.
//!
//! The store beside is small: what has been compared goes from it, but for what later blocks follow from.

use super::{
    super::error::NodeError,
    progress::{Counter, ReportStep},
};
use crate::{
    chain::{self, ChainError},
    consensus::poot::{replay_block, replayed_height},
};
use alloy_consensus::Header;
use lucid_storage::{
    Batch, BlockWork, Blocks, Candidates, Collection, Direction, Epochs, Findings, LeaderSchedule, Members, Meta,
    OperatorStorage, Options, Reader, Snapshot, Store, StoreError, StoreKey, TableId, TableRepair, TallyKey,
    TaskProofs, WorkTally, prune_expired,
};
use lucid_types::{ChainSpec, MAX_TASK_PROOF_AGE_SLOTS};
use std::{collections::VecDeque, ops::Bound::Unbounded};

/// Blocks that are taken again in one batch of the store beside.
const BATCH_BLOCKS: u64 = 500;

/// A row that is not what the blocks make it.
pub(super) struct Difference {
    pub(super) table: TableId,
    /// Its key, as it is told.
    pub(super) key: Vec<u8>,
    /// What is wrong: it is counted so.
    pub(super) repair: TableRepair,
    pub(super) mend: Mend,
}

/// Writes a row as it must be.
pub(super) type Mend = Box<dyn Fn(&mut Batch) -> Result<(), StoreError>>;

impl Difference {
    /// What is wrong, for a person.
    pub(super) fn text(&self) -> &'static str {
        match self.repair {
            TableRepair { missing: 1, .. } => "is not there, and the blocks ask for it",
            TableRepair { wrong: 1, .. } => "is not what the blocks make it",
            _ => "is there, and no block asks for it",
        }
    }
}

/// Whoever is told of differences.
type Tell<'a> = dyn FnMut(Difference) -> Result<(), StoreError> + 'a;

/// Compares the rows of consensus in a store whose last block is at `head` with what its blocks make them.
pub(super) fn compare_with_blocks(
    snapshot: &Snapshot,
    meta: &Meta,
    spec: &ChainSpec,
    head: u64,
    tell: &mut Tell<'_>,
    progress: &mut ReportStep<'_>,
) -> Result<(), NodeError> {
    let folder = tempfile::tempdir().map_err(|source| NodeError::Io { path: std::env::temp_dir(), source })?;
    let store =
        Store::create(folder.path().join("replay"), &Meta::new(Vec::new(), meta.genesis_hash), &Options::default())?;
    let mut replay = Replay { snapshot, spec, meta, kept: VecDeque::new() };
    let mut counter = Counter::new("consensus", head + 1, progress);
    let mut first = 0;
    while first <= head {
        let mut batch = store.begin()?;
        for height in first..=head.min(first + BATCH_BLOCKS - 1) {
            replay.take(&mut batch, height, tell)?;
            counter.count()?;
        }
        store.commit(batch)?;
        first += BATCH_BLOCKS;
    }
    let replayed = store.snapshot()?;
    compare_all::<Members>(snapshot, &replayed, tell)?;
    compare_all::<Candidates>(snapshot, &replayed, tell)?;
    compare_all::<OperatorStorage>(snapshot, &replayed, tell)?;
    compare_all::<TaskProofs>(snapshot, &replayed, tell)?;
    compare_all::<BlockWork>(snapshot, &replayed, tell)?;
    compare_sets(snapshot, &replayed, tell)?;
    Ok(())
}

/// Adds each difference to what is found.
pub(super) fn check_consensus(
    snapshot: &Snapshot,
    meta: &Meta,
    spec: &ChainSpec,
    head: u64,
    findings: &mut Findings,
    progress: &mut ReportStep<'_>,
) -> Result<(), NodeError> {
    // A store of an earlier version has none of these rows before a node has opened it, and a kill may leave it with some.
    let Some(head) = replayed_height(snapshot)?.map(|height| height.min(head)) else { return Ok(()) };
    let mut tell = |difference: Difference| {
        findings.add(difference.table, &difference.key, difference.text());
        Ok(())
    };
    compare_with_blocks(snapshot, meta, spec, head, &mut tell, progress)
}

struct Replay<'a> {
    snapshot: &'a Snapshot,
    spec: &'a ChainSpec,
    meta: &'a Meta,
    /// Heights and slots of the blocks that the store beside has, but for the first two.
    kept: VecDeque<(u64, u64)>,
}

impl Replay<'_> {
    /// Takes a block again, and compares the rows that nothing later changes.
    fn take(&mut self, batch: &mut Batch, height: u64, tell: &mut Tell<'_>) -> Result<(), NodeError> {
        let missing = ChainError::Damaged { height, part: "block" };
        let record = self.snapshot.get::<Blocks>(&height)?.ok_or(missing)?;
        batch.append::<Blocks>(&height, &record)?;
        if height == 0 {
            let set = self.snapshot.raw_get(TableId::ValidatorSets, &1u64.to_be_bytes())?;
            batch.raw_put(TableId::ValidatorSets, 1u64.to_be_bytes(), set.unwrap_or_default());
        }
        replay_block(batch, self.snapshot, self.spec, self.meta.genesis_hash, height)?;
        if height == 0 {
            return Ok(());
        }
        let header = chain::read_header(self.snapshot, height)?.ok_or(ChainError::NoChain)?;
        let slot = self.slot(&header);
        prune_expired(batch, self.spec.parameters.first_task_proof_slot(slot))?;
        compare::<LeaderSchedule>(self.snapshot, batch, &slot, tell)?;
        batch.remove::<LeaderSchedule>(&slot)?;
        let parent = chain::read_header(self.snapshot, height - 1)?.ok_or(ChainError::NoChain)?;
        let [epoch, before] = [slot, self.slot(&parent)].map(|slot| self.spec.parameters.epoch_of(slot));
        if height == 1 || epoch != before {
            self.compare_epoch(batch, epoch, tell)?;
            batch.remove::<Epochs>(&before).map(drop)?;
        }
        self.forget_blocks(batch, height, slot)
    }

    fn slot(&self, header: &Header) -> u64 {
        self.spec.slots().slot_at(header.timestamp).unwrap_or_default()
    }

    /// What is fixed with the first block of an epoch.
    fn compare_epoch(&self, batch: &mut Batch, epoch: u64, tell: &mut Tell<'_>) -> Result<(), StoreError> {
        compare::<Epochs>(self.snapshot, batch, &epoch, tell)?;
        let mut keys: Vec<TallyKey> = Vec::new();
        for reader in [self.snapshot as &dyn Reader, batch as &dyn Reader] {
            for row in (&reader).range_prefix::<WorkTally>(&epoch, Direction::Forward)? {
                keys.push(row?.0);
            }
        }
        keys.sort();
        keys.dedup();
        for key in keys {
            compare::<WorkTally>(self.snapshot, batch, &key, tell)?;
            batch.remove::<WorkTally>(&key)?;
        }
        Ok(())
    }

    /// Blocks are looked at as far back as proofs may be, and one more. The first one says when the chain began.
    fn forget_blocks(&mut self, batch: &mut Batch, height: u64, slot: u64) -> Result<(), NodeError> {
        if height > 1 {
            self.kept.push_back((height, slot));
        }
        while let [(oldest, _), (_, next), ..] = self.kept.make_contiguous() {
            if next.saturating_add(MAX_TASK_PROOF_AGE_SLOTS) >= slot {
                break;
            }
            batch.remove::<Blocks>(oldest)?;
            self.kept.pop_front();
        }
        Ok(())
    }
}

/// Compares one row, which may be absent on either side.
fn compare<C: Collection>(
    here: &impl Reader,
    replayed: &impl Reader,
    key: &C::Key,
    tell: &mut Tell<'_>,
) -> Result<(), StoreError>
where
    C::Key: 'static,
    C::Record: PartialEq + Clone + 'static,
{
    let (found, expected) = (here.get::<C>(key)?, replayed.get::<C>(key)?);
    if found == expected {
        return Ok(());
    }
    let mut repair = TableRepair::default();
    match (&found, &expected) {
        (None, _) => repair.missing = 1,
        (_, None) => repair.superfluous = 1,
        _ => repair.wrong = 1,
    }
    let row_key = key.clone();
    let mend = move |batch: &mut Batch| match &expected {
        Some(record) => batch.put::<C>(&row_key, record),
        None => batch.remove::<C>(&row_key).map(drop),
    };
    tell(Difference { table: C::DEF.table, key: key.to_key_bytes(), repair, mend: Box::new(mend) })
}

/// Compares all rows of a table.
fn compare_all<C: Collection>(here: &Snapshot, replayed: &Snapshot, tell: &mut Tell<'_>) -> Result<(), StoreError>
where
    C::Key: 'static,
    C::Record: PartialEq + Clone + 'static,
{
    for row in replayed.range::<C>(Unbounded, Unbounded, Direction::Forward)? {
        compare::<C>(here, replayed, &row?.0, tell)?;
    }
    for row in here.range::<C>(Unbounded, Unbounded, Direction::Forward)? {
        let (key, _) = row?;
        if !replayed.contains::<C>(&key)? {
            compare::<C>(here, replayed, &key, tell)?;
        }
    }
    Ok(())
}

/// Compares the validator sets, which have no records.
fn compare_sets(here: &Snapshot, replayed: &Snapshot, tell: &mut Tell<'_>) -> Result<(), StoreError> {
    let table = TableId::ValidatorSets;
    let mut keys = Vec::new();
    for snapshot in [here, replayed] {
        let mut sets = snapshot.raw_range(table, Unbounded, Unbounded, Direction::Forward)?;
        while let Some((key, _)) = sets.next_view()? {
            keys.push(key.to_vec());
        }
    }
    keys.sort();
    keys.dedup();
    for key in keys {
        let (found, expected) = (here.raw_get(table, &key)?, replayed.raw_get(table, &key)?);
        if found == expected {
            continue;
        }
        let (missing, superfluous) = (u64::from(found.is_none()), u64::from(expected.is_none()));
        let repair = TableRepair { missing, superfluous, wrong: 1 - missing - superfluous };
        let row_key = key.clone();
        let mend = move |batch: &mut Batch| {
            match &expected {
                Some(set) => batch.raw_put(table, row_key.clone(), set.clone()),
                None => batch.raw_remove(table, row_key.clone()),
            }
            Ok(())
        };
        tell(Difference { table, key, repair, mend: Box::new(mend) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
