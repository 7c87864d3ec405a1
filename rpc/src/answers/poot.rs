use crate::{
    api::{NodeApi, NodeError},
    backend::Backend,
    error::RpcError,
    interface::{Param, PootServer},
    view::{ChainView, stored},
    wire::{
        ConsensusParticipantsDocument, ConsensusStatusDocument, FinalityDocument, FindQuery, FoundDocument,
        LeaderScheduleDocument, PageQuery, PeerDocument, SealDocument, SlotDocument, TallyDocument, TallyEntryDocument,
        TaskProofAcceptedDocument, TaskProofQuery,
    },
};
use alloy_eips::BlockId;
use alloy_primitives::Bytes;
use jsonrpsee::core::async_trait;
use lucid_storage::{
    Collection as _, ConsensusEvents, Direction, Epochs, LeaderSchedule, Reader, Seals, Snapshot, TableId, TaskProofs,
    WorkTally, find,
};
use lucid_types::{Document, ValidatorSet};
use serde_json::json;
use std::ops::Bound;

#[async_trait]
impl<A: NodeApi> PootServer for Backend<A> {
    async fn slot(&self) -> Result<SlotDocument, RpcError> {
        self.read(slot_document).await
    }

    async fn get_leader_schedule(&self, slot: Option<Param<u64>>) -> Result<Option<LeaderScheduleDocument>, RpcError> {
        let slot = Param::read_optional(slot)?;
        self.read(move |api| {
            let snapshot = api.snapshot()?;
            if let Some(slot) = slot
                && let Some(record) = stored(snapshot.get::<LeaderSchedule>(&slot))?
            {
                return Ok(Some(LeaderScheduleDocument::of_block(slot, record)));
            }
            Ok(api.next_schedule(slot)?)
        })
        .await
    }

    async fn get_work_tally(&self, epoch: Option<Param<u64>>) -> Result<Option<TallyDocument>, RpcError> {
        let epoch = Param::read_optional(epoch)?;
        self.read(move |api| tally(&api.snapshot()?, epoch)).await
    }

    async fn get_task_proofs(&self, query: Option<Param<TaskProofQuery>>) -> Result<FoundDocument<Document>, RpcError> {
        let query = Param::read_optional(query)?.unwrap_or_default();
        self.execute(move |api| {
            let options = FindQuery { limit: query.limit, cursor: query.cursor.clone(), ..FindQuery::default() };
            Ok(find(&api.snapshot()?, TaskProofs::DEF.name, &query.filter(), &options.into())?.into())
        })
        .await
    }

    async fn submit_task_proof(&self, record: Param<Bytes>) -> Result<TaskProofAcceptedDocument, RpcError> {
        let record = record.read()?;
        self.write(move |api| async move { Ok(api.submit_task_proof(record).await?) }).await
    }

    async fn consensus_status(&self) -> Result<ConsensusStatusDocument, RpcError> {
        self.read(|api| Ok(api.consensus_status()?)).await
    }

    async fn consensus_participants(&self) -> Result<ConsensusParticipantsDocument, RpcError> {
        self.read(|api| {
            let view = ChainView::open(api)?;
            let height = view.head().height + 1;
            let schedule = api.next_schedule(None)?;
            let order = schedule.map(|schedule| schedule.order).unwrap_or_default();
            Ok(ConsensusParticipantsDocument { height, validators: validators(view.snapshot(), height)?.into(), order })
        })
        .await
    }

    async fn consensus_history(&self, query: Option<Param<PageQuery>>) -> Result<FoundDocument<Document>, RpcError> {
        let PageQuery { limit, cursor } = Param::read_optional(query)?.unwrap_or_default();
        self.execute(move |api| {
            let sort = serde_json::from_value(json!({"event_id": -1})).ok();
            let options = FindQuery { limit, cursor, sort, ..FindQuery::default() };
            Ok(find(&api.snapshot()?, ConsensusEvents::DEF.name, &json!({}), &options.into())?.into())
        })
        .await
    }

    async fn peers(&self) -> Result<Vec<PeerDocument>, RpcError> {
        self.write(|api| async move { Ok(api.peers().await?) }).await
    }

    async fn get_seal(&self, block: Param<BlockId>) -> Result<Option<SealDocument>, RpcError> {
        let block = block.read()?;
        self.read(move |api| {
            let view = ChainView::open(api)?;
            let Some(height) = view.height_of_id(block)? else { return Ok(None) };
            let snapshot = view.snapshot();
            let Some(seal) = stored(snapshot.get::<Seals>(&height))? else { return Ok(None) };
            let validators = validators(snapshot, height)?.into();
            Ok(Some(SealDocument { height, block_hash: seal.certificate.block_hash, seal, validators }))
        })
        .await
    }
}

/// The slot that the node's clock shows.
pub(super) fn slot_document(api: &impl NodeApi) -> Result<SlotDocument, RpcError> {
    let head = ChainView::open(api)?.head().timestamp;
    let (spec, now) = (api.chain_info().spec, api.since_epoch().as_secs());
    let (slots, params) = (spec.slots(), &spec.parameters);
    let slot = slots.slot_at(now).ok_or(RpcError::InvalidRequest(format!(
        "the node's clock shows {now}, and the slots of this chain begin at {}",
        spec.slot_origin
    )))?;
    let start = |slot| slots.start_of(slot).unwrap_or(u64::MAX);
    let epoch = params.epoch_of(slot);
    Ok(SlotDocument {
        slot,
        epoch,
        starts_at: start(slot),
        ends_at: start(slot + 1),
        head_slot: slots.slot_at(head).unwrap_or_default(),
        next_epoch_slot: params.epoch_start(epoch + 1),
    })
}

/// The tally of an epoch, or of the last one that has been begun.
fn tally(snapshot: &Snapshot, epoch: Option<u64>) -> Result<Option<TallyDocument>, RpcError> {
    let epoch = match epoch {
        Some(epoch) => epoch,
        None => {
            let mut epochs = stored(snapshot.range::<Epochs>(Bound::Unbounded, Bound::Unbounded, Direction::Reverse))?;
            let Some(last) = stored(epochs.next().transpose())? else { return Ok(None) };
            last.0
        }
    };
    if !stored(snapshot.contains::<Epochs>(&epoch))? {
        return Ok(None);
    }
    let rows = stored(snapshot.range_prefix::<WorkTally>(&epoch, Direction::Forward))?;
    let mut entities = Vec::new();
    for row in rows {
        let (key, record) = stored(row)?;
        entities.push(TallyEntryDocument::new(key.entity_id, &record));
    }
    entities.sort_by_key(|entity| entity.rank);
    Ok(Some(TallyDocument { epoch, entities }))
}

/// What made the block at a height final; `None` where there is no such block, or none with a seal.
pub(super) fn finality(api: &impl NodeApi, height: u64) -> Result<Option<FinalityDocument>, RpcError> {
    let snapshot = api.snapshot()?;
    let Some(seal) = stored(snapshot.get::<Seals>(&height))? else { return Ok(None) };
    let validators = validators(&snapshot, height)?.members().len();
    Ok(Some(FinalityDocument::new(&seal, validators)))
}

/// Whose votes count at a height.
fn validators(snapshot: &Snapshot, height: u64) -> Result<ValidatorSet, RpcError> {
    let key = height.to_be_bytes();
    let sets = snapshot.raw_range(TableId::ValidatorSets, Bound::Unbounded, Bound::Included(&key), Direction::Reverse);
    let set = stored(stored(sets)?.next_view())?;
    let set = set.and_then(|(_, bytes)| ValidatorSet::from_canonical_bytes(&bytes).ok());
    Ok(set.ok_or(NodeError::Corrupt("validator set"))?)
}
