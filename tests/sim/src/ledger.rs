//! A node's chain and store, as far as consensus sees them. What the simulation runs stands behind this: blocks of its own
//! making (`synthetic`), or the real chain in the real store (`real`).

use crate::rng::Rng;
use alloy_primitives::{Address, B256};
use lucid_node::consensus::bft::{Body, BuiltBlock, Decision, HeightFacts, LogEntry, Verdict};
use lucid_types::Certificate;

/// Which ledger the nodes of a run have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerKind {
    /// Numbers for transactions, nothing that is run, a set that stays.
    Synthetic,
    /// Blocks of the real chain in the real store, on disks whose power is cut; validators come and go.
    Real,
}

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
    /// With a transaction that no block may have, or a state that does not follow.
    Invalid,
    /// With a VRF proof that is not this node's.
    ForeignVrf,
    /// Another one than an honest leader would make now, and just as valid.
    Twin,
}

/// What a node does about who votes, with its own account. Nodes have the numbers of their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// It registers.
    Register,
    /// It votes to admit a node.
    Admit(usize),
    /// It votes to remove a member.
    Remove(usize),
    /// It leaves.
    Leave,
}

/// What a node tells others so that it waits with them too.
pub type News = lucid_node::node::News;

/// Why something could not be done: the ledger failed, or its power was cut meanwhile.
pub type Failed = String;

/// What lies on a node's disk, and what judges blocks by it. A crash takes what was not flushed, and nothing else.
pub trait Ledger {
    /// The last block.
    fn head(&self) -> Head;

    /// Who votes on the height after it and who leads it.
    fn facts(&self, may_sign: bool) -> HeightFacts;

    /// A transaction waits from now on, unless it is in a block.
    fn submit(&mut self, transaction: u64);

    /// Whether anything waits for a block made in a slot.
    fn has_waiting(&self, slot: u64) -> bool;

    /// Makes a block on the head; `None` where there is nothing to put into it.
    ///
    /// # Errors
    /// [`Failed`]
    fn build(&mut self, round: u32, slot: u64, craft: Craft) -> Result<Option<BuiltBlock>, Failed>;

    /// Judges a body on the head.
    fn judge(&mut self, body: &Body) -> Verdict;

    /// Adds to the log. Not on disk yet.
    fn append(&mut self, height: u64, entry: LogEntry);

    /// Keeps a body. Not on disk yet.
    fn store_body(&mut self, body: Body);

    /// Brings both to disk.
    ///
    /// # Errors
    /// [`Failed`]
    fn flush(&mut self) -> Result<(), Failed>;

    /// Commits a decided block whose body was kept, while the clock shows `slot`, and clears the log, at once or not at all.
    ///
    /// # Errors
    /// What is wrong with the decision; [`Failed`].
    fn commit(&mut self, decision: &Decision, slot: u64) -> Result<(), Failed>;

    /// What was not flushed is gone, and so are the transactions that wait.
    ///
    /// # Errors
    /// What is on disk cannot be opened.
    fn crash(&mut self) -> Result<(), Failed>;

    /// The copy of some blocks ago takes the place of everything.
    ///
    /// # Errors
    /// It cannot be opened.
    fn restore(&mut self, blocks_ago: u64) -> Result<(), Failed>;

    /// The log on disk.
    ///
    /// # Errors
    /// What cannot be read.
    fn log(&self) -> Result<Vec<LogEntry>, Failed>;

    /// A body of a height that was kept, or that of a decided block.
    fn body(&self, height: u64, block_hash: B256) -> Option<Body>;

    /// A decided block, with the certificate that its child names or else the one of this node.
    fn block(&self, height: u64) -> Option<(Body, Certificate)>;

    /// The power is cut after so many more writes and syncs; with `None` it is not.
    fn cut_power_in(&mut self, _operations: Option<u64>) {}

    /// Whether it was, and the node is to die of it.
    fn has_lost_power(&self) -> bool {
        false
    }

    /// Who may vote in times to come, by what the last block says.
    fn members(&self) -> Vec<Address> {
        self.facts(true).set.members().iter().map(|member| member.address).collect()
    }

    /// The node acts on who votes.
    ///
    /// # Errors
    /// [`Failed`]
    fn propose(&mut self, _motion: Motion) -> Result<(), Failed> {
        Ok(())
    }

    /// The node proves work that it did in a slot.
    fn work(&mut self, _rng: &mut Rng, _slot: u64) {}

    /// The node sends task proofs that count nothing.
    ///
    /// # Errors
    /// [`Failed`]
    fn forge(&mut self, _rng: &mut Rng, _slot: u64) -> Result<(), Failed> {
        Ok(())
    }

    /// What of its own has come to wait here since this was asked.
    fn take_news(&mut self) -> Vec<News> {
        Vec::new()
    }

    /// Takes what another tells it in a slot; says whether it waits here now.
    fn hear(&mut self, _news: &News, _slot: u64) -> bool {
        false
    }

    /// Holds what is on disk against what must be there; gives the number of task proofs that count. With `whole` every row
    /// is looked at.
    ///
    /// # Errors
    /// What is wrong.
    fn audit(&self, _whole: bool) -> Result<usize, String> {
        Ok(0)
    }
}
