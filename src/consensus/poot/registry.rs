//! The registry as consensus sees it: members and candidates, from the events of final blocks alone.
//!
//! The contract LucidNodes decides; what it says in events is kept here as rows, so that the validator sets, the pools and
//! the operators of a chain follow from its blocks and can be made again from them.

use super::error::PootError;
use LucidNodes::LucidNodesEvents as Event;
use alloy_primitives::{Address, Log};
use alloy_sol_types::SolEventInterface;
use lucid_storage::{Batch, Candidates, Direction, Members, Reader, RegisteredNodeRecord, StoreError};
use lucid_types::{ChainSpec, ConsensusKey, Validator, ValidatorSet, contracts::LucidNodes};
use std::{collections::BTreeMap, ops::Bound};

/// The members after some block, by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberList(BTreeMap<Address, RegisteredNodeRecord>);

impl MemberList {
    /// As the rows have it.
    ///
    /// # Errors
    ///
    /// The rows cannot be read.
    pub fn read<R: Reader>(reader: &R) -> Result<Self, StoreError> {
        let rows = reader.range::<Members>(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
        rows.collect::<Result<_, _>>().map(Self)
    }

    /// The member with this address.
    pub fn get(&self, node: &Address) -> Option<&RegisteredNodeRecord> {
        self.0.get(node)
    }

    /// All members, in address order.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &RegisteredNodeRecord)> {
        self.0.iter()
    }

    /// The set that they make.
    ///
    /// # Errors
    ///
    /// They make none: the contract lets neither a key be used twice nor the last member go.
    pub fn validator_set(&self) -> Result<ValidatorSet, PootError> {
        let member = |(address, node): (&Address, &RegisteredNodeRecord)| Validator {
            address: *address,
            consensus_key: node.consensus_key,
        };
        ValidatorSet::new(self.0.iter().map(member).collect()).map_err(PootError::Members)
    }
}

/// Writes the members that a chain begins with.
pub(super) fn write_genesis_members(batch: &mut Batch, spec: &ChainSpec) -> Result<(), StoreError> {
    for (number, validator) in (0u32..).zip(spec.by_registration_number()) {
        let (operator, consensus_key) = (validator.operator, validator.consensus_key);
        let record = RegisteredNodeRecord { number, operator, consensus_key, pool: None };
        batch.put::<Members>(&validator.node, &record)?;
    }
    Ok(())
}

/// Writes what an event of LucidNodes changes. Events that change no row (votes, requests, proofs) are passed over, and so
/// is one that does not decode: the contract emits none.
pub(super) fn write_event(batch: &mut Batch, log: &Log) -> Result<(), StoreError> {
    let Ok(Log { data: event, .. }) = Event::decode_log(log) else { return Ok(()) };
    match event {
        Event::NodeRegistered(event) => {
            let Some(consensus_key) = compressed(&event.consensusKey) else { return Ok(()) };
            let (number, operator) = (event.number, event.operator);
            let record = RegisteredNodeRecord { number, operator, consensus_key, pool: None };
            batch.put::<Candidates>(&event.node, &record)
        }
        Event::NodeAdmitted(event) => {
            let Some(record) = batch.get::<Candidates>(&event.node)? else { return Ok(()) };
            batch.remove::<Candidates>(&event.node)?;
            batch.put::<Members>(&event.node, &record)
        }
        Event::NodeRemoved(event) => batch.remove::<Members>(&event.node).map(drop),
        Event::NodeLeft(event) => {
            batch.remove::<Members>(&event.node)?;
            batch.remove::<Candidates>(&event.node).map(drop)
        }
        Event::PoolJoined(event) => set_pool(batch, event.node, Some(event.pool)),
        Event::PoolLeft(event) => set_pool(batch, event.node, None),
        Event::AdmissionVoted(_) | Event::PoolRequested(_) | Event::RemovalVoted(_) | Event::TaskProofsSubmitted(_) => {
            Ok(())
        }
    }
}

fn set_pool(batch: &mut Batch, node: Address, pool: Option<Address>) -> Result<(), StoreError> {
    if let Some(record) = batch.get::<Members>(&node)? {
        return batch.put::<Members>(&node, &RegisteredNodeRecord { pool, ..record });
    }
    match batch.get::<Candidates>(&node)? {
        Some(record) => batch.put::<Candidates>(&node, &RegisteredNodeRecord { pool, ..record }),
        None => Ok(()),
    }
}

/// The compressed form of an uncompressed key without its leading 0x04.
fn compressed(key: &[u8]) -> Option<ConsensusKey> {
    let (x, y) = key.split_first_chunk::<32>()?;
    let mut bytes = [0; 33];
    bytes[0] = 2 + (y.last()? & 1);
    bytes[1..].copy_from_slice(x);
    ConsensusKey::from_bytes(bytes).ok()
}
