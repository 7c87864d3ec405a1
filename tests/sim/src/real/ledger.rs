//! The ledger of one node: the node itself, on its disk.

use super::{chain::RealChain, crafts, disk::NodeDisk, forgery};
use crate::{
    ledger::{Craft, Failed, Head, Ledger, Motion, News},
    rng::Rng,
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolCall;
use lucid_node::{
    chain::read_head,
    consensus::{
        bft::{Body, BuiltBlock, Decision, HeightFacts, LogEntry, Verdict},
        poot::TaskProof,
    },
    keys::NodeKeys,
    node::Voter,
};
use lucid_storage::TaskValue;
use lucid_types::{
    Certificate,
    contracts::{LUCID_NODES_ADDRESS, LucidNodes, registration_digest},
};
use std::rc::Rc;

/// Gas of a call that registers, votes or leaves, and of a batch of a few task proofs.
const CALL_GAS: u64 = 400_000;
const TRANSFER_GAS: u64 = 21_000;

/// The ballot on a node that has registered once, and those on a member of genesis and on one that was admitted.
const ADMISSION_BALLOT: u32 = 1;
const FOUNDERS_BALLOT: u32 = 1;
const ADMITTED_BALLOT: u32 = 2;

/// Task proofs that are forged in one go.
const FORGED: usize = 5;

/// Bytes that a node claims to have relayed in a slot, for each place that it has: so that they rank.
const RELAYED_BYTES: u64 = 6 << 20;

/// The ledger of a real node.
pub(crate) struct Real {
    chain: Rc<RealChain>,
    own: usize,
    disk: NodeDisk,
    /// Always there, but for the moment in which the store is opened anew.
    voter: Option<Voter>,
}

fn failed(error: impl ToString) -> Failed {
    error.to_string()
}

impl Real {
    /// The node with this number, with nothing but genesis.
    pub(crate) fn new(chain: Rc<RealChain>, own: usize, seed: u64) -> Result<Self, Failed> {
        let mut disk = NodeDisk::like(&chain.disk, seed);
        let voter = Some(disk.open(&chain.keys[own])?);
        Ok(Self { chain, own, disk, voter })
    }

    #[expect(clippy::expect_used, reason = "a store that cannot be opened has ended the run")]
    fn voter(&self) -> &Voter {
        self.voter.as_ref().expect("the store is open")
    }

    #[expect(clippy::expect_used, reason = "a store that cannot be opened has ended the run")]
    fn voter_mut(&mut self) -> &mut Voter {
        self.voter.as_mut().expect("the store is open")
    }

    fn keys(&self) -> &NodeKeys {
        &self.chain.keys[self.own]
    }

    fn address(&self, node: usize) -> Address {
        self.chain.keys[node].account().address()
    }

    fn call(&self, call: impl SolCall) -> Result<(), Failed> {
        self.voter().send(LUCID_NODES_ADDRESS, call.abi_encode().into(), CALL_GAS).map_err(failed)
    }

    fn registration(&self) -> LucidNodes::registerCall {
        let operator = self.address(self.own);
        let digest = registration_digest(self.chain.spec_hash, operator, operator);
        LucidNodes::registerCall {
            operator,
            consensusKey: self.keys().consensus().public_key_uncompressed().into(),
            endpoint: "/ip4/127.0.0.1/tcp/1".to_owned(),
            signature: self.keys().consensus().sign_prehash_recoverable(digest).as_bytes().into(),
        }
    }
}

impl Ledger for Real {
    fn head(&self) -> Head {
        let (height, hash) = self.voter().head();
        Head { height, hash, slot: self.voter().facts(true).parent_slot }
    }

    fn facts(&self, may_sign: bool) -> HeightFacts {
        self.voter().facts(may_sign)
    }

    fn submit(&mut self, transaction: u64) {
        let raw = self.chain.transfer(transaction);
        self.voter().hear(&News::Transaction(raw), 0);
        // Whoever submits it says it to the others too.
        self.voter_mut().take_news();
    }

    fn has_waiting(&self, slot: u64) -> bool {
        self.voter().has_ready(slot)
    }

    fn build(&mut self, round: u32, slot: u64, craft: Craft) -> Result<Option<BuiltBlock>, Failed> {
        if craft == Craft::Twin {
            self.voter().send(self.address(self.own), Bytes::new(), TRANSFER_GAS).map_err(failed)?;
        }
        let height = self.head().height + 1;
        let Some(built) = self.voter().build(height, round, slot).map_err(failed)? else { return Ok(None) };
        Ok(match craft {
            Craft::Honest | Craft::Twin => Some(built),
            Craft::Invalid => crafts::spoil(built, slot),
            Craft::ForeignVrf => {
                let other = &self.chain.keys[(self.own + 1) % self.chain.keys.len()];
                let parent = read_head(&self.voter().snapshot()).map_err(failed)?;
                crafts::with_vrf_of(built, other.consensus(), parent.mix_hash)
            }
        })
    }

    fn judge(&mut self, body: &Body) -> Verdict {
        self.voter().judge(body)
    }

    fn append(&mut self, height: u64, entry: LogEntry) {
        self.voter_mut().append(height, entry);
    }

    fn store_body(&mut self, body: Body) {
        self.voter_mut().keep_body(body);
    }

    fn flush(&mut self) -> Result<(), Failed> {
        self.voter_mut().flush().map_err(failed)
    }

    fn commit(&mut self, decision: &Decision, slot: u64) -> Result<(), Failed> {
        self.voter_mut().commit(decision, slot).map_err(failed)?;
        self.disk.copy();
        Ok(())
    }

    fn crash(&mut self) -> Result<(), Failed> {
        // Whatever the store still writes as it is closed comes too late.
        self.disk.cut();
        self.voter = None;
        self.disk.power_on();
        self.voter = Some(self.disk.open(&self.chain.keys[self.own])?);
        Ok(())
    }

    fn restore(&mut self, blocks_ago: u64) -> Result<(), Failed> {
        self.voter = None;
        self.disk.go_back(blocks_ago);
        self.voter = Some(self.disk.open(&self.chain.keys[self.own])?);
        Ok(())
    }

    fn log(&self) -> Result<Vec<LogEntry>, Failed> {
        self.voter().log().map_err(failed)
    }

    fn body(&self, height: u64, block_hash: B256) -> Option<Body> {
        self.voter().body(height, block_hash).ok()?
    }

    fn block(&self, height: u64) -> Option<(Body, Certificate)> {
        self.voter().block(height).ok()?
    }

    fn cut_power_in(&mut self, operations: Option<u64>) {
        self.disk.cut_in(operations);
    }

    fn has_lost_power(&self) -> bool {
        self.disk.is_off()
    }

    fn members(&self) -> Vec<Address> {
        self.voter().members().unwrap_or_default()
    }

    fn propose(&mut self, motion: Motion) -> Result<(), Failed> {
        match motion {
            Motion::Register => self.call(self.registration()),
            Motion::Leave => self.call(LucidNodes::leaveRegistryCall {}),
            Motion::Admit(node) => {
                self.call(LucidNodes::voteToAdmitCall { node: self.address(node), ballot: ADMISSION_BALLOT })
            }
            Motion::Remove(node) => {
                let node = self.address(node);
                let is_founder = self.chain.spec.validators.iter().any(|founder| founder.node == node);
                let ballot = if is_founder { FOUNDERS_BALLOT } else { ADMITTED_BALLOT };
                self.call(LucidNodes::voteToRemoveCall { node, ballot })
            }
        }
    }

    fn work(&mut self, rng: &mut Rng, slot: u64) {
        let params = &self.chain.spec.parameters;
        let span_secs = params.proof_span_slots() * params.slot_duration_secs;
        let value = match rng.between(0, 2) {
            0 => {
                let bytes_transferred = RELAYED_BYTES * (1 + self.own as u64);
                TaskValue::Relay { bytes_transferred, sessions_relayed: 1 }
            }
            _ => TaskValue::Uptime { uptime_seconds: span_secs },
        };
        let proof = TaskProof::sign(self.keys().consensus(), self.chain.genesis_hash, slot, value, slot);
        let record = proof.encode().to_vec();
        self.chain.proofs.borrow_mut().insert(record.clone());
        // One that breaks a rule, as that of a node that is no member, is refused.
        self.voter().hear(&News::Proof(record), slot);
    }

    fn forge(&mut self, rng: &mut Rng, slot: u64) -> Result<(), Failed> {
        let mut proofs = Vec::new();
        for _ in 0..FORGED {
            proofs.extend(forgery::forged(rng, &self.chain, self.keys().consensus(), slot));
        }
        self.call(LucidNodes::submitTaskProofsCall { proofs: proofs.into() })
    }

    fn take_news(&mut self) -> Vec<News> {
        self.voter_mut().take_news()
    }

    fn hear(&mut self, news: &News, slot: u64) -> bool {
        let is_new = self.voter().hear(news, slot);
        self.voter_mut().take_news();
        is_new
    }

    fn audit(&self, whole: bool) -> Result<usize, String> {
        let (rows, proofs) = (self.voter().task_proofs().map_err(failed)?, self.chain.proofs.borrow());
        for (key, row) in &rows {
            let proof = TaskProof { slot: key.slot, value: row.value, ts: row.ts, signature: row.sig };
            if !proofs.contains(proof.encode().as_slice()) {
                return Err(format!("node {}: a forged task proof counts: {key:?} {row:?}", self.own));
            }
        }
        let findings = if whole { self.voter().verify().map_err(failed)? } else { Vec::new() };
        match &findings[..] {
            [] => Ok(rows.len()),
            [first, ..] => Err(format!("node {}: {} rows are wrong: {first}", self.own, findings.len())),
        }
    }
}
