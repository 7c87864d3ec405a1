//! A ledger of small blocks: numbers for transactions, real VRF proofs, real certificates, and a log kept as bytes.

use crate::{
    chain::SimChain,
    ledger::{Craft, Failed, Head, Ledger},
};
use alloy_primitives::{Address, B256, Bytes};
use lucid_node::consensus::{
    bft::{Body, BuiltBlock, Decision, HeightFacts, LogEntry, Verdict},
    poot::{vrf_alpha, vrf_prove, vrf_verify},
};
use lucid_types::{Certificate, VrfProof, blake3};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Most transactions in a block.
const TRANSACTIONS_MAX: usize = 8;

/// Most bytes of a block here.
const BLOCK_BYTES_MAX: usize = 64 << 10;

/// The transaction that makes every block invalid.
const POISON: u64 = u64::MAX;

/// What is the same for all nodes that check it: checked once for all of them, as proofs and certificates are dear.
#[derive(Debug, Default)]
pub struct Memory {
    proofs: RefCell<BTreeMap<B256, Option<B256>>>,
    certificates: RefCell<BTreeMap<B256, bool>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    parent: B256,
    parent_certificate: B256,
    height: u64,
    round: u32,
    slot: u64,
    beneficiary: Address,
    mix_hash: B256,
    transactions: Vec<u64>,
}

impl Block {
    fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        out.extend_from_slice(self.parent.as_slice());
        out.extend_from_slice(self.parent_certificate.as_slice());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.extend_from_slice(&self.slot.to_be_bytes());
        out.extend_from_slice(self.beneficiary.as_slice());
        out.extend_from_slice(self.mix_hash.as_slice());
        self.transactions.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
        out.into()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (parent, rest) = bytes.split_first_chunk::<32>()?;
        let (parent_certificate, rest) = rest.split_first_chunk::<32>()?;
        let (height, rest) = rest.split_first_chunk::<8>()?;
        let (round, rest) = rest.split_first_chunk::<4>()?;
        let (slot, rest) = rest.split_first_chunk::<8>()?;
        let (beneficiary, rest) = rest.split_first_chunk::<20>()?;
        let (mix_hash, rest) = rest.split_first_chunk::<32>()?;
        let (transactions, []) = rest.as_chunks::<8>() else { return None };
        Some(Self {
            parent: parent.into(),
            parent_certificate: parent_certificate.into(),
            height: u64::from_be_bytes(*height),
            round: u32::from_be_bytes(*round),
            slot: u64::from_be_bytes(*slot),
            beneficiary: beneficiary.into(),
            mix_hash: mix_hash.into(),
            transactions: transactions.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect(),
        })
    }
}

struct Decided {
    body: Body,
    block: Block,
    certificate: Certificate,
}

/// The ledger of one node.
pub struct Synthetic {
    chain: Rc<SimChain>,
    memory: Rc<Memory>,
    own: usize,
    blocks: Vec<Decided>,
    waiting: BTreeSet<u64>,
    log: Vec<Vec<u8>>,
    bodies: BTreeMap<B256, Body>,
    unflushed_log: Vec<Vec<u8>>,
    unflushed_bodies: BTreeMap<B256, Body>,
}

impl Synthetic {
    /// An empty one.
    pub fn new(chain: Rc<SimChain>, memory: Rc<Memory>, own: usize) -> Self {
        Self {
            chain,
            memory,
            own,
            blocks: Vec::new(),
            waiting: BTreeSet::new(),
            log: Vec::new(),
            bodies: BTreeMap::new(),
            unflushed_log: Vec::new(),
            unflushed_bodies: BTreeMap::new(),
        }
    }

    fn parent_mix(&self) -> B256 {
        self.blocks.last().map_or(self.chain.genesis_hash, |last| last.block.mix_hash)
    }

    fn is_decided(&self, transaction: u64) -> bool {
        self.blocks.iter().any(|decided| decided.block.transactions.contains(&transaction))
    }

    /// The output of a leader's proof; `None` where it does not verify.
    fn vrf_output(&self, leader: Address, proof: &VrfProof, alpha: &[u8]) -> Option<B256> {
        let member = self.chain.set.get(&leader)?;
        let key = blake3([member.consensus_key.as_bytes().as_slice(), proof.as_slice(), alpha]);
        let check = || vrf_verify(member.consensus_key.as_bytes(), proof, alpha).ok();
        *self.memory.proofs.borrow_mut().entry(key).or_insert_with(check)
    }

    fn certificate_holds(&self, certificate: &Certificate) -> bool {
        let check = || certificate.verify(self.chain.genesis_hash, &self.chain.set).is_ok();
        *self.memory.certificates.borrow_mut().entry(certificate.hash()).or_insert_with(check)
    }

    /// What travels beside a block must be right, or nothing came.
    fn is_fit(&self, body: &Body, block: &Block) -> bool {
        let alpha = vrf_alpha(self.parent_mix(), body.height);
        let output = body.vrf_proof.as_ref().and_then(|proof| self.vrf_output(block.beneficiary, proof, &alpha));
        let certificate = body.parent_certificate.as_ref().map_or(B256::ZERO, Certificate::hash);
        blake3([&body.block]) == body.block_hash
            && (block.height, block.round) == (body.height, body.round)
            && output.is_some()
            && certificate == block.parent_certificate
    }

    fn is_valid(&self, body: &Body, block: &Block) -> bool {
        let head = self.head();
        let order = self.chain.order(block.height);
        let proof = body.vrf_proof.as_ref();
        let alpha = vrf_alpha(self.parent_mix(), block.height);
        let mix_hash = proof.and_then(|proof| self.vrf_output(block.beneficiary, proof, &alpha));
        let of_parent =
            |c: &Certificate| (c.height, c.block_hash) == (head.height, head.hash) && self.certificate_holds(c);
        let certified = match &body.parent_certificate {
            Some(certificate) => of_parent(certificate),
            None => head.height == 0,
        };
        let new = |number: &u64| *number != POISON && !self.is_decided(*number);
        block.parent == head.hash
            && block.height == head.height + 1
            && block.slot > head.slot
            && block.beneficiary == order[block.round as usize % order.len()]
            && Some(block.mix_hash) == mix_hash
            && certified
            && (1..=TRANSACTIONS_MAX).contains(&block.transactions.len())
            && block.transactions.is_sorted_by(|a, b| a < b)
            && block.transactions.iter().all(new)
    }
}

impl Ledger for Synthetic {
    fn head(&self) -> Head {
        let genesis = Head { height: 0, hash: self.chain.genesis_hash, slot: 0 };
        let head =
            |last: &Decided| Head { height: last.block.height, hash: last.body.block_hash, slot: last.block.slot };
        self.blocks.last().map_or(genesis, head)
    }

    fn facts(&self, may_sign: bool) -> HeightFacts {
        let head = self.head();
        let height = head.height + 1;
        HeightFacts {
            height,
            parent_slot: head.slot,
            set: self.chain.set.clone(),
            order: self.chain.order(height),
            timeouts: self.chain.timeouts,
            block_bytes_max: BLOCK_BYTES_MAX,
            may_sign,
        }
    }

    fn submit(&mut self, transaction: u64) {
        if !self.is_decided(transaction) {
            self.waiting.insert(transaction);
        }
    }

    fn has_waiting(&self, _slot: u64) -> bool {
        !self.waiting.is_empty()
    }

    fn build(&mut self, round: u32, slot: u64, craft: Craft) -> Result<Option<BuiltBlock>, Failed> {
        let head = self.head();
        let mut transactions: Vec<u64> = self.waiting.iter().copied().take(TRANSACTIONS_MAX).collect();
        match craft {
            Craft::Honest | Craft::ForeignVrf => {}
            Craft::Invalid => transactions = vec![POISON],
            // A number that nobody submitted is as good as another.
            Craft::Twin => transactions = vec![(1 << 40) + head.height * 1_000 + u64::from(round)],
        }
        if transactions.is_empty() || slot <= head.slot {
            return Ok(None);
        }
        let height = head.height + 1;
        let prover = if craft == Craft::ForeignVrf { (self.own + 1) % self.chain.keys.len() } else { self.own };
        let (proof, mix_hash) = vrf_prove(&self.chain.keys[prover], &vrf_alpha(self.parent_mix(), height));
        let parent_certificate = self.blocks.last().map(|last| last.certificate.clone());
        let block = Block {
            parent: head.hash,
            parent_certificate: parent_certificate.as_ref().map_or(B256::ZERO, Certificate::hash),
            height,
            round,
            slot,
            beneficiary: self.chain.addresses[self.own],
            mix_hash,
            transactions,
        };
        let block = block.encode();
        let (block_hash, vrf_proof) = (blake3([&block]), Some(proof));
        Ok(Some(BuiltBlock { height, round, slot, block_hash, vrf_proof, parent_certificate, block }))
    }

    fn judge(&mut self, body: &Body) -> Verdict {
        match Block::decode(&body.block) {
            Some(block) if !self.is_fit(body, &block) => Verdict::Unfit,
            Some(block) if self.is_valid(body, &block) => Verdict::Valid { slot: block.slot },
            Some(_) => Verdict::Invalid,
            None => Verdict::Unfit,
        }
    }

    fn append(&mut self, _height: u64, entry: LogEntry) {
        self.unflushed_log.push(entry.encode());
    }

    fn store_body(&mut self, body: Body) {
        self.unflushed_bodies.insert(body.block_hash, body);
    }

    fn flush(&mut self) -> Result<(), Failed> {
        self.log.append(&mut self.unflushed_log);
        self.bodies.append(&mut self.unflushed_bodies);
        Ok(())
    }

    fn commit(&mut self, decision: &Decision, _slot: u64) -> Result<(), Failed> {
        let body =
            self.body(decision.height, decision.block_hash).ok_or("a block was decided whose body is not here")?;
        let block = Block::decode(&body.block).ok_or("a body was kept that is none")?;
        if !self.is_valid(&body, &block) {
            return Err(format!("an invalid block was decided at height {}", decision.height));
        }
        if !self.certificate_holds(&decision.certificate) {
            return Err(format!("height {} was decided by a certificate that does not hold", decision.height));
        }
        // The parent's certificate that counts is the one that travelled with this block.
        if let (Some(parent), Some(certificate)) = (self.blocks.last_mut(), &body.parent_certificate) {
            parent.certificate = certificate.clone();
        }
        self.waiting.retain(|number| !block.transactions.contains(number));
        self.blocks.push(Decided { body, block, certificate: decision.certificate.clone() });
        (self.log, self.unflushed_log) = (Vec::new(), Vec::new());
        (self.bodies, self.unflushed_bodies) = (BTreeMap::new(), BTreeMap::new());
        Ok(())
    }

    fn crash(&mut self) -> Result<(), Failed> {
        self.unflushed_log.clear();
        self.unflushed_bodies.clear();
        self.waiting.clear();
        Ok(())
    }

    fn restore(&mut self, blocks_ago: u64) -> Result<(), Failed> {
        let kept = self.blocks.len().saturating_sub(blocks_ago as usize);
        self.blocks.truncate(kept);
        self.log.clear();
        self.bodies.clear();
        Ok(())
    }

    fn log(&self) -> Result<Vec<LogEntry>, Failed> {
        self.log.iter().map(|bytes| LogEntry::decode(bytes).map_err(|error| error.to_string())).collect()
    }

    fn body(&self, _height: u64, block_hash: B256) -> Option<Body> {
        let kept = self.bodies.get(&block_hash).or_else(|| self.unflushed_bodies.get(&block_hash));
        let decided = || self.blocks.iter().rev().map(|decided| &decided.body).find(|b| b.block_hash == block_hash);
        kept.or_else(decided).cloned()
    }

    fn block(&self, height: u64) -> Option<(Body, Certificate)> {
        let decided = self.blocks.get(usize::try_from(height.checked_sub(1)?).ok()?)?;
        Some((decided.body.clone(), decided.certificate.clone()))
    }
}
