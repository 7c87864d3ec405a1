//! What a final block adds to the rows of consensus: task proofs that count, the tally where an epoch begins, the schedule,
//! the registry. All of it follows from final blocks and nothing else, so every node has the same rows, and they can be made
//! again.

use super::{
    counted::{ProofTerms, count_proofs},
    credits::live_score,
    error::PootError,
    registry::{MemberList, write_event, write_genesis_members},
    schedule::{Schedule, first_slot},
    tally::{TallyTerms, WindowSums, tally},
};
use LucidChunkStore::ChunkStored;
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Log};
use alloy_sol_types::SolEvent;
use lucid_storage::{
    Batch, BlockWork, BlockWorkRecord, Direction, EpochRecord, Epochs, LeaderSchedule, LeaderScheduleRecord,
    OperatorStorage, OperatorStorageRecord, RankedEntity, Reader, StoreError, TableId, TallyKey, WorkTally,
    WorkTallyRecord,
};
use lucid_types::{
    Certificate, ChainSpec, CommittedBlock, ExtraData, Params, Rules, ValidatorSet,
    contracts::{LUCID_CHUNK_STORE_ADDRESS, LUCID_NODES_ADDRESS, LucidChunkStore},
};
use std::{collections::BTreeMap, ops::Bound};

/// Rows of work that no tally reads any longer and that go with a block, at most: more than one, so that what is left over
/// becomes less.
const MAX_PRUNED_BLOCKS: usize = 4;

/// A final block, with what came before it.
#[derive(Debug, Clone, Copy)]
pub struct FinalBlock<'a> {
    /// Hash of the chain's genesis header, which task proofs sign.
    pub genesis_hash: B256,
    /// The block.
    pub block: &'a CommittedBlock,
    /// Header of the block before.
    pub parent: &'a Header,
    /// The certificate of the block before, which this one commits to; nothing where that is genesis.
    pub parent_certificate: Option<&'a Certificate>,
}

/// Writes the members that a chain begins with, into the batch of its genesis.
///
/// # Errors
///
/// The store fails.
pub fn write_genesis(batch: &mut Batch, spec: &ChainSpec) -> Result<(), PootError> {
    Ok(write_genesis_members(batch, spec)?)
}

/// Writes what follows from the block after the head into its batch. `schedule` is that of its height, and the rows are
/// those of the block before.
///
/// # Errors
///
/// A row is missing, or the store fails: the batch has to be dropped.
pub fn write_final_block(
    batch: &mut Batch,
    spec: &ChainSpec,
    schedule: &Schedule,
    block: &FinalBlock<'_>,
) -> Result<(), PootError> {
    let params = &spec.parameters;
    let height = block.block.header.number;
    let damaged = || PootError::Damaged { table: "blocks", key: height };
    let slot = spec.slots().slot_at(block.block.header.timestamp).ok_or_else(damaged)?;
    let round = ExtraData::decode(&block.block.header.extra_data).map_err(|_| damaged())?.round;
    let members = MemberList::read(batch)?;
    let begins = block.parent.number == 0 || params.epoch_of(schedule.parent_slot) != params.epoch_of(slot);
    if begins {
        begin_epoch(batch, spec, &members, block.parent, slot)?;
        write_next_set(batch, spec.rules, &members, height, &schedule.set)?;
    }
    let work = count_proofs(batch, &ProofTerms { spec, genesis_hash: block.genesis_hash, slot }, block.block)?;
    let signers = block
        .parent_certificate
        .map_or_else(Vec::new, |certificate| certificate.signatures.iter().map(|vote| vote.address).collect());
    let led = schedule.order.of_round(round).entity;
    let missed = schedule.order.before_round(round).collect();
    batch.append::<BlockWork>(&height, &BlockWorkRecord { slot, led, missed, signers, work })?;
    let (primary, fallbacks) = schedule.order.named();
    let result = schedule.order.result(round);
    batch.append::<LeaderSchedule>(&slot, &LeaderScheduleRecord { primary, fallbacks, result })?;
    for log in block.block.transactions.iter().flat_map(|transaction| &transaction.logs) {
        match log.address {
            LUCID_NODES_ADDRESS => write_event(batch, log)?,
            LUCID_CHUNK_STORE_ADDRESS => count_stored(batch, log)?,
            _ => {}
        }
    }
    prune_block_work(batch, params, slot)
}

/// Fixes what holds for the epoch that `slot` is the first of to have a block: its tally, and who ranks how.
fn begin_epoch(
    batch: &mut Batch,
    spec: &ChainSpec,
    members: &MemberList,
    parent: &Header,
    slot: u64,
) -> Result<(), PootError> {
    let params = &spec.parameters;
    let epoch = params.epoch_of(slot);
    let start = params.epoch_start(epoch);
    let first = first_slot(batch, spec.slots())?.unwrap_or(slot).max(start.saturating_sub(params.leader_window_slots));
    let mut entities = Vec::new();
    if let Some(window_slots) = start.checked_sub(first).filter(|slots| *slots > 0) {
        let pools: BTreeMap<_, _> = members.iter().filter_map(|(node, member)| Some((*node, member.pool?))).collect();
        let terms = TallyTerms {
            params,
            epoch,
            seed: parent.mix_hash,
            window_secs: window_slots.saturating_mul(params.slot_duration_secs),
            pools: &pools,
        };
        entities = tally(&window_sums(batch, first, start)?, &terms);
        write_tally(batch, epoch, &entities)?;
    }
    batch.append::<Epochs>(&epoch, &EpochRecord { seed: parent.mix_hash, entities })?;
    Ok(())
}

/// Work in the blocks of slots from `first` to before `end`.
fn window_sums<R: Reader>(reader: &R, first: u64, end: u64) -> Result<WindowSums, StoreError> {
    let mut sums = WindowSums::default();
    for row in reader.range::<BlockWork>(Bound::Unbounded, Bound::Unbounded, Direction::Reverse)? {
        let (_, block) = row?;
        if block.slot < first {
            break;
        }
        if block.slot < end {
            sums.add(&block);
        }
    }
    Ok(sums)
}

fn write_tally(batch: &mut Batch, epoch: u64, entities: &[RankedEntity]) -> Result<(), StoreError> {
    let mut rows: Vec<_> = (0u32..).zip(entities).collect();
    rows.sort_by_key(|(_, ranked)| ranked.entity);
    for (rank, RankedEntity { entity, credits, uptime, .. }) in rows {
        let (credits, uptime) = (*credits, *uptime);
        let record = WorkTallyRecord { credits, uptime, live_score: live_score(credits, uptime), rank };
        batch.append::<WorkTally>(&TallyKey { epoch, entity_id: *entity }, &record)?;
    }
    Ok(())
}

/// The set for the child of an epoch's first block, and of all that follow in the epoch, is that of the members after the
/// last block before. A `dev` chain keeps the set of genesis.
fn write_next_set(
    batch: &mut Batch,
    rules: Rules,
    members: &MemberList,
    height: u64,
    set: &ValidatorSet,
) -> Result<(), PootError> {
    let next = next_set(rules, members, set)?;
    if next != *set {
        batch.raw_put(TableId::ValidatorSets, (height + 1).to_be_bytes(), next.canonical_bytes());
    }
    Ok(())
}

fn next_set(rules: Rules, members: &MemberList, set: &ValidatorSet) -> Result<ValidatorSet, PootError> {
    match rules {
        Rules::Dev => Ok(set.clone()),
        Rules::Poot => members.validator_set(),
    }
}

/// The set that a block of `slot` after the head has to name: whose votes count on its child.
///
/// # Errors
///
/// A row is missing, or the store fails.
pub fn set_after<R: Reader>(
    reader: &R,
    spec: &ChainSpec,
    schedule: &Schedule,
    slot: u64,
) -> Result<ValidatorSet, PootError> {
    let params = &spec.parameters;
    if schedule.height > 1 && params.epoch_of(schedule.parent_slot) == params.epoch_of(slot) {
        return Ok(schedule.set.clone());
    }
    next_set(spec.rules, &MemberList::read(reader)?, &schedule.set)
}

/// Counts a chunk that an account had stored. An event that does not decode is passed over: the contract emits none.
fn count_stored(batch: &mut Batch, log: &Log) -> Result<(), StoreError> {
    let Ok(Log { data: event, .. }) = ChunkStored::decode_log(log) else { return Ok(()) };
    let operator: Address = event.account;
    let before = batch.get::<OperatorStorage>(&operator)?.unwrap_or_default();
    let after = OperatorStorageRecord {
        chunks: before.chunks.saturating_add(1),
        bytes: before.bytes.saturating_add(event.sizeBytes),
    };
    batch.put::<OperatorStorage>(&operator, &after)
}

/// Removes rows of work that are older than anything looks back from a block of `slot` on.
fn prune_block_work(batch: &mut Batch, params: &Params, slot: u64) -> Result<(), PootError> {
    let back = params.leader_window_slots.max(params.epoch_slots).max(params.cooldown_slots);
    let first_needed = params.epoch_start(params.epoch_of(slot)).saturating_sub(back);
    let mut old = Vec::new();
    for row in batch.range::<BlockWork>(Bound::Unbounded, Bound::Unbounded, Direction::Forward)? {
        let (height, block) = row?;
        if block.slot >= first_needed || old.len() == MAX_PRUNED_BLOCKS {
            break;
        }
        old.push(height);
    }
    for height in old {
        batch.remove::<BlockWork>(&height)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
