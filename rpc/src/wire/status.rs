use super::{DbWritesForDocument, HeadDocument};
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a node is: what the status socket writes, and what the metrics are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDocument {
    /// Version of the program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it was started.
    pub uptime_secs: u64,
    /// Where JSON-RPC is answered.
    pub rpc_addr: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of the genesis header.
    pub genesis_hash: B256,
    /// The last block, which is final.
    pub head: HeadDocument,
    /// Seconds since the start of its slot, by the clock of this machine.
    pub finality_age_secs: u64,
    /// By how many seconds the start of its slot is ahead of that clock, where that is more than a slot; absent else. Such a
    /// chain was made by a clock that was ahead, or this one is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_ahead_secs: Option<u64>,
    /// Whether the node holds its clock for synchronised. It may be allowed to ask fewer than whoever reads this.
    pub clock_synchronised: bool,
    /// Why the node makes no blocks at this moment; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_stop: Option<String>,
    /// Why the node cannot go on; absent where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// Nodes that it is connected to.
    pub peers: u32,
    /// Its part in the consensus of several; absent where it decides alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus: Option<ConsensusUseDocument>,
    /// How far it has come where it is far behind its peers; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catching_up: Option<CatchingUpDocument>,
    /// What waits for a block.
    pub pool: PoolUseDocument,
    /// Anchorings that are not final yet.
    pub anchorings: u64,
    /// The store and its disk.
    pub store: StoreUseDocument,
    /// Bytes of the process that are in memory.
    pub resident_bytes: u64,
    /// How the run before this one ended, in one word; absent where nothing is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_before: Option<String>,
    /// Starts so far, by how the run before each ended.
    #[serde(default)]
    pub starts: BTreeMap<String, u64>,
    /// Calls since the start, by method.
    #[serde(default)]
    pub calls: BTreeMap<String, CallsDocument>,
}

/// How a node takes part in consensus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusUseDocument {
    /// The height that is decided next.
    pub height: u64,
    /// Whether votes on it have begun.
    pub is_open: bool,
    /// The round that it is in; 0 before it is open.
    pub round: u32,
    /// How many validators vote on it.
    pub validators: u32,
    /// Whether this node is one of them.
    pub is_validator: bool,
    /// Whether this node may sign.
    pub may_sign: bool,
    /// Whether so few validators vote on it that nothing is decided.
    pub lacks_voters: bool,
    /// Nodes that are kept out for a time.
    pub banned_peers: u32,
}

impl ConsensusUseDocument {
    /// Whether the node needs others for a block.
    pub const fn needs_others(&self) -> bool {
        self.validators != 1 || !self.is_validator
    }
}

/// How far a node has come that gets what it missed from its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchingUpDocument {
    /// Height at which it began.
    pub starting_block: u64,
    /// Height of the last block that a peer tells of.
    pub highest_block: u64,
    /// Blocks a second since it began; absent before the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_per_sec: Option<u64>,
    /// Seconds that are left at that rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_secs: Option<u64>,
}

/// What waits for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUseDocument {
    /// Transactions that a block could take.
    pub pending: u64,
    /// Transactions behind a missing nonce.
    pub queued: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// The store and its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreUseDocument {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of its pages that are in use, when last counted; absent where they were not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_bytes: Option<u64>,
    /// Bytes of its pages that hold nothing and wait to be used again, when last counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragmented_bytes: Option<u64>,
    /// Bytes that the file takes on its disk, which may be fewer: it is lengthened before it is filled. Absent where the disk
    /// does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_bytes: Option<u64>,
    /// Bytes that it may take; absent where nothing bounds it but the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Bytes that are free on its disk; absent where the disk does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// Batches that were committed since the start.
    pub commits: u64,
    /// Bytes that were written to the file since the start.
    pub bytes_written: u64,
    /// Times that the file was synced since the start.
    pub syncs: u64,
    /// The same by what it was for.
    #[serde(default)]
    pub writes_for: DbWritesForDocument,
    /// When the last backup in the node's folder of backups was made, in Unix seconds; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup: Option<u64>,
}

/// Calls of one method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsDocument {
    /// Answered with a result.
    pub answered: u64,
    /// Answered with an error.
    pub failed: u64,
    /// Microseconds that all of them took.
    pub micros: u64,
}
