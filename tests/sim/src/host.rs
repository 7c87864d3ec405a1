//! One node: the machine, what is on its disk, its file, its timers, its clock.

use crate::{attackers::Attacker, chain::SimChain, ledger::Ledger};
use lucid_node::{
    consensus::bft::{HeightFacts, Machine, MachineConfig, SigningGuard, Timer, Verifier},
    keys::HighestSigned,
};
use std::{collections::BTreeMap, rc::Rc};

/// A node, up or down.
pub(crate) struct Host {
    pub(crate) index: usize,
    pub(crate) chain: Rc<SimChain>,
    pub(crate) ledger: Box<dyn Ledger>,
    /// `None` while it is down.
    pub(crate) machine: Option<Machine>,
    /// The file of the highest signed step: it outlives crashes, and restored stores unless it is lost with them.
    pub(crate) file: Option<HighestSigned>,
    pub(crate) guard: SigningGuard,
    pub(crate) attacker: Option<Box<dyn Attacker>>,
    pub(crate) skew_ms: i64,
    /// Timers that run, each with the number of its last setting.
    pub(crate) timers: BTreeMap<Timer, u64>,
    /// Effects until it dies.
    pub(crate) dies_in: Option<u64>,
    /// Rises with each start: what was meant for an earlier life is dropped.
    pub(crate) life: u64,
    verifier: Verifier,
}

impl Host {
    pub(crate) fn new(
        chain: Rc<SimChain>,
        index: usize,
        ledger: Box<dyn Ledger>,
        verifier: Verifier,
        skew_ms: i64,
        attacker: Option<Box<dyn Attacker>>,
    ) -> Self {
        let (file, own) = (Some(HighestSigned::NOTHING), chain.addresses[index]);
        Self {
            index,
            chain,
            ledger,
            machine: None,
            file,
            guard: SigningGuard::at_start(file, 0, &[], own, 0),
            attacker,
            skew_ms,
            timers: BTreeMap::new(),
            dies_in: None,
            life: 0,
            verifier,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.machine.is_some()
    }

    pub(crate) fn is_honest(&self) -> bool {
        self.attacker.is_none()
    }

    /// Whether it may sign, now and after it has died. Without a file it may until then, if at all: it follows again first.
    pub(crate) fn may_be_relied_on(&self) -> bool {
        self.guard.may_sign() && self.file.is_some()
    }

    /// The slot that its own clock shows.
    pub(crate) fn slot(&self, now_ms: u64) -> u64 {
        self.chain.slot_at(now_ms.saturating_add_signed(self.skew_ms))
    }

    /// When, by the true clock, its own next slot begins.
    pub(crate) fn next_slot_at(&self, now_ms: u64) -> u64 {
        let start = (self.slot(now_ms) + 1) * self.chain.slot_ms;
        start.saturating_add_signed(-self.skew_ms).max(now_ms + 1)
    }

    /// Dies: all that is not on disk is gone, and nothing else.
    pub(crate) fn die(&mut self) -> Result<(), String> {
        self.machine = None;
        self.dies_in = None;
        self.timers.clear();
        let before = self.ledger.head();
        self.ledger.crash()?;
        let after = self.ledger.head();
        if after != before && after.height != before.height + 1 {
            return Err(format!("node {}: {before:?} was on disk, and after a crash it is {after:?}", self.index));
        }
        Ok(())
    }

    /// A copy of some blocks ago takes the place of the store, while the node is down. The file beside the
    /// keys stays, or is lost too.
    pub(crate) fn restore(&mut self, blocks_ago: u64, file_lost: bool, now_ms: u64) -> Result<(), String> {
        if file_lost {
            self.file = None;
        }
        self.ledger.restore(blocks_ago)?;
        self.guard = self.guard_at_start(now_ms)?;
        Ok(())
    }

    fn guard_at_start(&self, now_ms: u64) -> Result<SigningGuard, String> {
        let (own, log) = (self.chain.addresses[self.index], self.ledger.log()?);
        Ok(SigningGuard::at_start(self.file, self.ledger.head().height, &log, own, self.slot(now_ms)))
    }

    /// Starts from what is on disk.
    pub(crate) fn start(&mut self, now_ms: u64) -> Result<(), String> {
        let head = self.ledger.head();
        let own = self.chain.addresses[self.index];
        let could_sign = self.may_be_relied_on();
        self.guard = self.guard_at_start(now_ms)?;
        if could_sign && !self.guard.may_sign() {
            let (file, log) = (self.file, self.ledger.log()?.len());
            let what = "its file is ahead of its log, and it lost nothing";
            return Err(format!("node {}: {what}: {file:?} over {head:?} with {log} entries", self.index));
        }
        self.machine = Some(Machine::new(MachineConfig {
            genesis_hash: self.chain.genesis_hash,
            own,
            key: self.chain.keys[self.index].clone(),
            head: head.height,
            head_hash: head.hash,
            recorded: self.file.unwrap_or(HighestSigned::NOTHING),
            verifier: self.verifier.clone(),
        }));
        self.life += 1;
        Ok(())
    }

    /// What it knows of the height after its head.
    pub(crate) fn next_facts(&self) -> HeightFacts {
        // An attacker signs whatever it likes.
        self.ledger.facts(self.guard.may_sign() || !self.is_honest())
    }
}
