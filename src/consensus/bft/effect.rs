//! Everything that the machine can ask for. The order is part of what is asked: effects are carried out one after the
//! other, and one that fails ends the node.
//!
//! A message is never sent before the log that leads to it is on disk and the file of the highest signed step says so.

use super::{
    evidence::Evidence,
    input::Peer,
    log::LogEntry,
    message::{Body, Message},
    timer::Timer,
};
use crate::keys::HighestSigned;
use alloy_primitives::{Address, B256};
use lucid_types::Certificate;

/// Who is to hear a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// All peers.
    All,
    /// One of them.
    Peer(Peer),
}

/// What a peer did that an honest one does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It handed on a message of somebody who has no vote at that height.
    NotAMember,
    /// A signature does not verify.
    BadSignature,
    /// A proposal of somebody whose round it is not.
    WrongLeader,
    /// A message that no honest node writes.
    Malformed,
    /// A certificate does not hold.
    BadCertificate,
    /// A body is too large, or what travels beside it fails.
    UnfitBody,
}

/// A height was decided: a block is final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The height.
    pub height: u64,
    /// The round in which it was decided.
    pub round: u32,
    /// The block.
    pub block_hash: B256,
    /// What makes it final.
    pub certificate: Certificate,
    /// Whom this height showed to have signed twice.
    pub evidence: Vec<Evidence>,
}

/// One thing that the node has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Add to the log of a height. It need not be on disk before [`Effect::Flush`].
    Append {
        /// The height.
        height: u64,
        /// What to add.
        entry: LogEntry,
    },
    /// Keep a valid body, with the log.
    StoreBody(Box<Body>),
    /// Bring what was appended and stored to disk.
    Flush,
    /// Write to the file of the highest signed step, on disk when done.
    RecordSigned(HighestSigned),
    /// Send.
    Send {
        /// To whom.
        to: Recipient,
        /// What.
        message: Message,
    },
    /// Let a timer run; one that runs already begins anew.
    SetTimer {
        /// Which.
        timer: Timer,
        /// How long, in milliseconds.
        after_ms: u64,
    },
    /// Stop a timer, if it runs.
    CancelTimer(Timer),
    /// Stop all timers of the rounds of a height: those for bodies and sync run on.
    CancelRoundTimers {
        /// The height.
        height: u64,
    },
    /// The height is open from now on, until it is decided.
    Opened {
        /// The height.
        height: u64,
    },
    /// A round began.
    RoundBegan {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
        /// Whose it is.
        leader: Address,
    },
    /// Make a block, for this round, by the slot that the clock shows.
    Build {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
    },
    /// Judge a body: what travels beside it, then the block.
    Judge(Box<Body>),
    /// Commit the block with its certificate, and clear the log of the height in the same batch.
    Decided(Box<Decision>),
    /// Send a body to a peer, if there is one here: pending or decided.
    ServeBody {
        /// The peer.
        to: Peer,
        /// Height of the block.
        height: u64,
        /// Its hash.
        block_hash: B256,
    },
    /// Send a decided block to a peer, with the certificate whose hash its child carries, or else this node's own.
    ServeBlock {
        /// The peer.
        to: Peer,
        /// The height.
        height: u64,
    },
    /// A peer did what an honest one does not.
    Score {
        /// The peer.
        peer: Peer,
        /// What it did.
        fault: Fault,
    },
    /// The engine refused an input. The height goes on; the text is for the operator.
    Trouble(String),
}
