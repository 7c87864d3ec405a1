//! What a node is told, and what its machine asks for, carried out one after the other.

use super::{Event, World};
use crate::{attackers::Attack, host::Host, ledger::Craft};
use lucid_node::consensus::bft::{Decision, Effect, Input, Message, Now, Peer, Recipient, TimerKind};
use std::{collections::VecDeque, rc::Rc};

/// How long a judgement and a block of one's own take at most, in milliseconds.
const JUDGING_MS: u64 = 60;
const BUILDING_MS: u64 = 120;

/// How often the first node that decides a height is cut off at that moment in bad times, in a thousand.
const FIRST_CUT_OFF: u64 = 500;

impl World {
    pub(super) fn deliver(&mut self, from: usize, to: usize, bytes: &[u8]) -> Result<(), String> {
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
    pub(super) fn tell(&mut self, node: usize, input: Input) -> Result<(), String> {
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

    pub(super) fn attack(&mut self, node: usize) -> (&mut Host, Attack<'_>) {
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
    pub(super) fn spread(&mut self, node: usize) {
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

    pub(super) fn put_on_the_wire(&mut self, from: usize, outgoing: Vec<(Recipient, Message)>) {
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
}
