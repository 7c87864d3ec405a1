//! What a node knows and keeps for itself: payouts, peers, its view of consensus; and the chain's parameters.

use crate::{
    codec::{self, Record, RecordError},
    schema::fields,
};
use alloy_primitives::{Address, B256};
use lucid_types::SessionId;
use serde::{Deserialize, Serialize};

/// A payout, by its id. The program that pays owns the words of router, reason and status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutRecord {
    /// Session that it pays for.
    #[serde(with = "codec::session_id")]
    pub session_id: SessionId,
    /// Who is paid: an address of the paying network, in its own form.
    pub to_addr: String,
    /// Amount in millionths of a USDT.
    pub usdt_amount: u64,
    /// Way by which it is paid.
    pub router: String,
    /// What it is paid for.
    pub reason: String,
    /// Transaction that paid it, in the form of the paying network.
    pub txid: Option<String>,
    /// How far it has come.
    pub status: String,
    /// When it was asked for.
    pub created_at: u64,
    /// Hash of the identity check, where the router asks for one.
    pub kyc_hash: Option<B256>,
    /// Signature of the compliance desk, where the router asks for one.
    pub compliance_sig: Option<String>,
}

/// One voter's part in a consensus event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventVote {
    /// Who voted.
    pub voter: Address,
    /// Whether for the target.
    pub approve: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// What this node saw of one round of consensus, by the event's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusEventRecord {
    /// What kind of event.
    pub event_type: String,
    /// What was voted on: a block hash, an epoch.
    pub target_id: String,
    /// Round of its height.
    pub round_number: u32,
    /// Who could vote.
    pub participants: Vec<Address>,
    /// Who did.
    pub votes: Vec<EventVote>,
    /// Share of the votes that decides, in parts per million.
    pub threshold: u32,
    /// Share of the votes for the target, in parts per million.
    pub approval: u32,
    /// How it ended; absent while it lasts.
    pub result: Option<String>,
    /// Why it ended so.
    pub reasons: Vec<String>,
    /// When it began.
    pub started_at: u64,
    /// When it ended.
    pub ended_at: Option<u64>,
}

/// A peer, by its peer id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRecord {
    /// Where it was reached, as multiaddresses.
    pub addresses: Vec<String>,
    /// When it was last connected.
    pub last_seen: u64,
    /// How well it behaved.
    pub score: i64,
    /// Until when it is not talked to.
    pub banned_until: Option<u64>,
    /// Why; absent where it is talked to, and in rows that were written before reasons were kept.
    pub ban_reason: Option<String>,
}

/// The same in version 1.
#[derive(Deserialize)]
struct PeerRecordV1 {
    addresses: Vec<String>,
    last_seen: u64,
    score: i64,
    banned_until: Option<u64>,
}

/// A parameter of the chain, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamRecord {
    /// Its value as canonical JSON.
    pub value: String,
}

impl Record for PayoutRecord {
    const VERSION: u8 = 1;
}

impl Record for ConsensusEventRecord {
    const VERSION: u8 = 1;
}

impl Record for PeerRecord {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Option<Result<Self, RecordError>> {
        let of_first = |PeerRecordV1 { addresses, last_seen, score, banned_until }| Self {
            addresses,
            last_seen,
            score,
            banned_until,
            ban_reason: None,
        };
        (version == 1).then(|| codec::decode_body(body).map(of_first))
    }
}

impl Record for ParamRecord {
    const VERSION: u8 = 1;
}

fields! {
    PayoutRecord {
        session_id, to_addr, usdt_amount, router, reason, txid, status, created_at: Date, kyc_hash, compliance_sig,
    }
    EventVote { voter, approve, reason }
    ConsensusEventRecord {
        event_type, target_id, round_number, participants, votes, threshold, approval, result, reasons,
        started_at: Date, ended_at: Date,
    }
    PeerRecord { addresses, last_seen: Date, score, banned_until: Date, ban_reason }
    ParamRecord { value }
}

/// How far one collection was written to the target of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPosition {
    /// The collection; of rows that were imported with `/` and their source.
    pub collection: String,
    /// Where the next page of changes begins.
    #[serde(with = "codec::bytes")]
    pub position: Vec<u8>,
}

/// An export to one target, by the id that the target has too.
///
/// It goes in steps. A step ends at a batch of the store, and has a number drawn at random, which is here first and then at
/// the target, and only then its first document. So what the target has is always of this step or the one before; where it
/// says otherwise, this store was restored or another one has written to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportStateRecord {
    /// Whether addresses and hashes are written as hex text.
    pub hex: bool,
    /// Number of the step.
    pub step: u64,
    /// Number of the one before.
    pub previous_step: u64,
    /// Sequence of the last batch that the step has.
    pub sequence: u64,
    /// What the target has acknowledged, of each collection that was written to it.
    pub positions: Vec<ExportPosition>,
}

impl Record for ExportStateRecord {
    const VERSION: u8 = 1;
}
