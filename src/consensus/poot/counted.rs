//! Which task proofs of a block count, and what they prove.
//!
//! Proofs are judged in the order in which the chain has them: the first of its slot, node and type counts, and of beacons
//! the first in each span. What counts becomes a row of `task_proofs`; what does not leaves no trace.

use super::{
    error::PootError,
    schedule::set_row_at,
    task_proof::{TaskProof, TaskProofFault, task_proof_records},
};
use LucidNodes::TaskProofsSubmitted;
use alloy_primitives::{Address, B256};
use alloy_sol_types::SolEvent;
use lucid_storage::{
    Batch, BlocksByTimestamp, Direction, Members, OperatorStorage, OperatorStorageRecord, ProvenWork, Reader,
    StorageClaim, TaskProofKey, TaskProofRecord, TaskProofType, TaskProofs, TaskValue,
};
use lucid_types::{
    ChainSpec, CommittedBlock, ValidatorSet,
    contracts::{LUCID_NODES_ADDRESS, LucidNodes},
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Bound,
};

/// What proofs are judged by.
#[derive(Debug, Clone, Copy)]
pub struct ProofTerms<'a> {
    /// The chain.
    pub spec: &'a ChainSpec,
    /// Hash of its genesis header.
    pub genesis_hash: B256,
    /// Slot of the block that brings them.
    pub slot: u64,
}

/// Judges a proof as if the block after the head brought it in `terms.slot`, and returns the node whose work it is.
///
/// # Errors
///
/// The store fails. A proof that does not count is no error but a fault.
pub fn check_task_proof<R: Reader>(
    reader: &R,
    terms: &ProofTerms<'_>,
    proof: &TaskProof,
) -> Result<Result<Address, TaskProofFault>, PootError> {
    judge(reader, terms, &mut Admitted::default(), proof)
}

/// Writes the rows of the proofs in a block that count, and returns what they prove, in the order of the nodes' addresses.
pub(super) fn count_proofs(
    batch: &mut Batch,
    terms: &ProofTerms<'_>,
    block: &CommittedBlock,
) -> Result<Vec<ProvenWork>, PootError> {
    let (mut work, mut admitted) = (BTreeMap::new(), Admitted::default());
    for log in block.transactions.iter().flat_map(|transaction| &transaction.logs) {
        if log.address != LUCID_NODES_ADDRESS {
            continue;
        }
        // Another event, or none: the contract emits only what decodes.
        let Ok(event) = TaskProofsSubmitted::decode_log(log) else { continue };
        for record in task_proof_records(&event.proofs) {
            let Ok(proof) = TaskProof::decode(record) else { continue };
            if let Ok(node) = judge(&*batch, terms, &mut admitted, &proof)? {
                write_row(batch, node, &proof)?;
                add(work.entry(node).or_insert_with(|| no_work(node)), &proof);
            }
        }
    }
    Ok(work.into_values().collect())
}

fn judge<R: Reader>(
    reader: &R,
    terms: &ProofTerms<'_>,
    admitted: &mut Admitted,
    proof: &TaskProof,
) -> Result<Result<Address, TaskProofFault>, PootError> {
    // What costs least comes first: anybody may submit what he likes.
    if let Err(fault) = proof.check_slot(terms.slot) {
        return Ok(Err(fault));
    }
    let signer = match proof.signer(terms.genesis_hash) {
        Ok(signer) => signer,
        Err(fault) => return Ok(Err(fault)),
    };
    let Some(node) = admitted.node_of(reader, terms, signer, proof.slot)? else {
        return Ok(Err(TaskProofFault::NotAdmitted(signer)));
    };
    let stored = stored_by_operator_of(reader, node)?;
    if let Err(fault) = proof.check_value(&terms.spec.parameters, &stored) {
        return Ok(Err(fault));
    }
    Ok(check_first(reader, terms, node, proof)?.map(|()| node))
}

/// What the operator of a node had stored up to the block before; of a node that left, nothing.
fn stored_by_operator_of<R: Reader>(reader: &R, node: Address) -> Result<OperatorStorageRecord, PootError> {
    let Some(member) = reader.get::<Members>(&node)? else { return Ok(OperatorStorageRecord::default()) };
    Ok(reader.get::<OperatorStorage>(&member.operator)?.unwrap_or_default())
}

/// No proof of the slot, node and type may count already, and of beacons none of the span.
fn check_first<R: Reader>(
    reader: &R,
    terms: &ProofTerms<'_>,
    node_id: Address,
    proof: &TaskProof,
) -> Result<Result<(), TaskProofFault>, PootError> {
    let (slot, kind) = (proof.slot, proof.kind());
    if reader.contains::<TaskProofs>(&TaskProofKey { slot, node_id, kind })? {
        return Ok(Err(TaskProofFault::Repeated(slot)));
    }
    if kind != TaskProofType::UptimeBeacon {
        return Ok(Ok(()));
    }
    let span = terms.spec.parameters.proof_span_slots();
    let first = slot - slot % span;
    let last = first.saturating_add(span - 1);
    for slot in first..=last {
        if reader.contains::<TaskProofs>(&TaskProofKey { slot, node_id, kind })? {
            return Ok(Err(TaskProofFault::RepeatedBeacon { first, last }));
        }
    }
    Ok(Ok(()))
}

fn write_row(batch: &mut Batch, node_id: Address, proof: &TaskProof) -> Result<(), PootError> {
    let pool_id = batch.get::<Members>(&node_id)?.and_then(|member| member.pool);
    let key = TaskProofKey { slot: proof.slot, node_id, kind: proof.kind() };
    let record = TaskProofRecord { pool_id, value: proof.value, sig: proof.signature, ts: proof.ts };
    Ok(batch.put::<TaskProofs>(&key, &record)?)
}

const fn no_work(node: Address) -> ProvenWork {
    ProvenWork { node, bytes_transferred: 0, sessions_relayed: 0, storage: None, beacons: 0, uptime_seconds: 0 }
}

fn add(work: &mut ProvenWork, proof: &TaskProof) {
    match proof.value {
        TaskValue::Relay { bytes_transferred, sessions_relayed } => {
            work.bytes_transferred = work.bytes_transferred.saturating_add(bytes_transferred);
            work.sessions_relayed = work.sessions_relayed.saturating_add(sessions_relayed.into());
        }
        TaskValue::Storage { chunks_stored, size_bytes } => {
            let claim = StorageClaim { slot: proof.slot, chunks_stored, size_bytes };
            work.storage = work.storage.into_iter().chain([claim]).max_by_key(|claim| claim.slot);
        }
        TaskValue::Uptime { uptime_seconds } => {
            work.beacons = work.beacons.saturating_add(1);
            work.uptime_seconds = work.uptime_seconds.saturating_add(uptime_seconds);
        }
    }
}

/// Who was admitted at the slots of a block's proofs: nodes by the addresses of their consensus keys, for each set that
/// they ask for.
#[derive(Debug, Default)]
struct Admitted(BTreeMap<Vec<u8>, BTreeMap<Address, Address>>);

impl Admitted {
    /// The node with this key in the set for the child of the last block with a slot below `slot`.
    fn node_of<R: Reader>(
        &mut self,
        reader: &R,
        terms: &ProofTerms<'_>,
        signer: Address,
        slot: u64,
    ) -> Result<Option<Address>, PootError> {
        let Some(start) = terms.spec.slots().start_of(slot) else { return Ok(None) };
        let (from, to) = (Bound::Unbounded, Bound::Excluded(&start));
        let mut before = reader.keys_by_index_range::<BlocksByTimestamp>(from, to, Direction::Reverse)?;
        // Before genesis nobody was admitted.
        let Some((_, height)) = before.next().transpose()? else { return Ok(None) };
        let (row, set) = set_row_at(reader, height + 1)?;
        let nodes = match self.0.entry(row) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(nodes_by_key(&set)),
        };
        Ok(nodes.get(&signer).copied())
    }
}

fn nodes_by_key(set: &ValidatorSet) -> BTreeMap<Address, Address> {
    let by_key = set.members().iter().map(|member| {
        let key = Address::from_raw_public_key(&member.consensus_key.to_uncompressed());
        (key, member.address)
    });
    by_key.collect()
}
