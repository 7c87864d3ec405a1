//! The run: a queue of events by time, carried out one after the other, and what comes of each.

use crate::{
    attackers::{Attack, AttackerKind},
    chain::SimChain,
    host::Host,
    ledger::Craft,
    links::Links,
    plan::Plan,
    rng::Rng,
    synthetic::{Memory, Synthetic},
    watch::{Failure, Watch},
};
use lucid_node::consensus::bft::{Effect, Input, Message, Now, Peer, Recipient, Timer, TimerKind, Verifier};
use lucid_types::blake3;
use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

/// Slots after healing within which a height must be decided.
const SLOTS_TO_DECIDE: u64 = 5;

/// Once healed, how long the network stays so, in slots.
const SLOTS_HEALED: u64 = 8;

/// Slots of bad times between two healings.
const SLOTS_OF_CHAOS: (u64, u64) = (3, 12);

/// About how often an attacker acts of its own accord, in milliseconds.
const ATTACKS_EVERY_MS: u64 = 1_000;

/// How long a judgement and a block of one's own take at most, in milliseconds.
const JUDGING_MS: u64 = 60;
const BUILDING_MS: u64 = 120;

/// How many blocks back a restored copy of a store lies at most.
const BLOCKS_AGO_MAX: u64 = 3;

/// How often the first node that decides a height is cut off at that moment in bad times, in a thousand.
const FIRST_CUT_OFF: u64 = 500;

enum Event {
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
    /// Pieces of evidence that honest nodes were handed.
    pub evidence: usize,
    /// Messages that were sent.
    pub messages: u64,
    /// BLAKE3 of all that happened, in order.
    pub digest: alloy_primitives::B256,
}

/// A network under one seed.
pub struct World {
    seed: u64,
    rng: Rng,
    now_ms: u64,
    ends_ms: u64,
    chain: Rc<SimChain>,
    hosts: Vec<Host>,
    links: Links,
    watch: Watch,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    healed: bool,
    transactions: u64,
    deaths: (u64, u64),
    messages: u64,
    digest: alloy_primitives::B256,
}

/// Runs a seed for some virtual minutes; with `only`, against as many attackers of that kind as there can be.
///
/// # Errors
/// [`Failure`]: what must hold did not.
pub fn run(seed: u64, minutes: u64, only: Option<AttackerKind>) -> Result<Summary, Failure> {
    let mut world = World::new(seed, minutes, only).map_err(|what| Failure { seed, at_ms: 0, what })?;
    world.run().map_err(|what| Failure { seed, at_ms: world.now_ms, what })?;
    Ok(world.summary())
}

impl World {
    /// The network of a seed, at rest.
    ///
    /// # Errors
    /// A chain that cannot be made.
    pub fn new(seed: u64, minutes: u64, only: Option<AttackerKind>) -> Result<Self, String> {
        let mut rng = Rng::new(seed);
        let nodes = Plan::draw_nodes(&mut rng);
        let chain = Rc::new(SimChain::new(&mut rng, nodes)?);
        let plan = Plan::draw(&mut rng, nodes, chain.slot_ms, only);
        let (verifier, memory) = (Verifier::default(), Rc::new(Memory::default()));
        let host = |i: usize| {
            let ledger = Box::new(Synthetic::new(chain.clone(), memory.clone(), i));
            let attacker = plan.attackers.iter().find(|(who, _)| *who == i).map(|(_, kind)| kind.attacker());
            Host::new(chain.clone(), i, ledger, verifier.clone(), plan.skews_ms[i], attacker)
        };
        let hosts = (0..nodes).map(host).collect();
        // Slot 0 would be genesis's own.
        let now_ms = 10 * chain.slot_ms;
        let ends_ms = now_ms + minutes.max(1) * 60_000;
        let links = Links::new(nodes);
        Ok(Self {
            seed,
            rng,
            now_ms,
            ends_ms,
            chain,
            hosts,
            links,
            watch: Watch::default(),
            queue: BTreeMap::new(),
            sequence: 0,
            healed: false,
            transactions: 0,
            deaths: (0, 0),
            messages: 0,
            digest: alloy_primitives::B256::ZERO,
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
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now_ms = at;
            let over = matches!(event, Event::BadTimes) && at > self.ends_ms;
            if over {
                break;
            }
            self.happen(event)?;
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        Summary {
            seed: self.seed,
            nodes: (self.hosts.len(), self.hosts.iter().filter(|host| !host.is_honest()).count()),
            heights: self.watch.highest(),
            rounds: self.watch.rounds().clone(),
            deaths: self.deaths,
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

    fn deliver(&mut self, from: usize, to: usize, bytes: &[u8]) -> Result<(), String> {
        if !self.hosts[to].is_up() {
            return Ok(());
        }
        let message = Message::decode(bytes).map_err(|error| format!("what was sent cannot be read: {error}"))?;
        if let Some(attacker) = &mut self.hosts[to].attacker {
            attacker.hears(&message);
        }
        self.tell(to, Input::Message { from: Peer(from as u64), message })
    }

    /// One input, and those that its effects lead to at once.
    fn tell(&mut self, node: usize, input: Input) -> Result<(), String> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = Now { ms: self.now_ms, slot: self.hosts[node].slot(self.now_ms) };
            let Some(machine) = &mut self.hosts[node].machine else { return Ok(()) };
            let effects = match machine.step(input, now) {
                Ok(effects) => effects,
                // What an attacker does to itself is its own affair.
                Err(_) if !self.hosts[node].is_honest() => return self.die(node),
                Err(error) => return Err(format!("node {node} ends: {error}")),
            };
            for effect in effects {
                if self.hosts[node].dies_in == Some(0) {
                    return self.die(node);
                }
                let left = &mut self.hosts[node].dies_in;
                *left = left.map(|left| left - 1);
                inputs.extend(self.carry_out(node, effect)?);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, node: usize, effect: Effect) -> Result<Option<Input>, String> {
        let host = &mut self.hosts[node];
        let life = host.life;
        match effect {
            Effect::Append { height, entry } => host.ledger.append(height, &entry),
            Effect::StoreBody(body) => host.ledger.store_body(&body),
            Effect::Flush => host.ledger.flush(),
            Effect::RecordSigned(signed) => host.file = Some(signed),
            Effect::Send { to, message } => self.send(node, to, message)?,
            Effect::SetTimer { timer, after_ms } => {
                let setting = self.sequence;
                host.timers.insert(timer, setting);
                self.schedule(after_ms, Event::Timer { node, life, timer, setting });
            }
            Effect::CancelTimer(timer) => {
                host.timers.remove(&timer);
            }
            Effect::CancelRoundTimers { height } => host
                .timers
                .retain(|timer, _| timer.height != height || matches!(timer.kind, TimerKind::Body | TimerKind::Sync)),
            Effect::Build { height, round } => self.build(node, height, round),
            Effect::Judge(body) => {
                let (height, block_hash, verdict) = (body.height, body.block_hash, host.ledger.judge(&body));
                let input = Input::Judged { height, block_hash, verdict };
                let after = self.rng.between(1, JUDGING_MS);
                self.schedule(after, Event::Tell { node, life, input });
            }
            Effect::Decided(decision) => return self.commit(node, &decision).map(Some),
            Effect::ServeBody { to, block_hash, .. } => {
                if let Some(body) = host.ledger.body(block_hash) {
                    self.send(node, Recipient::Peer(to), Message::Body(Box::new(body)))?;
                }
            }
            Effect::ServeBlock { to, height } => {
                if let Some((body, certificate)) = host.ledger.block(height) {
                    self.send(node, Recipient::Peer(to), Message::Block { body: Box::new(body), certificate })?;
                }
            }
            Effect::Score { peer, fault } => self.scored(node, peer, &format!("{fault:?}"))?,
            Effect::Trouble(text) => return Err(format!("node {node}: the engine refuses an input: {text}")),
            _ => {}
        }
        Ok(None)
    }

    /// An honest node finds fault with attackers only.
    fn scored(&self, node: usize, peer: Peer, fault: &str) -> Result<(), String> {
        let accused = &self.hosts[peer.0 as usize];
        if self.hosts[node].is_honest() && accused.is_honest() {
            return Err(format!("node {node} finds {fault} with node {}, which is honest", peer.0));
        }
        Ok(())
    }

    fn attack(&mut self, node: usize) -> (&mut Host, Attack<'_>) {
        let host = &mut self.hosts[node];
        let height = host.ledger.head().height + 1;
        (host, Attack { rng: &mut self.rng, chain: &self.chain, own: node, height })
    }

    fn build(&mut self, node: usize, height: u64, round: u32) {
        let now_ms = self.now_ms;
        let (host, mut attack) = self.attack(node);
        let craft = host.attacker.as_mut().map_or(Craft::Honest, |attacker| attacker.craft(&mut attack));
        let (slot, life) = (host.slot(now_ms), host.life);
        let built = host.ledger.build(round, slot, craft).filter(|built| built.height == height);
        if let (Some(attacker), Some(built)) = (host.attacker.as_mut().filter(|a| a.makes_twins()), &built)
            && let Some(twin) = host.ledger.build(round, slot, Craft::Twin)
        {
            attacker.twin(&mut attack, built.block_hash, twin);
        }
        if let Some(built) = built {
            let after = self.rng.between(1, BUILDING_MS);
            self.schedule(after, Event::Tell { node, life, input: Input::Built(Box::new(built)) });
        }
    }

    fn send(&mut self, node: usize, to: Recipient, message: Message) -> Result<(), String> {
        let own = self.chain.addresses[node];
        let (host, mut attack) = self.attack(node);
        let outgoing = match &mut host.attacker {
            Some(attacker) => attacker.sends(&mut attack, to, message),
            None => {
                self.watch.sends(own, &message)?;
                vec![(to, message)]
            }
        };
        self.put_on_the_wire(node, outgoing);
        Ok(())
    }

    fn put_on_the_wire(&mut self, from: usize, outgoing: Vec<(Recipient, Message)>) {
        for (to, message) in outgoing {
            let bytes: Rc<[u8]> = message.encode().into();
            self.messages += 1;
            self.note(&bytes);
            for other in 0..self.hosts.len() {
                let meant = matches!(to, Recipient::All) || to == Recipient::Peer(Peer(other as u64));
                if !meant || other == from {
                    continue;
                }
                for after in self.links.arrivals(&mut self.rng, from, other) {
                    self.schedule(after, Event::Deliver { from, to: other, bytes: bytes.clone() });
                }
            }
        }
    }

    fn commit(&mut self, node: usize, decision: &lucid_node::consensus::bft::Decision) -> Result<Input, String> {
        let honest: Vec<_> =
            self.hosts.iter().filter(|host| host.is_honest()).map(|host| self.chain.addresses[host.index]).collect();
        let host = &mut self.hosts[node];
        host.ledger.commit(decision)?;
        host.guard.decided(decision.height, host.ledger.head().slot);
        if host.is_honest() {
            let first = decision.height > self.watch.highest();
            self.watch.commits(self.chain.genesis_hash, &self.chain.set, &honest, decision)?;
            if first && !self.healed && self.rng.in_thousand(FIRST_CUT_OFF) {
                self.cut_off_the_first(node);
            }
        }
        self.note(decision.block_hash.as_slice());
        self.wake_later(node);
        Ok(Input::Next(Box::new(self.hosts[node].next_facts())))
    }

    /// The worst moment for a lock to be forgotten: one node has decided, nobody else can know, and what would tell them
    /// is lost on the way.
    fn cut_off_the_first(&mut self, node: usize) {
        self.links.join();
        self.links.cut_off(node);
        self.queue.retain(|_, event| !matches!(event, Event::Deliver { .. }));
    }

    fn die(&mut self, node: usize) -> Result<(), String> {
        self.note(&[1, node as u8]);
        self.deaths.0 += 1;
        self.hosts[node].die();
        let restored = !self.healed && self.rng.in_thousand(150) && self.may_be_restored();
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

    /// Whether one more node may lose what it signed: the others must still be more than two thirds.
    fn may_be_restored(&self) -> bool {
        let signing = self.hosts.iter().filter(|host| host.is_honest() && host.guard.may_sign()).count();
        self.chain.set.is_quorum(signing.saturating_sub(1))
    }

    fn start(&mut self, node: usize) -> Result<(), String> {
        self.note(&[2, node as u8]);
        self.hosts[node].start(self.now_ms)?;
        let log = self.hosts[node].ledger.log()?;
        let facts = self.hosts[node].next_facts();
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
    fn wake_later(&mut self, node: usize) {
        let after = self.rng.between(0, 2_000);
        self.schedule(after, Event::Wake { node });
    }

    fn wake(&mut self, node: usize) -> Result<(), String> {
        let host = &self.hosts[node];
        let head = host.ledger.head();
        if host.ledger.has_waiting() && host.slot(self.now_ms) > head.slot {
            return self.tell(node, Input::Waiting { height: head.height + 1 });
        }
        Ok(())
    }

    fn act(&mut self, node: usize) -> Result<(), String> {
        let (host, mut attack) = self.attack(node);
        let up = host.is_up();
        let Some(attacker) = &mut host.attacker else { return Ok(()) };
        let outgoing = if up { attacker.acts(&mut attack) } else { Vec::new() };
        self.put_on_the_wire(node, outgoing);
        let after = self.rng.between(1, 2 * ATTACKS_EVERY_MS);
        self.schedule(after, Event::Act { node });
        Ok(())
    }

    fn submit(&mut self, transaction: u64, everywhere: bool) -> Result<(), String> {
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
    fn bad_times(&mut self) {
        self.healed = false;
        self.links.set_weather(Plan::draw_weather(&mut self.rng));
        let slots = self.rng.between(SLOTS_OF_CHAOS.0, SLOTS_OF_CHAOS.1);
        self.schedule(slots * self.chain.slot_ms, Event::Heal);
        self.schedule(1, Event::Trouble);
        let transaction = self.transactions + 1;
        self.schedule(2, Event::Submit { transaction, everywhere: false });
    }

    /// Something goes wrong, and again later.
    fn trouble(&mut self) -> Result<(), String> {
        if self.healed {
            return Ok(());
        }
        let node = self.rng.place(self.hosts.len());
        match self.rng.between(0, 6) {
            0 => self.links.part(&mut self.rng),
            1 => self.links.join(),
            2 => self.links.slow_down(node),
            3 => self.links.deafen(node),
            // At one of the next effects, wherever that is.
            _ => self.hosts[node].dies_in = Some(self.rng.between(0, 60)),
        }
        let after = self.rng.between(1, self.chain.slot_ms);
        self.schedule(after, Event::Trouble);
        Ok(())
    }

    /// All are up and hear each other; the attackers go on.
    fn heal(&mut self) -> Result<(), String> {
        self.healed = true;
        self.links.heal();
        self.queue.retain(|_, event| !matches!(event, Event::Submit { .. } | Event::Trouble));
        for node in 0..self.hosts.len() {
            self.hosts[node].dies_in = None;
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
    fn check_decided(&mut self, above: u64) -> Result<(), String> {
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
