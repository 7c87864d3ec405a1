//! Making the rows of consensus again, from the blocks that a store has.

use super::{
    error::PootError,
    final_block::{FinalBlock, write_final_block},
    registry::write_genesis_members,
    schedule::schedule_after,
};
use crate::chain::{ChainError, read_committed, read_header};
use alloy_primitives::B256;
use lucid_storage::{Batch, BlockWork, Direction, Members, Reader, Seals};
use lucid_types::ChainSpec;
use std::ops::Bound;

/// Height of the last block whose rows are there; nothing where not even those of genesis are.
///
/// # Errors
///
/// The rows cannot be read.
pub fn replayed_height<R: Reader>(reader: &R) -> Result<Option<u64>, PootError> {
    if reader.range::<Members>(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?.next().transpose()?.is_none() {
        return Ok(None);
    }
    let mut blocks = reader.range::<BlockWork>(Bound::Unbounded, Bound::Unbounded, Direction::Reverse)?;
    Ok(Some(blocks.next().transpose()?.map_or(0, |(height, _)| height)))
}

/// Writes what follows from the block at `height` of `source` into `batch`, which has the rows of the block before; at
/// height 0 what a chain begins with.
///
/// # Errors
///
/// A row of either is missing, or a store fails: the batch has to be dropped.
pub fn replay_block<R: Reader>(
    batch: &mut Batch,
    source: &R,
    spec: &ChainSpec,
    genesis_hash: B256,
    height: u64,
) -> Result<(), ChainError> {
    let Some(before) = height.checked_sub(1) else {
        return Ok(write_genesis_members(batch, spec)?);
    };
    let damaged = |part| ChainError::Damaged { height, part };
    let block = read_committed(source, height)?.ok_or(damaged("block"))?;
    let parent = read_header(source, before)?.ok_or(damaged("parent"))?;
    let seal = source.get::<Seals>(&before)?;
    let parent_slot = spec.slots().slot_at(parent.timestamp).ok_or(damaged("parent"))?;
    let parent_certificate = seal.as_ref().map(|seal| &seal.certificate);
    let block = FinalBlock { genesis_hash, block: &block, parent: &parent, parent_certificate };
    let written = schedule_after(&*batch, spec, before, parent_slot)
        .and_then(|schedule| write_final_block(batch, spec, &schedule, &block));
    written.map_err(|error| match error {
        PootError::Store(error) => error.into(),
        PootError::Damaged { .. } | PootError::Members(_) => damaged("consensus"),
    })
}
