//! Task proofs: what a node claims to have done in a slot, signed with its consensus key.
//!
//! They reach the chain as records of fixed length in batches. Who signed a record follows from its signature, so it has no
//! address. A record that breaks a rule counts nothing, and costs the block that brings it nothing.

use crate::{chain::recover_signer, keys::SecretKey};
use alloy_primitives::{Address, B256, B512, Signature};
use lucid_storage::{OperatorStorageRecord, TaskProofType, TaskValue};
use lucid_types::{MAX_TASK_PROOF_AGE_SLOTS, Params, contracts::TASK_PROOF_BYTES};
use sha2::{Digest, Sha256};

/// Most bytes that a node relays in a second: what a line of 1 Gbit/s carries.
const MAX_RELAY_BYTES_PER_SEC: u64 = 125_000_000;

/// Most sessions that a node relays in a slot.
const MAX_RELAYED_SESSIONS: u32 = 1_000;

/// Bytes of a record before its signature.
const CLAIM_BYTES: usize = 33;

const RELAY: u8 = 1;
const STORAGE: u8 = 2;
const BEACON: u8 = 4;

/// Why a task proof counts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskProofFault {
    /// A type that nodes do not submit.
    #[error("{0} is no type of task proofs: 1 is relay_bandwidth, 2 storage_availability, 4 uptime_beacon")]
    Type(u8),
    /// A number that the type has no place for, or none so large.
    #[error("its second value is {0}, which its type cannot have")]
    SecondValue(u64),
    /// The signature is none, or the twin of one.
    #[error("its signature is not one of a consensus key")]
    Signature,
    /// It is of a slot that has not come for the block.
    #[error("its slot {slot} is after slot {block}")]
    Early {
        /// The proof's.
        slot: u64,
        /// The block's.
        block: u64,
    },
    /// It is too old for the block.
    #[error("its slot {slot} is more than {MAX_TASK_PROOF_AGE_SLOTS} slots before slot {block}")]
    Late {
        /// The proof's.
        slot: u64,
        /// The block's.
        block: u64,
    },
    /// Nobody who was admitted at its slot has this key.
    #[error("{0} is the key of no node that was admitted at its slot")]
    NotAdmitted(Address),
    /// It claims more than can be.
    #[error("its {field} is {value}, and {most} is the most")]
    TooMuch {
        /// Which of its values.
        field: &'static str,
        /// What it says.
        value: u64,
        /// What would count.
        most: u64,
    },
    /// An earlier one of this slot, node and type counts.
    #[error("the node has a proof of this type for slot {0} already")]
    Repeated(u64),
    /// An earlier beacon of this span counts.
    #[error("the node has a beacon in the span of slots {first} to {last} already")]
    RepeatedBeacon {
        /// First slot of the span.
        first: u64,
        /// Its last slot.
        last: u64,
    },
}

/// A claim of work for one slot, signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskProof {
    /// Slot that it is for.
    pub slot: u64,
    /// What is claimed.
    pub value: TaskValue,
    /// When it was made, in Unix seconds. No rule reads it.
    pub ts: u64,
    /// r, then s with the recovery bit on top (EIP-2098).
    pub signature: B512,
}

impl TaskProof {
    /// Domain tag: no other message of this or another program begins like this.
    pub const DOMAIN: [u8; 16] = *b"lucid/task/prf/1";

    /// Makes and signs one with a consensus key.
    pub fn sign(key: &SecretKey, genesis_hash: B256, slot: u64, value: TaskValue, ts: u64) -> Self {
        let unsigned = Self { slot, value, ts, signature: B512::ZERO };
        let signature = key.sign_prehash_recoverable(unsigned.digest(genesis_hash));
        Self { signature: signature.as_erc2098().into(), ..unsigned }
    }

    /// What is signed: SHA-256 of domain tag (16), genesis hash (32) and the record before its signature (33).
    pub fn digest(&self, genesis_hash: B256) -> B256 {
        let record = self.encode();
        let hasher = Sha256::new().chain_update(Self::DOMAIN).chain_update(genesis_hash);
        B256::new(hasher.chain_update(&record[..CLAIM_BYTES]).finalize().into())
    }

    /// Address of the consensus key that signed it.
    ///
    /// # Errors
    ///
    /// [`TaskProofFault::Signature`].
    pub fn signer(&self, genesis_hash: B256) -> Result<Address, TaskProofFault> {
        let signature = Signature::from_erc2098(self.signature.as_slice());
        recover_signer(self.digest(genesis_hash), &signature).ok_or(TaskProofFault::Signature)
    }

    /// Kind of work.
    pub const fn kind(&self) -> TaskProofType {
        match self.value {
            TaskValue::Relay { .. } => TaskProofType::RelayBandwidth,
            TaskValue::Storage { .. } => TaskProofType::StorageAvailability,
            TaskValue::Uptime { .. } => TaskProofType::UptimeBeacon,
        }
    }

    /// The record: type (1), slot (8), two values (8 each), time stamp (8), signature (64). Integers are big-endian.
    pub fn encode(&self) -> [u8; TASK_PROOF_BYTES] {
        let (kind, first, second) = match self.value {
            TaskValue::Relay { bytes_transferred, sessions_relayed } => {
                (RELAY, bytes_transferred, sessions_relayed.into())
            }
            TaskValue::Storage { chunks_stored, size_bytes } => (STORAGE, chunks_stored, size_bytes),
            TaskValue::Uptime { uptime_seconds } => (BEACON, uptime_seconds, 0),
        };
        let mut out = [0; TASK_PROOF_BYTES];
        out[0] = kind;
        for (place, number) in [self.slot, first, second, self.ts].into_iter().enumerate() {
            out[1 + 8 * place..9 + 8 * place].copy_from_slice(&number.to_be_bytes());
        }
        out[CLAIM_BYTES..].copy_from_slice(self.signature.as_slice());
        out
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`TaskProofFault::Type`] or [`TaskProofFault::SecondValue`].
    pub fn decode(record: &[u8; TASK_PROOF_BYTES]) -> Result<Self, TaskProofFault> {
        let number = |place: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&record[1 + 8 * place..9 + 8 * place]);
            u64::from_be_bytes(bytes)
        };
        let (first, second) = (number(1), number(2));
        let value = match record[0] {
            RELAY => TaskValue::Relay {
                bytes_transferred: first,
                sessions_relayed: u32::try_from(second).map_err(|_| TaskProofFault::SecondValue(second))?,
            },
            STORAGE => TaskValue::Storage { chunks_stored: first, size_bytes: second },
            BEACON if second == 0 => TaskValue::Uptime { uptime_seconds: first },
            BEACON => return Err(TaskProofFault::SecondValue(second)),
            other => return Err(TaskProofFault::Type(other)),
        };
        Ok(Self { slot: number(0), value, ts: number(3), signature: B512::from_slice(&record[CLAIM_BYTES..]) })
    }

    /// Its slot must not be after that of the block that brings it, and at most 60 before.
    ///
    /// # Errors
    ///
    /// [`TaskProofFault::Early`] or [`TaskProofFault::Late`].
    pub const fn check_slot(&self, block: u64) -> Result<(), TaskProofFault> {
        match block.checked_sub(self.slot) {
            None => Err(TaskProofFault::Early { slot: self.slot, block }),
            Some(age) if age > MAX_TASK_PROOF_AGE_SLOTS => Err(TaskProofFault::Late { slot: self.slot, block }),
            Some(_) => Ok(()),
        }
    }

    /// It may claim only what a line carries in a slot, what the node's operator had `stored` through the chain, and the
    /// length of a span.
    ///
    /// # Errors
    ///
    /// [`TaskProofFault::TooMuch`].
    pub fn check_value(&self, params: &Params, stored: &OperatorStorageRecord) -> Result<(), TaskProofFault> {
        let claims = match self.value {
            TaskValue::Relay { bytes_transferred, sessions_relayed } => {
                let most_bytes = MAX_RELAY_BYTES_PER_SEC.saturating_mul(params.slot_duration_secs);
                [
                    ("bytes_transferred", bytes_transferred, most_bytes),
                    ("sessions_relayed", sessions_relayed.into(), MAX_RELAYED_SESSIONS.into()),
                ]
            }
            TaskValue::Storage { chunks_stored, size_bytes } => {
                [("chunks_stored", chunks_stored, stored.chunks), ("size_bytes", size_bytes, stored.bytes)]
            }
            TaskValue::Uptime { uptime_seconds } => {
                let span_secs = params.proof_span_slots().saturating_mul(params.slot_duration_secs);
                [("uptime_seconds", uptime_seconds, span_secs); 2]
            }
        };
        match claims.into_iter().find(|(_, value, most)| value > most) {
            Some((field, value, most)) => Err(TaskProofFault::TooMuch { field, value, most }),
            None => Ok(()),
        }
    }
}

/// The records of a batch, which is a whole number of them.
pub fn task_proof_records(batch: &[u8]) -> impl Iterator<Item = &[u8; TASK_PROOF_BYTES]> {
    batch.as_chunks().0.iter()
}

#[cfg(test)]
mod tests;
