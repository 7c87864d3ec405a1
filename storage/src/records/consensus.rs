//! What consensus keeps of the chain for itself: rows that follow from final blocks, and that the next blocks follow from.

use crate::codec::Record;
use alloy_primitives::{Address, B256};
use lucid_types::ConsensusKey;
use serde::{Deserialize, Serialize};

/// What a node's latest proof in a block says that it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageClaim {
    /// Slot of the proof.
    pub slot: u64,
    /// Chunks kept.
    pub chunks_stored: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// What the task proofs in one block prove of one node, as far as they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenWork {
    /// The node.
    pub node: Address,
    /// Bytes that it relayed.
    pub bytes_transferred: u64,
    /// Sessions that it relayed.
    pub sessions_relayed: u64,
    /// What it stores, by its proof of the highest slot.
    pub storage: Option<StorageClaim>,
    /// Uptime beacons.
    pub beacons: u32,
    /// Seconds that they prove it was up.
    pub uptime_seconds: u64,
}

/// What one block adds to the work of nodes and to the record of leaders, by its height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockWorkRecord {
    /// Slot of the block.
    pub slot: u64,
    /// Entity that led.
    pub led: Address,
    /// Entities whose turn came before and that let it pass, in the order of their turns, each once.
    pub missed: Vec<Address>,
    /// Validators in the parent's certificate, which the block commits to.
    pub signers: Vec<Address>,
    /// What its task proofs prove, in the order of the nodes' addresses.
    pub work: Vec<ProvenWork>,
}

/// An entity as the tally of an epoch ranks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankedEntity {
    /// The entity: a pool, or a node in none.
    pub entity: Address,
    /// The node that serves it.
    pub served_by: Address,
    /// Credits in the window.
    pub credits: u64,
    /// Uptime in the window, in parts per million.
    pub uptime: u32,
}

/// What is fixed for an epoch when its first block is committed, by the epoch's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// mixHash of the last block before the epoch: it decides between equals.
    pub seed: B256,
    /// The entities of the tally, best first; none while no tally exists.
    pub entities: Vec<RankedEntity>,
}

/// A member or a candidate of the registry, by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNodeRecord {
    /// Registration number, for ever.
    pub number: u32,
    /// Account of the person who runs it.
    pub operator: Address,
    /// The key it votes with.
    pub consensus_key: ConsensusKey,
    /// The pool that accepted it.
    pub pool: Option<Address>,
}

/// What an operator had stored through the chain, by the operator's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorStorageRecord {
    /// Chunks.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Record for BlockWorkRecord {
    const VERSION: u8 = 1;
}

impl Record for EpochRecord {
    const VERSION: u8 = 1;
}

impl Record for RegisteredNodeRecord {
    const VERSION: u8 = 1;
}

impl Record for OperatorStorageRecord {
    const VERSION: u8 = 1;
}
