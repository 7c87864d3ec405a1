//! A node's chain and store, as far as consensus sees them. What the simulation runs stands behind this.

use alloy_primitives::B256;
use lucid_node::consensus::bft::{Body, BuiltBlock, Decision, LogEntry, Verdict};
use lucid_types::Certificate;

/// The last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
    /// Its slot.
    pub slot: u64,
}

/// How a block is made: as the rules say, or as an attacker would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Craft {
    /// By the rules.
    Honest,
    /// With a transaction that no block may have.
    Invalid,
    /// With a VRF proof that is not this node's.
    ForeignVrf,
    /// Another one than an honest leader would make now, and just as valid.
    Twin,
}

/// What lies on a node's disk, and what judges blocks by it. A crash takes what was not flushed, and nothing else.
pub trait Ledger {
    /// The last block.
    fn head(&self) -> Head;

    /// A transaction waits from now on, unless it is in a block.
    fn submit(&mut self, transaction: u64);

    /// Whether anything waits.
    fn has_waiting(&self) -> bool;

    /// Makes a block on the head; `None` where there is nothing to put into it.
    fn build(&mut self, round: u32, slot: u64, craft: Craft) -> Option<BuiltBlock>;

    /// Judges a body on the head.
    fn judge(&mut self, body: &Body) -> Verdict;

    /// Adds to the log. Not on disk yet.
    fn append(&mut self, height: u64, entry: &LogEntry);

    /// Keeps a body. Not on disk yet.
    fn store_body(&mut self, body: &Body);

    /// Brings both to disk.
    fn flush(&mut self);

    /// Commits a decided block whose body was kept, and clears the log, at once or not at all.
    ///
    /// # Errors
    /// What is wrong with the decision.
    fn commit(&mut self, decision: &Decision) -> Result<(), String>;

    /// What was not flushed is gone, and so are the transactions that wait.
    fn crash(&mut self);

    /// The copy of some blocks ago takes the place of everything.
    fn restore(&mut self, blocks_ago: u64);

    /// The log on disk.
    ///
    /// # Errors
    /// What cannot be read.
    fn log(&self) -> Result<Vec<LogEntry>, String>;

    /// A body that was kept.
    fn body(&self, block_hash: B256) -> Option<Body>;

    /// A decided block, with the certificate that its child names or else the one of this node.
    fn block(&self, height: u64) -> Option<(Body, Certificate)>;
}
