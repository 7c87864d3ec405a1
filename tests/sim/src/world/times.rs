//! Good times and bad: nodes die and start, come and go, transactions come in, and the network falls apart and heals.

use super::{ATTACKS_EVERY_MS, Event, World};
use crate::{ledger::LedgerKind, plan::Plan, registry::Standing};
use alloy_primitives::Address;
use lucid_node::consensus::bft::{Input, Peer};
use std::collections::BTreeSet;

/// Slots after healing within which a height must be decided.
const SLOTS_TO_DECIDE: u64 = 5;

/// Once healed, how long the network stays so, in slots.
const SLOTS_HEALED: u64 = 8;

/// Slots of bad times between two healings.
const SLOTS_OF_CHAOS: (u64, u64) = (3, 12);

/// How many blocks back a restored copy of a store lies at most.
const BLOCKS_AGO_MAX: u64 = 3;

/// Writes and syncs within which the power of a node is cut: a few flushes of its log, or blocks.
const OPERATIONS_MAX: u64 = 60;

/// How often a slot brings somebody to propose who is to vote, in a thousand.
const PROPOSES: u64 = 700;

impl World {
    pub(super) fn die(&mut self, node: usize) -> Result<(), String> {
        self.note(&[1, node as u8]);
        self.deaths.0 += 1;
        self.cuts += u64::from(self.hosts[node].ledger.has_lost_power());
        self.hosts[node].die()?;
        let restored = !self.healed && self.rng.in_thousand(150) && self.may_be_restored(node);
        if restored {
            let blocks = self.rng.between(0, BLOCKS_AGO_MAX);
            let file_lost = self.rng.in_thousand(500);
            self.hosts[node].restore(blocks, file_lost, self.now_ms)?;
            self.deaths.1 += 1;
        }
        let at_once = self.healed && self.hosts[node].is_honest();
        let after = if at_once { 1 } else { self.rng.between(1, 3 * self.chain.slot_ms) };
        self.schedule(after, Event::Start { node });
        Ok(())
    }

    /// Whether a node may lose what it signed: the others must still be more than two thirds.
    fn may_be_restored(&self, node: usize) -> bool {
        self.registry.withstands(&self.standing(), Some(node))
    }

    /// How the nodes stand, as the honest one that has come furthest sees it.
    fn standing(&self) -> Standing {
        let honest = self.hosts.iter().filter(|host| host.is_honest());
        let good = honest.clone().filter(|host| host.may_be_relied_on()).map(|host| host.index).collect();
        let Some(furthest) = honest.max_by_key(|host| host.ledger.head().height) else { return Standing::default() };
        let places = |addresses: Vec<Address>| -> BTreeSet<usize> {
            let is_in = |(_, address): &(usize, &Address)| addresses.contains(address);
            self.chain.addresses.iter().enumerate().filter(is_in).map(|(place, _)| place).collect()
        };
        let set = furthest.next_facts().set.members().iter().map(|member| member.address).collect();
        Standing { good, set: places(set), members: places(furthest.ledger.members()) }
    }

    /// Somebody is to come or to go, now and then.
    pub(super) fn propose(&mut self) -> Result<(), String> {
        if self.setting.ledger == LedgerKind::Real && self.rng.in_thousand(PROPOSES) {
            let standing = self.standing();
            for (node, motion) in self.registry.propose(&mut self.rng, self.hosts.len(), &standing) {
                if self.hosts[node].is_up() {
                    self.hosts[node].ledger.propose(motion)?;
                    self.spread(node);
                    self.wake_later(node);
                }
            }
        }
        let after = self.rng.between(1, 2 * self.chain.slot_ms);
        self.schedule(after, Event::Propose);
        Ok(())
    }

    pub(super) fn start(&mut self, node: usize) -> Result<(), String> {
        self.note(&[2, node as u8]);
        self.hosts[node].start(self.now_ms)?;
        let log = self.hosts[node].ledger.log()?;
        let (head, facts) = (self.hosts[node].ledger.head(), self.hosts[node].next_facts());
        if self.hosts[node].is_honest() {
            if head.height > 0 {
                self.watch.has(head.height, head.hash)?;
            }
            self.watch.takes_up(&facts)?;
        }
        self.tell(node, Input::Next(Box::new(facts)))?;
        self.tell(node, Input::Log(log))?;
        for other in 0..self.hosts.len() {
            if other != node {
                self.tell(other, Input::Connected(Peer(node as u64)))?;
            }
        }
        self.wake_later(node);
        Ok(())
    }

    /// What waits is told to the machine within two seconds, as a leader gives others the time to send theirs.
    pub(super) fn wake_later(&mut self, node: usize) {
        let after = self.rng.between(0, 2_000);
        self.schedule(after, Event::Wake { node });
    }

    pub(super) fn wake(&mut self, node: usize) -> Result<(), String> {
        let host = &self.hosts[node];
        let head = host.ledger.head();
        let slot = host.slot(self.now_ms);
        if slot > head.slot && host.is_up() && host.ledger.has_waiting(slot) {
            return self.tell(node, Input::Waiting { height: head.height + 1 });
        }
        Ok(())
    }

    pub(super) fn act(&mut self, node: usize) -> Result<(), String> {
        let now_ms = self.now_ms;
        let (host, mut attack) = self.attack(node);
        let up = host.is_up();
        let Some(attacker) = &mut host.attacker else { return Ok(()) };
        let outgoing = if up { attacker.acts(&mut attack) } else { Vec::new() };
        if up && attacker.forges_proofs(&mut attack) {
            let slot = host.slot(now_ms);
            host.ledger.forge(attack.rng, slot)?;
        }
        self.spread(node);
        self.put_on_the_wire(node, outgoing);
        let after = self.rng.between(1, 2 * ATTACKS_EVERY_MS);
        self.schedule(after, Event::Act { node });
        Ok(())
    }

    pub(super) fn submit(&mut self, transaction: u64, everywhere: bool) -> Result<(), String> {
        self.transactions = self.transactions.max(transaction);
        for node in 0..self.hosts.len() {
            if self.hosts[node].is_up() && (everywhere || self.rng.in_thousand(800)) {
                self.hosts[node].ledger.submit(transaction);
                self.wake_later(node);
            }
        }
        if !everywhere {
            let after = self.rng.between(1, 2 * self.chain.slot_ms);
            let transaction = self.transactions + 1;
            self.schedule(after, Event::Submit { transaction, everywhere: false });
        }
        Ok(())
    }

    /// A time of trouble begins, and the time of its end is set.
    pub(super) fn bad_times(&mut self) {
        self.healed = false;
        self.links.set_weather(Plan::draw_weather(&mut self.rng));
        let slots = self.rng.between(SLOTS_OF_CHAOS.0, SLOTS_OF_CHAOS.1);
        self.schedule(slots * self.chain.slot_ms, Event::Heal);
        self.schedule(1, Event::Trouble);
        let transaction = self.transactions + 1;
        self.schedule(2, Event::Submit { transaction, everywhere: false });
    }

    /// Something goes wrong, and again later.
    pub(super) fn trouble(&mut self) -> Result<(), String> {
        if self.healed {
            return Ok(());
        }
        let node = self.rng.place(self.hosts.len());
        match self.rng.between(0, 6) {
            0 => self.links.part(&mut self.rng),
            1 => self.links.join(),
            2 => self.links.slow_down(node),
            3 => self.links.deafen(node),
            // In the midst of a write.
            5.. if self.setting.ledger == LedgerKind::Real => {
                self.hosts[node].ledger.cut_power_in(Some(self.rng.between(0, OPERATIONS_MAX)));
            }
            // At one of the next effects, wherever that is.
            _ => self.hosts[node].dies_in = Some(self.rng.between(0, 60)),
        }
        let after = self.rng.between(1, self.chain.slot_ms);
        self.schedule(after, Event::Trouble);
        Ok(())
    }

    /// All are up and hear each other; the attackers go on.
    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.healed = true;
        self.links.heal();
        self.queue.retain(|_, event| !matches!(event, Event::Submit { .. } | Event::Trouble));
        for node in 0..self.hosts.len() {
            self.hosts[node].dies_in = None;
            self.hosts[node].ledger.cut_power_in(None);
            if !self.hosts[node].is_up() {
                self.start(node)?;
            }
        }
        let transaction = self.transactions + 1;
        self.schedule(1, Event::Submit { transaction, everywhere: true });
        let above = self.watch.highest();
        self.schedule(SLOTS_TO_DECIDE * self.chain.slot_ms, Event::CheckDecided { above });
        self.schedule(SLOTS_HEALED * self.chain.slot_ms, Event::BadTimes);
        Ok(())
    }

    /// Every honest node has come further than anybody had when the network healed.
    pub(super) fn check_decided(&mut self, above: u64) -> Result<(), String> {
        let late: Vec<String> = self
            .hosts
            .iter()
            .filter(|host| host.is_honest() && host.ledger.head().height <= above)
            .map(|host| {
                let machine = host.machine.as_ref();
                let (open, round) = (machine.is_some_and(|m| m.is_open()), machine.and_then(|m| m.round()));
                format!("node {} is at {}, open {open}, round {round:?}", host.index, host.ledger.head().height)
            })
            .collect();
        if late.is_empty() {
            return Ok(());
        }
        Err(format!("{SLOTS_TO_DECIDE} slots after healing nothing above {above} is decided everywhere: {late:?}"))
    }
}
