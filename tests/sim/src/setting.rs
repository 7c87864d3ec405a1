//! What a run is to be, and what it was.

use crate::{attackers::AttackerKind, ledger::LedgerKind};
use alloy_primitives::B256;
use std::{collections::BTreeMap, fmt};

/// What a run is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// What nodes have for a chain and a store.
    pub ledger: LedgerKind,
    /// Where all chance comes from.
    pub seed: u64,
    /// Virtual minutes.
    pub minutes: u64,
    /// As many attackers of this kind as there can be; without it, fewer of any.
    pub only: Option<AttackerKind>,
}

impl fmt::Display for Setting {
    /// As the program `sim` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = if self.ledger == LedgerKind::Real { "real" } else { "synthetic" };
        write!(f, "--ledger {ledger} --seed {} --minutes {}", self.seed, self.minutes)?;
        self.only.map_or(Ok(()), |kind| write!(f, " --attackers {kind:?}"))
    }
}

/// What a run was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its seed.
    pub seed: u64,
    /// Nodes, and how many of them attacked.
    pub nodes: (usize, usize),
    /// The highest height that was committed.
    pub heights: u64,
    /// How often nodes committed in each round.
    pub rounds: BTreeMap<u32, u64>,
    /// Deaths of nodes, and stores that were restored from an older copy.
    pub deaths: (u64, u64),
    /// Deaths of which the power was cut in the midst of a write.
    pub cuts: u64,
    /// Sets of voters that there were, one after the other.
    pub sets: usize,
    /// Task proofs that count in the end.
    pub proofs: usize,
    /// Pieces of evidence that honest nodes were handed.
    pub evidence: usize,
    /// Messages that were sent.
    pub messages: u64,
    /// BLAKE3 of all that happened, in order.
    pub digest: B256,
}
