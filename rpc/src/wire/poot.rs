//! Work, leaders and seals as clients see them.

use alloy_primitives::{Address, B256, Bytes};
use lucid_storage::{LeaderScheduleRecord, ScheduleReason, ScheduleRole, TaskProofType, WorkTallyRecord};
use lucid_types::{Seal, Validator};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The slot that the node's clock shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotDocument {
    /// The slot.
    pub slot: u64,
    /// Its epoch.
    pub epoch: u64,
    /// When it began, in Unix seconds.
    pub starts_at: u64,
    /// When it ends.
    pub ends_at: u64,
    /// Slot of the last block.
    pub head_slot: u64,
    /// First slot of the next epoch.
    pub next_epoch_slot: u64,
}

/// One place in the order of leaders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceDocument {
    /// The entity: a pool, or a node in none.
    pub entity: Address,
    /// The node that serves it, and leads.
    pub leader: Address,
    /// The group that it stands in.
    pub role: ScheduleRole,
}

/// Who made a slot's block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleResultDocument {
    /// The entity.
    pub winner: Address,
    /// Whether it was the first in the order.
    pub reason: ScheduleReason,
    /// Group of the order that it stood in.
    pub role: ScheduleRole,
}

/// The order of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderScheduleDocument {
    /// The slot.
    pub slot: u64,
    /// The height that the order is of; absent for a slot with a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// First in the order.
    pub primary: Address,
    /// The next five.
    pub fallbacks: Vec<Address>,
    /// Who made the block; null where the slot has none.
    pub result: Option<ScheduleResultDocument>,
    /// Why a slot that has begun has no block, as far as this node knows: `no_pending`, `all_failed`,
    /// `insufficient_validators`. Absent where its block may still come, and where none of these is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The whole order, of the height after the head.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<PlaceDocument>,
}

impl LeaderScheduleDocument {
    /// That of a slot with a block.
    pub(crate) fn of_block(slot: u64, record: LeaderScheduleRecord) -> Self {
        let LeaderScheduleRecord { primary, fallbacks, result } = record;
        let result = ScheduleResultDocument { winner: result.winner, reason: result.reason, role: result.role };
        Self { slot, height: None, primary, fallbacks, result: Some(result), reason: None, order: Vec::new() }
    }
}

/// What an epoch's window earned an entity, with the field names of the collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyEntryDocument {
    /// The entity.
    #[serde(rename = "entityId")]
    pub entity_id: Address,
    /// Credits in the window.
    pub credits: u64,
    /// Uptime in the window, in parts per million.
    pub uptime: u32,
    /// Credits times uptime, in decimal.
    #[serde(rename = "liveScore")]
    pub live_score: String,
    /// Place in the ranking, from 0.
    pub rank: u32,
}

impl TallyEntryDocument {
    pub(crate) fn new(entity_id: Address, record: &WorkTallyRecord) -> Self {
        let WorkTallyRecord { credits, uptime, live_score, rank } = *record;
        Self { entity_id, credits, uptime, live_score: live_score.to_string(), rank }
    }
}

/// The tally of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyDocument {
    /// The epoch.
    pub epoch: u64,
    /// Its entities, best first.
    pub entities: Vec<TallyEntryDocument>,
}

/// A block's seal, and who could vote on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealDocument {
    /// Height of the block.
    pub height: u64,
    /// Its hash.
    pub block_hash: B256,
    /// The seal, with the fields of a proof file.
    pub seal: Seal,
    /// The validators of its height, by address.
    pub validators: Vec<Validator>,
}

/// A block that is final, and what made it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalityDocument {
    /// Height of the block.
    pub height: u64,
    /// Its hash.
    pub block_hash: B256,
    /// Its slot.
    pub slot: u64,
    /// Address of the node that made it.
    pub leader: Address,
    /// Its certificate, in short.
    pub certificate: CertificateSummaryDocument,
}

/// A certificate without its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSummaryDocument {
    /// Hash of the certificate. The child of the block may commit to another one, of other votes for the same block.
    pub hash: B256,
    /// Round in which the block was decided, which may be after the one that it was made in.
    pub round: u32,
    /// Whose votes are in it, by address: more than two thirds of the validators.
    pub voters: Vec<Address>,
    /// How many validators the height has.
    pub validators: usize,
}

impl FinalityDocument {
    /// That of a block with this seal, of a height with so many validators.
    pub(crate) fn new(seal: &Seal, validators: usize) -> Self {
        let Seal { slot, leader, certificate, .. } = seal;
        let certificate_in_short = CertificateSummaryDocument {
            hash: certificate.hash(),
            round: certificate.round,
            voters: certificate.signatures.iter().map(|vote| vote.address).collect(),
            validators,
        };
        let (height, block_hash) = (certificate.height, certificate.block_hash);
        Self { height, block_hash, slot: *slot, leader: *leader, certificate: certificate_in_short }
    }
}

/// Which task proofs are asked for: those of a node, of a type, of slots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskProofQuery {
    /// Of this node.
    #[serde(default, rename = "nodeId", skip_serializing_if = "Option::is_none")]
    pub node_id: Option<Address>,
    /// Of this type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<TaskProofType>,
    /// Of this slot or a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_slot: Option<u64>,
    /// Of this slot or an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_slot: Option<u64>,
    /// Most proofs of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Bytes>,
}

impl TaskProofQuery {
    /// The same in the words of queries.
    pub(crate) fn filter(&self) -> Json {
        let mut filter = serde_json::Map::new();
        if let Some(node) = self.node_id {
            filter.insert("nodeId".into(), json!(node));
        }
        if let Some(kind) = self.kind {
            filter.insert("type".into(), json!(kind.as_str()));
        }
        let bounds = [("$gte", self.from_slot), ("$lte", self.to_slot)];
        let bounds: serde_json::Map<_, _> =
            bounds.into_iter().filter_map(|(word, slot)| Some((word.to_owned(), json!(slot?)))).collect();
        if !bounds.is_empty() {
            filter.insert("slot".into(), bounds.into());
        }
        filter.into()
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Most of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Bytes>,
}

/// A task proof that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProofAcceptedDocument {
    /// The node whose work it proves.
    #[serde(rename = "nodeId")]
    pub node_id: Address,
    /// Its slot.
    pub slot: u64,
    /// Kind of work.
    #[serde(rename = "type")]
    pub kind: TaskProofType,
}

/// How consensus stands, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusStatusDocument {
    /// The height that is decided next.
    pub height: u64,
    /// Whether votes on it have begun.
    pub is_open: bool,
    /// The round that it is in; 0 before it is open.
    pub round: u32,
    /// Whose turn that round is.
    pub leader: Address,
    /// How many validators vote on it.
    pub validators: usize,
    /// Whether this node is one of them.
    pub is_validator: bool,
    /// Whether this node may sign: not while it could have signed before what it no longer knows of.
    pub may_sign: bool,
    /// Why this node makes no blocks and does not vote; absent where nothing keeps it from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Who votes on the height after the head, and who leads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusParticipantsDocument {
    /// The height.
    pub height: u64,
    /// Who votes, by address.
    pub validators: Vec<Validator>,
    /// Who leads, round by round.
    pub order: Vec<PlaceDocument>,
}

/// A node that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerDocument {
    /// Its name.
    pub id: String,
    /// Where it is connected from, or was dialled at.
    pub address: String,
    /// Whether this node dialled it.
    pub is_outbound: bool,
    /// Whether the operator named it.
    pub is_static: bool,
    /// What its program calls itself.
    pub agent: String,
    /// Zero, or below it for what it did wrong.
    pub score: i64,
    /// Since when, in Unix seconds.
    pub connected_since: u64,
    /// Bytes that came from it.
    pub received_bytes: u64,
    /// Bytes that it was sent.
    pub sent_bytes: u64,
    /// Height of its last block, as it told.
    pub height: Option<u64>,
}

/// This node among nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfoDocument {
    /// The name by which peers know it; absent where it has no network.
    pub id: Option<String>,
    /// Name and version of the program.
    pub agent: String,
    /// Address of its account.
    pub address: Address,
    /// Where it listens, with its name.
    pub listening: Vec<String>,
    /// How many peers are connected.
    pub peers: usize,
    /// How many are known.
    pub known_peers: usize,
}
