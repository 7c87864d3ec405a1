//! Who votes on the next height and who leads it, frozen by the last block: read from the rows that final blocks wrote.

use super::{
    error::PootError,
    order::{LeaderHistory, Order, OrderTerms},
};
use lucid_storage::{BlockWork, BlockchainState, Blocks, Current, Direction, Epochs, Reader, TableId};
use lucid_types::{ChainSpec, Params, SlotGrid, ValidatorSet};
use std::ops::Bound;

/// What is fixed about a height before anybody proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The height.
    pub height: u64,
    /// Slot of the block before.
    pub parent_slot: u64,
    /// Who votes.
    pub set: ValidatorSet,
    /// Who leads, round by round.
    pub order: Order,
}

/// The schedule of the height after the head.
///
/// # Errors
///
/// A row is missing, or the store fails.
pub fn next_schedule<R: Reader>(reader: &R, spec: &ChainSpec) -> Result<Schedule, PootError> {
    let damaged = |key| PootError::Damaged { table: "blockchain_state", key };
    let head = reader.get::<BlockchainState>(&Current)?.ok_or_else(|| damaged(0))?;
    let slot = spec.slots().slot_at(head.timestamp).ok_or_else(|| damaged(head.height))?;
    schedule_after(reader, spec, head.height, slot)
}

/// The schedule of the height after `parent`, a block of `parent_slot` whose rows are the last ones.
pub(super) fn schedule_after<R: Reader>(
    reader: &R,
    spec: &ChainSpec,
    parent: u64,
    parent_slot: u64,
) -> Result<Schedule, PootError> {
    let height = parent + 1;
    let epoch = spec.parameters.epoch_of(parent_slot);
    let set = validator_set_at(reader, height)?;
    let tally = reader.get::<Epochs>(&epoch)?;
    let history = leader_history(reader, &spec.parameters, parent, parent_slot)?;
    let terms = OrderTerms { height, epoch, tally: tally.as_ref(), history: &history, set: &set };
    let order = Order::new(&terms);
    Ok(Schedule { height, parent_slot, set, order })
}

/// The validator set whose votes count at a height.
///
/// # Errors
///
/// There is none, or it cannot be read.
pub fn validator_set_at<R: Reader>(reader: &R, height: u64) -> Result<ValidatorSet, PootError> {
    set_row_at(reader, height).map(|(_, set)| set)
}

/// As [`validator_set_at`], with the key of the set's row.
pub(super) fn set_row_at<R: Reader>(reader: &R, height: u64) -> Result<(Vec<u8>, ValidatorSet), PootError> {
    let damaged = || PootError::Damaged { table: TableId::ValidatorSets.name(), key: height };
    let key = height.to_be_bytes();
    let upper = Bound::Included(key.as_slice());
    let mut sets = reader.raw_range(TableId::ValidatorSets, Bound::Unbounded, upper, Direction::Reverse)?;
    let (key, bytes) = sets.next_view()?.ok_or_else(damaged)?;
    let set = ValidatorSet::from_canonical_bytes(&bytes).map_err(|_| damaged())?;
    Ok((key.to_vec(), set))
}

/// Slot of block 1, before which no window begins; nothing before there is one.
pub(super) fn first_slot<R: Reader>(reader: &R, slots: SlotGrid) -> Result<Option<u64>, PootError> {
    let Some(block) = reader.get::<Blocks>(&1)? else { return Ok(None) };
    slots.slot_at(block.timestamp).map(Some).ok_or(PootError::Damaged { table: "blocks", key: 1 })
}

/// Misses of the epoch that `parent` is in, and who led within the cooldown before it.
fn leader_history<R: Reader>(
    reader: &R,
    params: &Params,
    parent: u64,
    parent_slot: u64,
) -> Result<LeaderHistory, PootError> {
    let epoch_start = params.epoch_start(params.epoch_of(parent_slot));
    let mut history = LeaderHistory::default();
    let upper = Bound::Included(&parent);
    for row in reader.range::<BlockWork>(Bound::Unbounded, upper, Direction::Reverse)? {
        let (_, block) = row?;
        let (in_epoch, resting) = (block.slot >= epoch_start, block.slot + params.cooldown_slots > parent_slot);
        if !in_epoch && !resting {
            break;
        }
        if in_epoch {
            for entity in block.missed {
                *history.misses.entry(entity).or_default() += 1;
            }
        }
        if resting {
            // Blocks come from the last one back, so the first seen is the last slot that was led.
            history.led.entry(block.led).or_insert(block.slot);
        }
    }
    Ok(history)
}
