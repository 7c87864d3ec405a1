//! The run: a queue of events by time, carried out one after the other, and what comes of each.

use crate::{
    attackers::{Attack, AttackerKind},
    chain::SimChain,
    host::Host,
    ledger::{Craft, Ledger, LedgerKind, News},
    links::Links,
    plan::Plan,
    real::{Real, RealChain},
    registry::{Registry, Standing},
    rng::Rng,
    synthetic::{Memory, Synthetic},
    watch::{Failure, Watch},
};
use alloy_primitives::Address;
use lucid_node::consensus::bft::{Decision, Effect, Input, Message, Now, Peer, Recipient, Timer, TimerKind, Verifier};
use lucid_types::blake3;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
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

/// Writes and syncs within which the power of a node is cut: a few flushes of its log, or blocks.
const OPERATIONS_MAX: u64 = 60;

/// How often a node proves its work of a slot, in a thousand.
const WORKS: u64 = 600;

/// How often a slot brings somebody to propose who is to vote, in a thousand.
const PROPOSES: u64 = 700;

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
    /// Sets of voters that there were, one after the other.
    pub sets: usize,
    /// Task proofs that count in the end.
    pub proofs: usize,
    /// Pieces of evidence that honest nodes were handed.
    pub evidence: usize,
    /// Messages that were sent.
    pub messages: u64,
    /// BLAKE3 of all that happened, in order.
    pub digest: alloy_primitives::B256,
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
    messages: u64,
    digest: alloy_primitives::B256,
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
                let done = self.carry_out(node, effect);
                if self.hosts[node].ledger.has_lost_power() {
                    return self.die(node);
                }
                inputs.extend(done?);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, node: usize, effect: Effect) -> Result<Option<Input>, String> {
        let host = &mut self.hosts[node];
        let life = host.life;
        match effect {
            Effect::Append { height, entry } => host.ledger.append(height, entry),
            Effect::StoreBody(body) => host.ledger.store_body(*body),
            Effect::Flush => host.ledger.flush()?,
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
            Effect::Build { height, round } => self.build(node, height, round)?,
            Effect::Judge(body) => {
                let (height, block_hash, verdict) = (body.height, body.block_hash, host.ledger.judge(&body));
                let input = Input::Judged { height, block_hash, verdict };
                let after = self.rng.between(1, JUDGING_MS);
                self.schedule(after, Event::Tell { node, life, input });
            }
            Effect::Decided(decision) => return self.commit(node, &decision).map(Some),
            Effect::ServeBody { to, height, block_hash } => {
                if let Some(body) = host.ledger.body(height, block_hash) {
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

    fn build(&mut self, node: usize, height: u64, round: u32) -> Result<(), String> {
        let now_ms = self.now_ms;
        let (host, mut attack) = self.attack(node);
        let craft = host.attacker.as_mut().map_or(Craft::Honest, |attacker| attacker.craft(&mut attack));
        let (slot, life) = (host.slot(now_ms), host.life);
        let built = host.ledger.build(round, slot, craft)?.filter(|built| built.height == height);
        if let (Some(attacker), Some(built)) = (host.attacker.as_mut().filter(|a| a.makes_twins()), &built)
            && let Some(twin) = host.ledger.build(round, slot, Craft::Twin)?
        {
            attacker.twin(&mut attack, built.block_hash, twin);
        }
        if let Some(built) = built {
            let after = self.rng.between(1, BUILDING_MS);
            self.schedule(after, Event::Tell { node, life, input: Input::Built(Box::new(built)) });
        }
        self.spread(node);
        Ok(())
    }

    /// Tells the others what has come to wait with a node.
    fn spread(&mut self, node: usize) {
        for news in self.hosts[node].ledger.take_news() {
            let news = Rc::new(news);
            for other in (0..self.hosts.len()).filter(|other| *other != node) {
                for after in self.links.arrivals(&mut self.rng, node, other) {
                    self.schedule(after, Event::News { to: other, news: news.clone() });
                }
            }
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

    fn commit(&mut self, node: usize, decision: &Decision) -> Result<Input, String> {
        let honest: Vec<_> =
            self.hosts.iter().filter(|host| host.is_honest()).map(|host| self.chain.addresses[host.index]).collect();
        let slot = self.hosts[node].slot(self.now_ms);
        let host = &mut self.hosts[node];
        let set = host.next_facts().set;
        host.ledger.commit(decision, slot)?;
        host.guard.decided(decision.height, host.ledger.head().slot);
        if host.is_honest() {
            let first = decision.height > self.watch.highest();
            self.watch.commits(self.chain.genesis_hash, &set, &honest, decision)?;
            self.watch.takes_up(&host.next_facts())?;
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
        let good = honest.clone().filter(|host| host.guard.may_sign()).map(|host| host.index).collect();
        let Some(furthest) = honest.max_by_key(|host| host.ledger.head().height) else { return Standing::default() };
        let places = |addresses: Vec<Address>| -> BTreeSet<usize> {
            let is_in = |(_, address): &(usize, &Address)| addresses.contains(address);
            self.chain.addresses.iter().enumerate().filter(is_in).map(|(place, _)| place).collect()
        };
        let set = furthest.next_facts().set.members().iter().map(|member| member.address).collect();
        Standing { good, set: places(set), members: places(furthest.ledger.members()) }
    }

    /// Somebody is to come or to go, now and then.
    fn propose(&mut self) -> Result<(), String> {
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

    fn start(&mut self, node: usize) -> Result<(), String> {
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
    fn wake_later(&mut self, node: usize) {
        let after = self.rng.between(0, 2_000);
        self.schedule(after, Event::Wake { node });
    }

    fn wake(&mut self, node: usize) -> Result<(), String> {
        let host = &self.hosts[node];
        let head = host.ledger.head();
        let slot = host.slot(self.now_ms);
        if slot > head.slot && host.is_up() && host.ledger.has_waiting(slot) {
            return self.tell(node, Input::Waiting { height: head.height + 1 });
        }
        Ok(())
    }

    fn act(&mut self, node: usize) -> Result<(), String> {
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
            // At one of the next effects, wherever that is, or in the midst of one.
            _ => {
                self.hosts[node].dies_in = Some(self.rng.between(0, 60));
                let cut = self.rng.in_thousand(500).then(|| self.rng.between(0, OPERATIONS_MAX));
                self.hosts[node].ledger.cut_power_in(cut);
            }
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
