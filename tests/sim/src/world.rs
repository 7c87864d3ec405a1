//! The run: a queue of events by time, carried out one after the other, and what comes of each.

mod steps;
mod times;

use crate::{
    chain::SimChain,
    host::Host,
    ledger::{Ledger, LedgerKind, News},
    links::Links,
    plan::Plan,
    real::{Real, RealChain},
    registry::Registry,
    rng::Rng,
    setting::{Setting, Summary},
    synthetic::{Memory, Synthetic},
    watch::{Failure, Watch},
};
use alloy_primitives::B256;
use lucid_node::consensus::bft::{Input, Timer, Verifier};
use lucid_types::blake3;
use std::{collections::BTreeMap, rc::Rc};

/// About how often an attacker acts of its own accord, in milliseconds.
const ATTACKS_EVERY_MS: u64 = 1_000;

/// How often a node proves its work of a slot, in a thousand.
const WORKS: u64 = 600;

enum Event {
    News { to: usize, news: Rc<News> },
    Propose,
    Deliver { from: usize, to: usize, bytes: Rc<[u8]> },
    Timer { node: usize, life: u64, timer: Timer, setting: u64 },
    Tell { node: usize, life: u64, input: Input },
    SlotBegan { node: usize },
    Wake { node: usize },
    Act { node: usize },
    Submit { transaction: u64, everywhere: bool },
    Trouble,
    Start { node: usize },
    Heal,
    CheckDecided { above: u64 },
    BadTimes,
}

/// A network under one seed.
pub struct World {
    setting: Setting,
    rng: Rng,
    now_ms: u64,
    ends_ms: u64,
    chain: Rc<SimChain>,
    hosts: Vec<Host>,
    links: Links,
    registry: Registry,
    watch: Watch,
    proofs: usize,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    healed: bool,
    transactions: u64,
    deaths: (u64, u64),
    cuts: u64,
    messages: u64,
    digest: B256,
}

/// Runs a seed.
///
/// # Errors
/// [`Failure`]: what must hold did not.
pub fn run(setting: Setting) -> Result<Summary, Failure> {
    let mut world = World::new(setting).map_err(|what| Failure { setting, at_ms: 0, what })?;
    world.run().map_err(|what| Failure { setting, at_ms: world.now_ms, what })?;
    Ok(world.summary())
}

impl World {
    /// The network of a seed, at rest.
    ///
    /// # Errors
    /// A chain that cannot be made.
    pub fn new(setting: Setting) -> Result<Self, String> {
        let mut rng = Rng::new(setting.seed);
        let nodes = Plan::draw_nodes(&mut rng);
        let (chain, founders, ledgers) = match setting.ledger {
            LedgerKind::Synthetic => synthetic_ledgers(&mut rng, nodes)?,
            LedgerKind::Real => real_ledgers(&mut rng, nodes)?,
        };
        let plan = Plan::draw(&mut rng, (nodes, founders), chain.slot_ms, setting.only);
        let (verifier, minutes) = (Verifier::default(), setting.minutes);
        let host = |(i, ledger): (usize, Box<dyn Ledger>)| {
            let attacker = plan.attackers.iter().find(|(who, _)| *who == i).map(|(_, kind)| kind.attacker());
            Host::new(chain.clone(), i, ledger, verifier.clone(), plan.skews_ms[i], attacker)
        };
        let hosts = ledgers.into_iter().enumerate().map(host).collect();
        // Slot 0 would be genesis's own.
        let now_ms = 10 * chain.slot_ms;
        let ends_ms = now_ms + minutes.max(1) * 60_000;
        let links = Links::new(nodes);
        Ok(Self {
            setting,
            rng,
            now_ms,
            ends_ms,
            chain,
            hosts,
            links,
            registry: Registry::default(),
            watch: Watch::default(),
            proofs: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            healed: false,
            transactions: 0,
            deaths: (0, 0),
            cuts: 0,
            messages: 0,
            digest: B256::ZERO,
        })
    }

    /// Runs to the end of its time, and from there to the end of a healing.
    ///
    /// # Errors
    /// What did not hold.
    pub fn run(&mut self) -> Result<(), String> {
        for node in 0..self.hosts.len() {
            self.start(node)?;
            self.schedule(0, Event::SlotBegan { node });
            self.schedule(self.rng.clone().between(0, ATTACKS_EVERY_MS), Event::Act { node });
        }
        self.schedule(0, Event::BadTimes);
        self.schedule(1, Event::Submit { transaction: 1, everywhere: true });
        self.schedule(0, Event::Propose);
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now_ms = at;
            let over = matches!(event, Event::BadTimes) && at > self.ends_ms;
            if over {
                break;
            }
            self.happen(event)?;
        }
        self.audit()
    }

    /// What is on the disks in the end is what must be there; of one of them every row is looked at.
    fn audit(&mut self) -> Result<(), String> {
        let whole = self.rng.place(self.hosts.len());
        for host in self.hosts.iter().filter(|host| host.is_honest()) {
            self.proofs = self.proofs.max(host.ledger.audit(host.index == whole)?);
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        Summary {
            seed: self.setting.seed,
            nodes: (self.hosts.len(), self.hosts.iter().filter(|host| !host.is_honest()).count()),
            heights: self.watch.highest(),
            rounds: self.watch.rounds().clone(),
            deaths: self.deaths,
            cuts: self.cuts,
            sets: self.watch.sets(),
            proofs: self.proofs,
            evidence: self.watch.evidence(),
            messages: self.messages,
            digest: self.digest,
        }
    }

    fn schedule(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + after_ms, self.sequence), event);
    }

    fn note(&mut self, what: &[u8]) {
        self.digest = blake3([self.digest.as_slice(), &self.now_ms.to_be_bytes(), what]);
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::News { to, news } => {
                let slot = self.hosts[to].slot(self.now_ms);
                if self.hosts[to].is_up() && self.hosts[to].ledger.hear(&news, slot) {
                    self.wake_later(to);
                }
                Ok(())
            }
            Event::Propose => self.propose(),
            Event::Deliver { from, to, bytes } => self.deliver(from, to, &bytes),
            Event::Timer { node, life, timer, setting } => {
                let host = &mut self.hosts[node];
                if host.life != life || host.timers.get(&timer) != Some(&setting) {
                    return Ok(());
                }
                host.timers.remove(&timer);
                self.tell(node, Input::Elapsed(timer))
            }
            Event::Tell { node, life, input } if self.hosts[node].life == life => self.tell(node, input),
            Event::Tell { .. } => Ok(()),
            Event::SlotBegan { node } => {
                let next = self.hosts[node].next_slot_at(self.now_ms);
                self.schedule(next - self.now_ms, Event::SlotBegan { node });
                self.tell(node, Input::SlotBegan)?;
                let slot = self.hosts[node].slot(self.now_ms);
                if self.hosts[node].is_up() && self.rng.in_thousand(WORKS) {
                    self.hosts[node].ledger.work(&mut self.rng, slot);
                    self.spread(node);
                }
                self.wake_later(node);
                Ok(())
            }
            Event::Wake { node } => self.wake(node),
            Event::Act { node } => self.act(node),
            Event::Submit { transaction, everywhere } => self.submit(transaction, everywhere),
            Event::Trouble => self.trouble(),
            Event::Start { node } if !self.hosts[node].is_up() => self.start(node),
            Event::Start { .. } => Ok(()),
            Event::Heal => self.heal(),
            Event::CheckDecided { above } => self.check_decided(above),
            Event::BadTimes => {
                self.bad_times();
                Ok(())
            }
        }
    }
}

/// What the nodes of a run agree on, how many are validators from the beginning, and what each of them has.
type Ledgers = (Rc<SimChain>, usize, Vec<Box<dyn Ledger>>);

fn synthetic_ledgers(rng: &mut Rng, nodes: usize) -> Result<Ledgers, String> {
    let (chain, memory) = (Rc::new(SimChain::new(rng, nodes)?), Rc::new(Memory::default()));
    let ledger = |own: usize| -> Box<dyn Ledger> { Box::new(Synthetic::new(chain.clone(), memory.clone(), own)) };
    let ledgers = (0..nodes).map(ledger).collect();
    Ok((chain, nodes, ledgers))
}

fn real_ledgers(rng: &mut Rng, nodes: usize) -> Result<Ledgers, String> {
    let founders = Plan::draw_founders(rng, nodes);
    let (chain, real) = RealChain::new(rng, nodes, founders)?;
    let real = Rc::new(real);
    let ledger =
        |own: usize| -> Result<Box<dyn Ledger>, String> { Ok(Box::new(Real::new(real.clone(), own, rng.bits())?)) };
    Ok((Rc::new(chain), founders, (0..nodes).map(ledger).collect::<Result<_, _>>()?))
}
