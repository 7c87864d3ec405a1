use alloy_primitives::{Address, B256, Bytes};
use lucid_storage::{AnchoringStatus, SessionRecord};
use lucid_types::SessionId;
use serde::{Deserialize, Serialize};

/// A session as the `sessions` collection has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDocument {
    /// The session.
    pub session_id: SessionId,
    /// The account that registers it.
    pub account: Address,
    /// Its owner.
    pub owner_addr: Address,
    /// When it began, in Unix seconds.
    pub started_at: u64,
    /// When it ended, in Unix seconds, where this node knows.
    pub ended_at: Option<u64>,
    /// BLAKE3 of its manifest.
    pub manifest_hash: B256,
    /// Merkle root over its chunks.
    pub merkle_root: B256,
    /// Number of its chunks.
    pub chunk_count: u32,
    /// Hash of the transaction that registered it.
    pub anchor_txid: Option<B256>,
    /// Height of that transaction's block.
    pub block_number: Option<u64>,
    /// Gas that it used.
    pub gas_used: Option<u64>,
    /// How far its anchoring has come.
    pub status: AnchoringStatus,
}

impl SessionDocument {
    /// Key and record of the collection, joined.
    pub(crate) fn new(session_id: SessionId, account: Address, record: SessionRecord) -> Self {
        Self {
            session_id,
            account,
            owner_addr: record.owner_addr,
            started_at: record.started_at,
            ended_at: record.ended_at,
            manifest_hash: record.manifest_hash,
            merkle_root: record.merkle_root,
            chunk_count: record.chunk_count,
            anchor_txid: record.anchor_txid,
            block_number: record.block_number,
            gas_used: record.gas_used,
            status: record.status,
        }
    }
}

/// Which sessions `lucid_listSessions` answers: all, or those under one value of one index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionQuery {
    /// Sessions of this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_addr: Option<Address>,
    /// Sessions whose anchoring has come so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AnchoringStatus>,
    /// Sessions with this root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merkle_root: Option<B256>,
    /// Sessions that this transaction registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_txid: Option<B256>,
    /// Most sessions in the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the page before ended: its `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Bytes>,
}

/// One page of sessions, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<SessionDocument>,
    /// Where the next page begins; absent after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Bytes>,
}
