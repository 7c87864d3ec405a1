//! Everything that the machine can be told.

use super::{
    log::LogEntry,
    message::Message,
    timer::{Timeouts, Timer},
};
use alloy_primitives::{Address, B256, Bytes};
use lucid_types::{Certificate, ValidatorSet, VrfProof};

/// A connection, by the number that the node gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer(pub u64);

/// What the node's clocks show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// A clock that only goes forward, in milliseconds.
    pub ms: u64,
    /// The slot that the wall clock is in.
    pub slot: u64,
}

/// What a node knows of a height before anybody votes on it: all of it follows from the block before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeightFacts {
    /// The height: the number of the block that is to be decided.
    pub height: u64,
    /// Slot of the block before.
    pub parent_slot: u64,
    /// Who votes.
    pub set: ValidatorSet,
    /// The frozen order of leaders, members all. Round r belongs to `order[r mod n]`.
    pub order: Vec<Address>,
    /// How long the steps of a round last.
    pub timeouts: Timeouts,
    /// Most bytes of a block's RLP on this chain.
    pub block_bytes_max: usize,
    /// Whether this node may sign at this height; see [`SigningGuard`](super::SigningGuard).
    pub may_sign: bool,
}

/// A block that this node made because it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltBlock {
    /// Its height.
    pub height: u64,
    /// The round that it was made in.
    pub round: u32,
    /// Its slot.
    pub slot: u64,
    /// Hash of its header.
    pub block_hash: B256,
    /// This node's VRF proof. A `dev` chain has none.
    pub vrf_proof: Option<VrfProof>,
    /// The parent's certificate whose hash it carries. Block 1 has none.
    pub parent_certificate: Option<Certificate>,
    /// Its RLP.
    pub block: Bytes,
}

/// What came of judging a body. It is executed once; the answer for a hash never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A valid block.
    Valid {
        /// The slot that its timestamp starts.
        slot: u64,
    },
    /// What the hash fixes breaks a rule.
    Invalid,
    /// What travels beside the block fails, or the block has another hash or round than was said: as if nothing had come.
    Unfit,
    /// It could not be judged now: the store failed.
    Unknown,
}

/// One thing that happens to the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The height after the last decided one, as soon as its facts are known. It is not opened by that.
    Next(Box<HeightFacts>),
    /// The log of that height, after a restart: what was flushed before. Comes before anything else of the height.
    Log(Vec<LogEntry>),
    /// Something waits for this height that a block should take: it is opened once its slot has begun.
    Waiting {
        /// The height.
        height: u64,
    },
    /// A peer said something.
    Message {
        /// Who.
        from: Peer,
        /// What.
        message: Message,
    },
    /// There is a new connection.
    Connected(Peer),
    /// A connection is gone.
    Disconnected(Peer),
    /// A timer elapsed that was set and not cancelled.
    Elapsed(Timer),
    /// The block that was asked for.
    Built(Box<BuiltBlock>),
    /// What came of a body that was to be judged.
    Judged {
        /// Height of the block.
        height: u64,
        /// Its hash, as was said beside the body.
        block_hash: B256,
        /// The verdict.
        verdict: Verdict,
    },
    /// A slot began.
    SlotBegan,
    /// Blocks were committed that the machine did not decide: the node got them from peers, final already.
    Overtaken {
        /// Height of the last of them.
        height: u64,
        /// Its hash.
        block_hash: B256,
    },
}
