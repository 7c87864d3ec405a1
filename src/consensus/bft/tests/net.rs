//! Some machines, a wire that loses what a test says, and disks that forget what was not flushed.
//!
//! A block here is a flag of validity, round, slot and a number. Each effect is carried out at once and in order; what is
//! sent is held against the log and the file at that moment.

use crate::{
    consensus::bft::*,
    keys::{HighestSigned, SecretKey},
};
use alloy_primitives::{Address, B256, Bytes};
use lucid_types::{Certificate, ConsensusKey, Validator, ValidatorSet, blake3};
use std::collections::{BTreeMap, VecDeque};

pub(super) const GENESIS: B256 = B256::repeat_byte(0xee);
pub(super) const TIMEOUTS: Timeouts = Timeouts { propose_ms: 1_000, prevote_ms: 2_000, precommit_ms: 1_000 };
const SLOT_MS: u64 = 1_000;
/// Steps of all machines in one test before it counts as one that never ends.
const STEPS: usize = 20_000;

/// One machine, and what is on its disk.
pub(super) struct Node {
    pub(super) machine: Machine,
    pub(super) key: SecretKey,
    pub(super) address: Address,
    pub(super) log: Vec<LogEntry>,
    pub(super) flushed: usize,
    pub(super) file: HighestSigned,
    pub(super) bodies: BTreeMap<B256, Body>,
    pub(super) chain: Vec<(Decision, Body)>,
    /// Syncs of the store: flushes of the log and batches of blocks.
    pub(super) syncs: usize,
    pub(super) effects: Vec<Effect>,
    pub(super) up: bool,
    pub(super) may_sign: bool,
    pub(super) builds: bool,
    /// Effects left until it crashes.
    pub(super) crash_after: Option<usize>,
    timers: BTreeMap<Timer, u64>,
}

pub(super) struct Net {
    pub(super) nodes: Vec<Node>,
    pub(super) set: ValidatorSet,
    pub(super) now: Now,
    pub(super) wire: VecDeque<(usize, usize, Message)>,
    /// All that was sent, with its sender.
    pub(super) sent: Vec<(usize, Message)>,
    /// Whether a message is lost, by sender, receiver and message.
    pub(super) loses: fn(usize, usize, &Message) -> bool,
    pub(super) verifier: Verifier,
    /// How many of the members lead.
    pub(super) leaders: usize,
    inbox: VecDeque<(usize, Input)>,
    steps: usize,
}

pub(super) fn block(valid: bool, round: u32, slot: u64, number: u64) -> Bytes {
    let mut out = vec![u8::from(valid)];
    out.extend_from_slice(&round.to_be_bytes());
    out.extend_from_slice(&slot.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    out.into()
}

pub(super) fn judge(body: &Body) -> Verdict {
    let slot = body.block.get(5..13).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    match (slot, blake3([&body.block]) == body.block_hash, body.block.get(1..5) == Some(&body.round.to_be_bytes()[..]))
    {
        (Some(slot), true, true) if body.block[0] == 1 => Verdict::Valid { slot },
        (Some(_), true, true) => Verdict::Invalid,
        _ => Verdict::Unfit,
    }
}

impl Net {
    /// `count` machines at height 1, in slot 10, each connected to each.
    pub(super) fn new(count: u8) -> Self {
        let verifier = Verifier::default();
        let keys: Vec<SecretKey> = (1..=count).map(|byte| SecretKey::from_bytes(&[byte; 32]).unwrap()).collect();
        let member = |(i, key): (usize, &SecretKey)| Validator {
            address: Address::repeat_byte(i as u8 + 1),
            consensus_key: ConsensusKey::from_bytes(key.public_key_compressed()).unwrap(),
        };
        let set = ValidatorSet::new(keys.iter().enumerate().map(member).collect()).unwrap();
        let now = Now { ms: 10 * SLOT_MS, slot: 10 };
        let nodes = keys.iter().enumerate().map(|(i, key)| Node::new(i, key.clone(), &verifier)).collect();
        let mut net = Self {
            nodes,
            set,
            now,
            wire: VecDeque::new(),
            sent: Vec::new(),
            loses: |_, _, _| false,
            verifier,
            leaders: usize::from(count),
            inbox: VecDeque::new(),
            steps: 0,
        };
        for i in 0..usize::from(count) {
            net.give_next(i);
        }
        net
    }

    /// Facts of the next height of a node: the leaders are the members, from the one at place height - 1 on.
    pub(super) fn facts(&self, i: usize) -> HeightFacts {
        let node = &self.nodes[i];
        let height = node.machine.next_height();
        let members: Vec<Address> = self.set.members().iter().map(|member| member.address).collect();
        let order = (0..self.leaders).map(|k| members[(k + height as usize - 1) % members.len()]).collect();
        let parent_slot = node.chain.last().map_or(0, |(_, body)| slot_of(body));
        let (set, may_sign) = (self.set.clone(), node.may_sign);
        HeightFacts { height, parent_slot, set, order, timeouts: TIMEOUTS, block_bytes_max: 1 << 10, may_sign }
    }

    fn give_next(&mut self, i: usize) {
        let facts = self.facts(i);
        self.tell(i, Input::Next(Box::new(facts)));
    }

    /// One input, and all inputs that its effects lead to at the same node.
    pub(super) fn tell(&mut self, i: usize, input: Input) {
        self.try_tell(i, input).unwrap();
    }

    pub(super) fn try_tell(&mut self, i: usize, input: Input) -> Result<(), BftError> {
        self.inbox.push_back((i, input));
        while let Some((i, input)) = self.inbox.pop_front() {
            if !self.nodes[i].up {
                continue;
            }
            self.steps += 1;
            assert!(self.steps < STEPS, "the machines never come to rest");
            for effect in self.nodes[i].machine.step(input, self.now)? {
                if self.nodes[i].crash_after == Some(0) {
                    self.crash(i);
                    break;
                }
                self.nodes[i].crash_after = self.nodes[i].crash_after.map(|left| left - 1);
                self.carry_out(i, effect);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, i: usize, effect: Effect) {
        let now = self.now;
        let node = &mut self.nodes[i];
        node.effects.push(effect.clone());
        match effect {
            Effect::Append { height, entry } => {
                assert_eq!(height, node.chain.len() as u64 + 1, "the log is that of the height that is open");
                node.log.push(entry);
            }
            Effect::StoreBody(body) => {
                node.bodies.insert(body.block_hash, *body);
            }
            Effect::Flush => {
                node.flushed = node.log.len();
                node.syncs += 1;
            }
            Effect::RecordSigned(signed) => {
                assert!(signed > node.file, "the file only rises");
                node.file = signed;
            }
            Effect::Send { to, message } => self.send(i, to, message),
            Effect::SetTimer { timer, after_ms } => {
                assert_eq!(timer.height, node.chain.len() as u64 + 1, "a timer of a height that is not decided");
                node.timers.insert(timer, now.ms + after_ms);
            }
            Effect::CancelTimer(timer) => {
                node.timers.remove(&timer);
            }
            Effect::CancelRoundTimers { height } => {
                node.timers.retain(|timer, _| {
                    timer.height != height || matches!(timer.kind, TimerKind::Body | TimerKind::Sync)
                });
            }
            Effect::Build { height, round } if node.builds => {
                let block = block(true, round, now.slot, height * 100 + i as u64);
                let block_hash = blake3([&block]);
                let (slot, vrf_proof, parent_certificate) = (now.slot, None, None);
                let built = BuiltBlock { height, round, slot, block_hash, vrf_proof, parent_certificate, block };
                self.inbox.push_back((i, Input::Built(Box::new(built))));
            }
            Effect::Judge(body) => {
                let (height, block_hash, verdict) = (body.height, body.block_hash, judge(&body));
                self.inbox.push_back((i, Input::Judged { height, block_hash, verdict }));
            }
            Effect::Decided(decision) => self.commit(i, *decision),
            Effect::ServeBody { to, block_hash, .. } => {
                let body = node.bodies.get(&block_hash).cloned();
                let body = body.map(|body| Message::Body(Box::new(body)));
                body.into_iter().for_each(|message| self.send(i, Recipient::Peer(to), message));
            }
            Effect::ServeBlock { to, height } => {
                if let Some((decision, body)) = node.chain.get(height as usize - 1).cloned() {
                    let message = Message::Block { body: Box::new(body), certificate: decision.certificate };
                    self.send(i, Recipient::Peer(to), message);
                }
            }
            _ => {}
        }
    }

    fn commit(&mut self, i: usize, decision: Decision) {
        let Certificate { height, block_hash, .. } = decision.certificate;
        decision.certificate.verify(GENESIS, &self.set).unwrap();
        assert_eq!((decision.height, decision.block_hash), (height, block_hash));
        assert!(decision.evidence.iter().all(|found| found.verify(GENESIS, &self.set)));
        let node = &mut self.nodes[i];
        assert_eq!(decision.height, node.chain.len() as u64 + 1);
        let body = node.bodies[&block_hash].clone();
        assert_eq!(judge(&body), Verdict::Valid { slot: slot_of(&body) });
        node.chain.push((decision, body));
        node.bodies.clear();
        (node.log, node.flushed) = (Vec::new(), 0);
        node.syncs += 1;
        let facts = self.facts(i);
        self.inbox.push_back((i, Input::Next(Box::new(facts))));
    }

    /// Holds what is sent against the disk, and puts it on the wire.
    fn send(&mut self, i: usize, to: Recipient, message: Message) {
        let node = &self.nodes[i];
        if let Message::Vote(vote) = &message
            && vote.voter == node.address
        {
            let decided = vote.height <= node.chain.len() as u64;
            let logged = node.log[..node.flushed].contains(&LogEntry::Vote(*vote));
            assert!(decided || logged, "{vote:?} was sent before its log was on disk");
            let step = crate::consensus::bft::guard::step_of(vote.kind);
            let said = HighestSigned { height: vote.height, round: vote.round, step };
            assert!(node.file >= said, "{vote:?} was sent before the file said so");
        }
        self.sent.push((i, message.clone()));
        for j in 0..self.nodes.len() {
            let meant = j != i && matches!(to, Recipient::All) || to == Recipient::Peer(Peer(j as u64));
            if meant && !(self.loses)(i, j, &message) {
                self.wire.push_back((i, j, message.clone()));
            }
        }
    }

    /// Hands on everything that is on the wire, and what that leads to.
    pub(super) fn deliver(&mut self) {
        while let Some((from, to, message)) = self.wire.pop_front() {
            let decoded = Message::decode(&message.encode()).unwrap();
            assert_eq!(decoded, message);
            self.tell(to, Input::Message { from: Peer(from as u64), message });
        }
    }

    /// Lets time pass up to the next timer and fires it.
    pub(super) fn pass_time(&mut self) {
        let due = |(i, node): (usize, &Node)| node.timers.iter().map(|(timer, at)| (*at, i, *timer)).min();
        let next = self.nodes.iter().enumerate().filter(|(_, node)| node.up).filter_map(due).min();
        let (at, i, timer) = next.unwrap_or_else(|| panic!("no timer runs, and heads are {:?}", self.heads()));
        self.nodes[i].timers.remove(&timer);
        self.now.ms = self.now.ms.max(at);
        self.set_slot(self.now.slot.max(self.now.ms / SLOT_MS));
        self.tell(i, Input::Elapsed(timer));
    }

    pub(super) fn set_slot(&mut self, slot: u64) {
        if slot != self.now.slot {
            self.now = Now { ms: self.now.ms.max(slot * SLOT_MS), slot };
            for i in 0..self.nodes.len() {
                self.tell(i, Input::SlotBegan);
            }
        }
    }

    pub(super) fn all_wait(&mut self, height: u64) {
        for i in 0..self.nodes.len() {
            self.tell(i, Input::Waiting { height });
        }
    }

    /// Runs until `height` is decided at all these nodes.
    pub(super) fn decide(&mut self, height: u64, at: &[usize]) {
        for i in at {
            self.tell(*i, Input::Waiting { height });
        }
        self.run_until(|net| at.iter().all(|i| net.nodes[*i].chain.len() as u64 >= height));
    }

    pub(super) fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        for _ in 0..STEPS {
            self.deliver();
            if done(self) {
                return;
            }
            self.pass_time();
        }
        panic!("not done after {STEPS} timers");
    }

    fn heads(&self) -> Vec<(usize, bool)> {
        self.nodes.iter().map(|node| (node.chain.len(), node.machine.is_open())).collect()
    }

    /// The machine and what was not flushed are gone.
    pub(super) fn crash(&mut self, i: usize) {
        let node = &mut self.nodes[i];
        node.log.truncate(node.flushed);
        node.timers.clear();
        (node.up, node.crash_after) = (false, None);
        self.inbox.retain(|(to, _)| *to != i);
        self.wire.retain(|(_, to, _)| *to != i);
    }

    pub(super) fn restart(&mut self, i: usize) -> Result<(), BftError> {
        let verifier = self.verifier.clone();
        let node = &mut self.nodes[i];
        let (head, head_hash) = node.chain.last().map_or((0, GENESIS), |(d, _)| (d.height, d.block_hash));
        let (own, key, recorded) = (node.address, node.key.clone(), node.file);
        node.machine =
            Machine::new(MachineConfig { genesis_hash: GENESIS, own, key, head, head_hash, recorded, verifier });
        node.up = true;
        let log = node.log.clone();
        let guard = SigningGuard::at_start(Some(recorded), head, &log, own, self.now.slot);
        node.may_sign = guard.may_sign();
        self.give_next(i);
        self.try_tell(i, Input::Log(log))
    }

    /// A vote of a member, signed.
    pub(super) fn vote(
        &self,
        i: usize,
        round: u32,
        kind: lucid_types::VoteKind,
        block_hash: Option<B256>,
    ) -> SignedVote {
        let node = &self.nodes[i];
        let height = node.machine.next_height();
        sign(
            &node.key,
            SignedVote { voter: node.address, height, round, kind, block_hash, signature: Default::default() },
        )
    }

    /// The first two different messages that one node sent for one step.
    pub(super) fn double_signed(&self) -> Option<(SignedVote, SignedVote)> {
        let votes: Vec<SignedVote> = self
            .sent
            .iter()
            .filter_map(|(i, message)| match message {
                Message::Vote(vote) if vote.voter == self.nodes[*i].address => Some(*vote),
                _ => None,
            })
            .collect();
        let conflict = |a: &SignedVote| votes.iter().find(|b| a.is_of_step(b) && *b != a).map(|b| (*a, *b));
        votes.iter().find_map(conflict)
    }
}

pub(super) fn sign(key: &SecretKey, vote: SignedVote) -> SignedVote {
    SignedVote { signature: key.sign_message_sha256(&vote.vote(GENESIS).sign_bytes()).into(), ..vote }
}

pub(super) fn slot_of(body: &Body) -> u64 {
    u64::from_be_bytes(body.block[5..13].try_into().unwrap())
}

impl Node {
    fn new(i: usize, key: SecretKey, verifier: &Verifier) -> Self {
        let address = Address::repeat_byte(i as u8 + 1);
        let config = MachineConfig {
            genesis_hash: GENESIS,
            own: address,
            key: key.clone(),
            head: 0,
            head_hash: GENESIS,
            recorded: HighestSigned::NOTHING,
            verifier: verifier.clone(),
        };
        Self {
            machine: Machine::new(config),
            key,
            address,
            log: Vec::new(),
            flushed: 0,
            file: HighestSigned::NOTHING,
            bodies: BTreeMap::new(),
            chain: Vec::new(),
            syncs: 0,
            effects: Vec::new(),
            up: true,
            may_sign: true,
            builds: true,
            crash_after: None,
            timers: BTreeMap::new(),
        }
    }
}
