//! Task proofs that wait to be brought to the chain.
//!
//! They ride with other transactions: when a block is made of what waits, the node adds a call of LucidNodes with the proofs
//! that it has. Alone they make a block due once in a span of slots. What waits here may be lost with the process: who
//! submitted a proof sees it among those that count, or submits it again.

use super::{clock::unix_now, error::NodeError, state::Node};
use crate::{
    anchoring::AnchorCall,
    consensus::poot::{PootError, ProofTerms, TaskProof, TaskProofFault, check_task_proof, task_proof_records},
    mempool::SubmitError,
};
use alloy_primitives::{B256, Bytes};
use alloy_sol_types::SolCall;
use lucid_storage::TaskProofKey;
use lucid_types::contracts::{LUCID_NODES_ADDRESS, LucidNodes};
use std::collections::BTreeMap;
use tracing::{debug, warn};

/// Proofs that wait at most: all that a hundred nodes make in the slots for which a proof counts are more, and those of the
/// nodes of one host are few.
pub(super) const MAX_WAITING_PROOFS: usize = 10_000;

/// Proofs in one transaction at most: a third of a block's gas.
const MAX_BATCH_PROOFS: usize = 400;

/// Gas of a batch without its proofs, and of each proof: above what the contract was measured to take.
const BATCH_GAS: u64 = 60_000;
const PROOF_GAS: u64 = 6_000;

/// Why a proof is not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProofRefused {
    /// It is not one record.
    #[error("a task proof is a record of 97 bytes, and this is one of {0}")]
    Length(usize),
    /// It counts nothing.
    #[error(transparent)]
    Fault(#[from] TaskProofFault),
    /// There are too many.
    #[error("{MAX_WAITING_PROOFS} task proofs wait already")]
    Full,
    /// The node could not judge it.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl From<PootError> for ProofRefused {
    fn from(error: PootError) -> Self {
        Self::Node(error.into())
    }
}

/// The proofs that wait.
#[derive(Debug, Default)]
pub(super) struct ProofPool {
    waiting: BTreeMap<TaskProofKey, TaskProof>,
    /// The transaction that brings some of them, while it waits itself.
    sent: Option<B256>,
    /// The last span of slots in which they made a block due by themselves.
    due_in: Option<u64>,
}

impl Node {
    /// The slot that the clock shows.
    pub(super) fn slot_now(&self) -> u64 {
        self.spec.slots().slot_at(unix_now()).unwrap_or_default()
    }

    /// The slot of a block made while the clock shows `slot`: on a chain whose blocks run ahead of the clock, that of the
    /// last one.
    fn next_slot(&self, slot: u64) -> u64 {
        slot.max(self.spec.slots().slot_at(self.head().header.timestamp).unwrap_or_default())
    }

    /// Keeps a proof until it is brought to the chain, and says whose work of which slot and kind it is.
    pub(super) fn submit_proof(&self, record: &[u8]) -> Result<TaskProofKey, ProofRefused> {
        self.submit_proof_in(record, self.slot_now())
    }

    /// As [`Node::submit_proof`], while the clock shows `slot`.
    pub(super) fn submit_proof_in(&self, record: &[u8], slot: u64) -> Result<TaskProofKey, ProofRefused> {
        let mut records = task_proof_records(record);
        let Some(record) = records.next().filter(|one| one.len() == record.len()) else {
            return Err(ProofRefused::Length(record.len()));
        };
        let proof = TaskProof::decode(record)?;
        let snapshot = self.snapshot();
        let terms = ProofTerms { spec: &self.spec, genesis_hash: self.genesis_hash, slot: self.next_slot(slot) };
        let node_id = check_task_proof(&snapshot, &terms, &proof)??;
        let key = TaskProofKey { slot: proof.slot, node_id, kind: proof.kind() };
        let mut pool = self.proofs();
        if pool.waiting.len() >= MAX_WAITING_PROOFS && !pool.waiting.contains_key(&key) {
            return Err(ProofRefused::Full);
        }
        // The first counts, as it does on the chain.
        let is_new = !pool.waiting.contains_key(&key);
        pool.waiting.entry(key).or_insert(proof);
        drop(pool);
        if is_new {
            // Nobody may be listening, and that is no error.
            let _ = self.proven.send(proof.encode().to_vec());
            self.pool_changed.notify_one();
        }
        Ok(key)
    }

    /// Whether proofs that wait make a block due by themselves while the clock shows `slot`.
    pub(super) fn proofs_due(&self, slot: u64) -> bool {
        let span = slot / self.spec.parameters.proof_span_slots();
        let pool = self.proofs();
        !pool.waiting.is_empty() && pool.due_in != Some(span)
    }

    /// Puts a transaction into the pool that brings what waits, where there is any and none is on its way. The clock shows
    /// `slot`.
    pub(super) fn send_proofs(&self, slot: u64) -> Result<(), NodeError> {
        let span_slots = self.spec.parameters.proof_span_slots();
        let proofs: Vec<_> = {
            let mut pool = self.proofs();
            let on_its_way = pool.sent.is_some_and(|hash| self.pool().get(&hash).is_some());
            if pool.waiting.is_empty() || on_its_way {
                return Ok(());
            }
            pool.due_in = Some(slot / span_slots);
            pool.waiting.values().take(MAX_BATCH_PROOFS).copied().collect()
        };
        let gas_limit = BATCH_GAS + PROOF_GAS * proofs.len() as u64;
        let bytes: Bytes = proofs.iter().flat_map(TaskProof::encode).collect();
        let input = LucidNodes::submitTaskProofsCall { proofs: bytes }.abi_encode().into();
        let call = AnchorCall { to: LUCID_NODES_ADDRESS, input, gas_limit };
        let nonce = self.next_nonce(self.author.address())?;
        for signed in self.sign_calls(&[call], nonce) {
            match self.submit(&signed.raw) {
                Ok(hash) => self.proofs().sent = Some(hash),
                Err(SubmitError::State(error)) => return Err(error.into()),
                // Most likely the account has no money.
                Err(SubmitError::Refused(refusal)) => {
                    warn!(%refusal, proofs = proofs.len(), "task proofs are not sent")
                }
            }
        }
        Ok(())
    }

    /// Forgets proofs that count by now, or cannot any more. The clock shows `slot`.
    pub(super) fn settle_proofs(&self, slot: u64) -> Result<(), NodeError> {
        let waiting: Vec<_> = self.proofs().waiting.iter().map(|(key, proof)| (*key, *proof)).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let snapshot = self.snapshot();
        let terms = ProofTerms { spec: &self.spec, genesis_hash: self.genesis_hash, slot: self.next_slot(slot) };
        let mut pool = self.proofs();
        for (key, proof) in waiting {
            if let Err(fault) = check_task_proof(&snapshot, &terms, &proof)? {
                debug!(slot = key.slot, node = %key.node_id, %fault, "a task proof waits no longer");
                pool.waiting.remove(&key);
            }
        }
        Ok(())
    }
}
