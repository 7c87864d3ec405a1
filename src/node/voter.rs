//! A node among others without its network, its thread and its clocks: what the simulation runs in their place. Everything
//! that touches the chain and the store is the node's own; what the clock shows comes in as an argument.

use super::{
    datadir::DataDir,
    error::NodeError,
    state::{Node, OpenOptions, with_genesis},
    voting::OpenHeight,
};
use crate::{
    anchoring::AnchorCall,
    chain,
    consensus::{
        bft::{Body, BuiltBlock, Decision, HeightFacts, LogEntry, Verdict},
        poot::MemberList,
    },
    keys::NodeKeys,
    node::care::verify,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes};
use lucid_rpc::PendingTransaction;
use lucid_storage::{Direction, Meta, Options, Reader, Snapshot, Store, TaskProofKey, TaskProofRecord, TaskProofs};
use lucid_types::{Certificate, ChainSpec};
use std::{ops::Bound, sync::Arc};
use tokio::sync::broadcast::Receiver;

/// Something that a node tells others so that it waits with them too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A signed transaction, in its EIP-2718 bytes.
    Transaction(Vec<u8>),
    /// The record of a task proof.
    Proof(Vec<u8>),
}

/// The node of a simulation, open on a disk in memory.
pub struct Voter {
    node: Node,
    open: OpenHeight,
    pooled: Receiver<Arc<PendingTransaction>>,
    proven: Receiver<Vec<u8>>,
}

impl Voter {
    /// Makes the store of a chain with its genesis block on the disk that the options name; gives the genesis hash.
    ///
    /// # Errors
    /// The spec makes no chain, or the disk fails.
    pub fn create(spec: &ChainSpec, options: &Options) -> Result<B256, NodeError> {
        let genesis_hash = chain::genesis_header(spec)?.hash();
        let meta = Meta::new(spec.to_canonical_json(), genesis_hash);
        with_genesis(&Store::create(DataDir::nowhere().store(), &meta, options)?, spec)?;
        Ok(genesis_hash)
    }

    /// Opens the store on the disk that the options name.
    ///
    /// # Errors
    /// As those of a node that starts.
    pub fn open(keys: NodeKeys, options: &Options) -> Result<Self, NodeError> {
        let options = OpenOptions { store: options.clone(), ..OpenOptions::default() };
        let node = Node::open_existing(&DataDir::nowhere(), keys, &options)?;
        let (open, _) = OpenHeight::read(&node)?;
        Ok(Self { open, pooled: node.pooled.subscribe(), proven: node.proven.subscribe(), node })
    }

    /// Height and hash of the last block.
    pub fn head(&self) -> (u64, B256) {
        let head = self.node.head();
        (head.header.number, head.header.hash())
    }

    /// What the machine has to know of the height after it.
    pub fn facts(&self, may_sign: bool) -> HeightFacts {
        self.open.facts(&self.node, may_sign)
    }

    /// The log of that height, as it is on disk.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn log(&self) -> Result<Vec<LogEntry>, NodeError> {
        OpenHeight::read(&self.node).map(|(_, log)| log)
    }

    /// Everything that is on disk.
    pub fn snapshot(&self) -> Snapshot {
        self.node.snapshot()
    }

    /// The members of the chain after the last block, in address order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn members(&self) -> Result<Vec<Address>, NodeError> {
        let members = MemberList::read(&self.snapshot())?;
        Ok(members.iter().map(|(address, _)| *address).collect())
    }

    /// The task proofs that count.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn task_proofs(&self) -> Result<Vec<(TaskProofKey, TaskProofRecord)>, NodeError> {
        let snapshot = self.snapshot();
        let rows = snapshot.range::<TaskProofs>(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes what somebody tells it while its clock shows `slot`; says whether it waits here now.
    pub fn hear(&self, news: &News, slot: u64) -> bool {
        match news {
            News::Transaction(raw) => self.node.submit(raw).is_ok(),
            News::Proof(record) => self.node.submit_proof_in(record, slot).is_ok(),
        }
    }

    /// Sends a transaction of the node's own account, which waits from then on where the pool takes it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn send(&self, to: Address, input: Bytes, gas_limit: u64) -> Result<(), NodeError> {
        let nonce = self.node.next_nonce(self.node.author.address())?;
        for signed in self.node.sign_calls(&[AnchorCall { to, input, gas_limit }], nonce) {
            self.hear(&News::Transaction(signed.raw), 0);
        }
        Ok(())
    }

    /// What has come to wait here since this was asked.
    pub fn take_news(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        while let Ok(pending) = self.pooled.try_recv() {
            news.push(News::Transaction(pending.transaction.encoded_2718()));
        }
        while let Ok(record) = self.proven.try_recv() {
            news.push(News::Proof(record));
        }
        news
    }

    /// Whether a block made while the clock shows `slot` could take anything that waits.
    pub fn has_ready(&self, slot: u64) -> bool {
        self.node.has_ready_in(slot)
    }

    /// Makes a block of what waits, in `round` of the height after the head, while the clock shows `slot`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn build(&self, height: u64, round: u32, slot: u64) -> Result<Option<BuiltBlock>, NodeError> {
        self.node.build_for(height, round, slot)
    }

    /// Judges a body on the head.
    pub fn judge(&self, body: &Body) -> Verdict {
        self.node.judge(body)
    }

    /// Adds to the log. Not on disk yet.
    pub fn append(&mut self, height: u64, entry: LogEntry) {
        self.open.append(height, entry);
    }

    /// Keeps a valid body. Not on disk yet.
    pub fn keep_body(&mut self, body: Body) {
        self.open.keep_body(Box::new(body));
    }

    /// Brings both to disk.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn flush(&mut self) -> Result<(), NodeError> {
        self.open.flush(&self.node)
    }

    /// Makes a decided block final while the clock shows `slot`; gives the block's own slot.
    ///
    /// # Errors
    /// Its body is not here, or it cannot be committed.
    pub fn commit(&mut self, decision: &Decision, slot: u64) -> Result<u64, NodeError> {
        self.open.commit(&self.node, decision, slot, |_, _| Ok(()))
    }

    /// A body of a height, pending or decided.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn body(&self, height: u64, block_hash: B256) -> Result<Option<Body>, NodeError> {
        self.open.body(&self.node, height, block_hash)
    }

    /// A decided block as it travels.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn block(&self, height: u64) -> Result<Option<(Body, Certificate)>, NodeError> {
        self.node.decided_body(height)
    }

    /// Holds every row of the store against the blocks, and says what is wrong.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn verify(&self) -> Result<Vec<String>, NodeError> {
        let report = verify(&self.snapshot(), self.node.store.meta(), &mut |_| Ok(()))?;
        Ok(report.findings.iter().map(|finding| format!("{finding:?}")).collect())
    }
}
