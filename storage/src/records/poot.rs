//! Proof of operational tasks: what nodes did, what it earned them, and who led each slot.

use super::word::words;
use crate::{
    codec::Record,
    schema::{Field, FieldType, FieldValue, Fields, fields},
};
use alloy_primitives::{Address, B512};
use lucid_types::Value;
use serde::{Deserialize, Serialize};

words! {
    /// Kinds of work that a node submits proofs of. (Signatures under blocks are counted from the chain.)
    TaskProofType {
        /// Traffic relayed for sessions.
        RelayBandwidth = "relay_bandwidth",
        /// Chunks kept.
        StorageAvailability = "storage_availability",
        /// The node was up.
        UptimeBeacon = "uptime_beacon",
    }
}

words! {
    /// How a slot got its block.
    ScheduleReason {
        /// The first in the order made it.
        Success = "success",
        /// A later one did.
        FallbackSuccess = "fallback_success",
    }
}

words! {
    /// The group of the order that the block's maker stood in.
    ScheduleRole {
        /// First of the rested entities.
        Primary = "primary",
        /// A later rested entity.
        Fallback = "fallback",
        /// An entity in cooldown.
        CooldownFallback = "cooldown_fallback",
        /// A validator that serves no ranked entity.
        EmergencyFallback = "emergency_fallback",
    }
}

/// What a task proof claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskValue {
    /// For `relay_bandwidth`.
    Relay {
        /// Bytes relayed in the slot.
        bytes_transferred: u64,
        /// Sessions relayed in the slot.
        sessions_relayed: u32,
    },
    /// For `storage_availability`.
    Storage {
        /// Chunks kept.
        chunks_stored: u64,
        /// Their bytes.
        size_bytes: u64,
    },
    /// For `uptime_beacon`.
    Uptime {
        /// Seconds that the node was up in the span.
        uptime_seconds: u64,
    },
}

/// A task proof that counts, by its slot, node and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProofRecord {
    /// Pool that the node was in.
    pub pool_id: Option<Address>,
    /// What it claims.
    pub value: TaskValue,
    /// The node's signature, r then s.
    pub sig: B512,
    /// When the node made it.
    pub ts: u64,
}

/// An entity's tally, by epoch and entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkTallyRecord {
    /// Credits in the window.
    pub credits: u64,
    /// Uptime in the window, in parts per million.
    pub uptime: u32,
    /// Credits times uptime, as the ranking has it.
    pub live_score: u128,
    /// Place in the ranking, from 0.
    pub rank: u32,
}

/// Who made a slot's block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleResult {
    /// Entity that led.
    pub winner: Address,
    /// Whether it was the first in the order.
    pub reason: ScheduleReason,
    /// Group of the order that it stood in.
    pub role: ScheduleRole,
}

/// The order of a slot that has a block, by the slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderScheduleRecord {
    /// First in the order.
    pub primary: Address,
    /// The next five.
    pub fallbacks: Vec<Address>,
    /// Who made the block.
    pub result: ScheduleResult,
}

impl Record for TaskProofRecord {
    const VERSION: u8 = 1;
}

impl Record for WorkTallyRecord {
    const VERSION: u8 = 1;
}

impl Record for LeaderScheduleRecord {
    const VERSION: u8 = 1;
}

fields! {
    TaskProofRecord { pool_id = "poolId", value, sig, ts: Date }
    WorkTallyRecord { credits, uptime, live_score = "liveScore", rank }
    ScheduleResult { winner, reason, role }
    LeaderScheduleRecord { primary, fallbacks, result }
}

/// The fields of all three claims; each has its own.
impl Fields for TaskValue {
    const FIELDS: &'static [Field] = &[
        claim("bytes_transferred", FieldType::U64),
        claim("sessions_relayed", FieldType::U32),
        claim("chunks_stored", FieldType::U64),
        claim("size_bytes", FieldType::U64),
        claim("uptime_seconds", FieldType::U64),
    ];

    fn append_values(&self, out: &mut Vec<Value>) {
        let mut values = [const { Value::Null }; 5];
        match self {
            Self::Relay { bytes_transferred, sessions_relayed } => {
                (values[0], values[1]) = (bytes_transferred.to_value(), sessions_relayed.to_value());
            }
            Self::Storage { chunks_stored, size_bytes } => {
                (values[2], values[3]) = (chunks_stored.to_value(), size_bytes.to_value());
            }
            Self::Uptime { uptime_seconds } => values[4] = uptime_seconds.to_value(),
        }
        out.extend(values);
    }
}

const fn claim(name: &'static str, kind: FieldType) -> Field {
    Field { name, kind, optional: true }
}
