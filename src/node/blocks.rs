//! Making blocks and committing them.

use super::{
    clock::{since_epoch, unix_now},
    error::NodeError,
    state::{Head, Node},
    turn::{Decided, Turn},
};
use crate::{
    chain::{self, Imported, RecoveredBlock},
    consensus::Proposal,
    evm::Transaction,
    state::{self, HISTORY_BYTES, LatestState},
};
use alloy_consensus::{Header, Sealable, transaction::TxHashRef};
use alloy_primitives::B256;
use lucid_storage::{Batch, prune_expired};
use lucid_types::{Certificate, ChainEvent, CommittedBlock, Rules, VrfProof};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tracing::{debug, info};

/// Candidates that are looked at beyond a full block, for those that turn out not to fit.
pub(super) const SPARE_CANDIDATES: usize = 100;

/// Undo rows that are removed with each new block at most: more than a full block writes, so that the log shrinks to its
/// length again after blocks that wrote more, and in small steps.
const UNDO_ROWS_PRUNED: usize = 500;

impl Node {
    /// Makes and commits one block of what waits; `None` where nothing can be taken.
    pub(super) fn make_block(&self) -> Result<Option<Arc<CommittedBlock>>, NodeError> {
        let head = self.head();
        let Some(timestamp) = self.next_timestamp(&head) else { return Ok(None) };
        self.send_proofs(self.slot_now())?;
        let most = usize::try_from(self.spec.parameters.block_transactions_max).unwrap_or(usize::MAX);
        let candidates = self.pool().best(head.next_base_fee(), most.saturating_add(SPARE_CANDIDATES));
        if candidates.is_empty() {
            return Ok(None);
        }
        let started = Instant::now();
        let turn = self.turn(timestamp)?;
        let (block, proof) = self.build_block(&head, &turn, 0, candidates)?;
        if block.transactions.is_empty() {
            return Ok(None);
        }
        let event = self.commit_block(&head, &turn, &block, proof)?;
        log_block(&event, started.elapsed());
        Ok(Some(event))
    }

    /// The time of a block made now, in Unix seconds; `None` where the clock's slot has its block already.
    fn next_timestamp(&self, head: &Head) -> Option<u64> {
        if self.spec.rules == Rules::Dev {
            return Some(unix_now().max(head.header.timestamp + 1));
        }
        let slots = self.spec.slots();
        let next = slots.slot_at(head.header.timestamp)? + 1;
        match slots.slot_at(unix_now()) {
            Some(slot) if slot >= next => slots.start_of(slot),
            // Behind the head, and accepted so: the chain goes on slot by slot.
            _ if self.accepts_clock() => slots.start_of(next),
            _ => None,
        }
    }

    fn accepts_clock(&self) -> bool {
        self.guards.clock.is_some_and(|policy| policy.accept)
    }

    /// How long it is until the slot after the head's begins. By a clock that is behind the head and was accepted so, it
    /// is one slot from `asked` on.
    fn until_next_slot(&self, asked: Instant) -> Duration {
        let slots = self.spec.slots();
        let head_slot = slots.slot_at(self.head().header.timestamp).unwrap_or_default();
        let start = Duration::from_secs(slots.start_of(head_slot + 1).unwrap_or(u64::MAX));
        let wait = start.saturating_sub(since_epoch());
        let slot = Duration::from_secs(slots.duration_secs);
        if wait > slot && self.accepts_clock() { slot.saturating_sub(asked.elapsed()) } else { wait }
    }

    /// This node's turn to make the block after the head, where it makes blocks final alone.
    fn turn(&self, timestamp: u64) -> Result<Turn, NodeError> {
        let turn = Turn::read(&self.store.snapshot()?, &self.spec, self.author.address(), timestamp)?;
        if self.author.is_alone(&turn.schedule) { Ok(turn) } else { Err(self.not_alone()?) }
    }

    /// Builds the next block, made in `round`, and forgets the transactions that no block can take.
    pub(super) fn build_block(
        &self,
        head: &Head,
        turn: &Turn,
        round: u32,
        candidates: Vec<Transaction>,
    ) -> Result<(RecoveredBlock, Option<VrfProof>), NodeError> {
        let (attributes, proof) = self.author.attributes(&Proposal {
            parent: &head.header,
            parent_certificate: head.certificate.as_ref(),
            next_set: &turn.next_set,
            timestamp: turn.timestamp,
            round,
        });
        let mut scratch = self.store.begin()?;
        let built = chain::build(&mut scratch, &self.spec, &head.header, &attributes, &turn.minting, candidates)?;
        let mut pool = self.pool();
        for rejected in &built.rejected {
            debug!(transaction = %rejected.hash, reason = rejected.reason, "transaction dropped");
            pool.remove(&rejected.hash);
        }
        Ok((built.block, proof))
    }

    /// Makes a block of this node final, which is alone.
    fn commit_block(
        &self,
        head: &Head,
        turn: &Turn,
        block: &RecoveredBlock,
        proof: Option<VrfProof>,
    ) -> Result<Arc<CommittedBlock>, NodeError> {
        let seal = self.author.seal_alone(&block.header.clone().seal_slow(), proof);
        let parent_certificate = head.certificate.as_ref();
        let decided = Decided { block, seal: &seal, parent_certificate, is_verified: false };
        // After the store and before anybody is told: only a store that lost blocks is behind the file.
        let signed = || Ok(self.record_signed(block.header.number)?);
        self.commit_final(head, turn, decided, self.slot_now(), |_| Ok(()), signed)
    }

    /// Makes a block part of the chain: judged by the chain room, its seal judged by consensus, and committed with its state,
    /// indexes, sessions and seal in one batch, while the clock shows `slot`. `beside` adds to the batch; `committed` is done
    /// once it is on disk, before anybody is told.
    pub(super) fn commit_final(
        &self,
        head: &Head,
        turn: &Turn,
        decided: Decided<'_>,
        slot: u64,
        beside: impl FnOnce(&mut Batch) -> Result<(), NodeError>,
        committed: impl FnOnce() -> Result<(), NodeError>,
    ) -> Result<Arc<CommittedBlock>, NodeError> {
        let hashes = decided.block.transactions.iter().map(TxHashRef::tx_hash);
        let write = |batch: &mut Batch| {
            let imported = self.write_final(batch, head, turn, decided)?;
            beside(batch)?;
            Ok(vec![imported])
        };
        let mut events = self.commit_all(hashes, &decided.seal.certificate, slot, write, committed)?;
        // What was written is what comes back.
        events.pop().ok_or(NodeError::Chain(chain::ChainError::NoChain))
    }

    /// The one function that commits blocks: what `write` writes of them, in order, with what the pool saved of the
    /// transactions in them. Then the node goes on from the last of them, which `certificate` makes final, while the clock shows
    /// `slot`.
    pub(super) fn commit_all<'a>(
        &self,
        transactions: impl Iterator<Item = &'a B256>,
        certificate: &Certificate,
        slot: u64,
        write: impl FnOnce(&mut Batch) -> Result<Vec<Imported>, NodeError>,
        committed: impl FnOnce() -> Result<(), NodeError>,
    ) -> Result<Vec<Arc<CommittedBlock>>, NodeError> {
        let mut saved = self.saved_pool();
        let used = saved.used(transactions);
        let change = |batch: &mut Batch| {
            used.write(batch);
            write(batch)
        };
        let imported = self.write_then(change, |_| committed())?;
        saved.committed(used);
        drop(saved);
        if let Some(last) = imported.last() {
            self.set_head(Head { header: last.header.clone(), certificate: Some(certificate.clone()) });
        }
        self.pool().update(&LatestState::new(&self.snapshot()))?;
        self.settle_proofs(slot)?;
        let told = imported.into_iter().map(|imported| {
            let event = Arc::new(imported.event);
            // Nobody may be listening, and that is no error.
            let _ = self.events.send(ChainEvent::BlockCommitted(Arc::clone(&event)));
            event
        });
        Ok(told.collect())
    }
}

impl Node {
    /// Removes a few rows that have had their time once the block with this header is the last one. It comes after all else
    /// of the block, which may still read them.
    pub(super) fn prune(&self, batch: &mut Batch, header: &Header) -> Result<(), NodeError> {
        let oldest_kept = (header.number + 1).saturating_sub(self.history_blocks);
        state::prune_undo(batch, oldest_kept, HISTORY_BYTES, UNDO_ROWS_PRUNED)?;
        let slot = self.spec.slots().slot_at(header.timestamp).unwrap_or_default();
        prune_expired(batch, self.spec.parameters.first_task_proof_slot(slot))?;
        Ok(())
    }
}

/// One line per block.
pub(super) fn log_block(event: &CommittedBlock, took: Duration) {
    let header = &event.header;
    info!(
        height = header.number,
        hash = %event.hash,
        transactions = event.transactions.len(),
        gas_used = header.gas_used,
        took_ms = took.as_millis() as u64,
        "block"
    );
}

/// When blocks are made by a node that is alone, where something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// At once.
    Instant,
    /// At this interval.
    Every(Duration),
    /// Once in a slot of the chain, some time after the first transaction that waits.
    Slots,
}

/// How long the leader of a slot waits after the first transaction, so that those sent with it come into one block.
const PROPOSE_DELAY: Duration = Duration::from_secs(2);

/// How often the wall clock is looked at while a slot is waited for: it may be set meanwhile.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// How often a node that may not seal looks whether it may, while something waits.
const STOPPED_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How often a node looks whether it may seal, while nothing waits.
const CONDITION_CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// How long is waited where something waits that came into no block, so that it is not tried without end.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Makes blocks until it is told to stop. A failure ends the node: what cannot be written must not be answered.
pub(super) async fn make_blocks(
    node: Arc<Node>,
    sealing: Sealing,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let mut ticks = match sealing {
        Sealing::Every(period) => {
            // The first block comes after a period too: what waited over a restart goes on waiting.
            let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            Some(ticks)
        }
        Sealing::Instant | Sealing::Slots => None,
    };
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = block_due(&node, sealing, &mut ticks, pause) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        let maker = Arc::clone(&node);
        let made = tokio::task::spawn_blocking(move || maker.make_block()).await;
        let made = match made.map_err(|error| NodeError::Task(error.to_string()))? {
            // It filled up just now, and the next look says so.
            Err(error) if error.is_disk_full() => None,
            made => made?,
        };
        pause = if made.is_none() && ticks.is_none() { RETRY_PAUSE } else { Duration::ZERO };
    }
}

/// Waits until a block is due that this node may seal.
async fn block_due(node: &Node, sealing: Sealing, ticks: &mut Option<tokio::time::Interval>, pause: Duration) {
    tokio::time::sleep(pause).await;
    loop {
        match ticks {
            Some(ticks) => {
                ticks.tick().await;
            }
            None => something_waits(node, sealing).await,
        }
        if sealing == Sealing::Slots {
            slot_begins(node).await;
        }
        if !node.has_ready() {
            continue;
        }
        if node.note_condition() {
            return;
        }
        tokio::time::sleep(STOPPED_CHECK_INTERVAL).await;
    }
}

/// Waits until there is something for a block, and in slots a while longer where it has just come.
async fn something_waits(node: &Node, sealing: Sealing) {
    while !node.has_ready() {
        // A notice that came before is kept, so none is missed.
        node.pool_changed.notified().await;
        if sealing == Sealing::Slots && node.has_ready() {
            debug!("a transaction waits");
            tokio::time::sleep(PROPOSE_DELAY).await;
            return;
        }
    }
}

/// Waits until a slot after the head's begins.
async fn slot_begins(node: &Node) {
    let asked = Instant::now();
    loop {
        let wait = node.until_next_slot(asked);
        if wait.is_zero() {
            return;
        }
        debug!(wait_ms = wait.as_millis() as u64, "waiting for the next slot");
        tokio::time::sleep(wait.min(CLOCK_CHECK_INTERVAL)).await;
    }
}

/// Keeps an eye on what keeps the node from sealing, until it is told to stop.
pub(super) async fn watch_conditions(node: Arc<Node>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    let mut ticks = tokio::time::interval(CONDITION_CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                node.note_condition();
                node.note_store_bound();
                if node.proofs_due(node.slot_now()) {
                    node.pool_changed.notify_one();
                }
            }
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{DataDir, anchorings::tests::request, care, dev_chain_spec, state::OpenOptions},
        *,
    };
    use crate::{
        chain,
        config::Config,
        keys::NodeKeys,
        state::{HISTORY_BLOCKS, HistoricalState, StateError},
        testing::{Tx, account, key},
    };
    use alloy_eips::eip2718::Encodable2718;
    use alloy_primitives::{Address, B512};
    use lucid_storage::{
        Direction, MAX_PRUNED_ROWS, Options, Reader, StoreError, TableId, TaskProofKey, TaskProofRecord, TaskProofType,
        TaskProofs, TaskValue,
    };

    fn keys() -> NodeKeys {
        NodeKeys::new(key(1), key(101)).unwrap()
    }

    fn new_node(folder: &DataDir) -> Node {
        // Long ago, so that slots have numbers from which something can be taken.
        Node::open(folder, keys(), &Options::default(), |keys| Ok(dev_chain_spec(keys, 1_700_000_000).unwrap()))
            .unwrap()
    }

    fn make_block(node: &Node) {
        let nonce = node.next_nonce(account(1)).unwrap();
        node.submit(&Tx { nonce, ..Tx::default() }.sign(1).encoded_2718()).unwrap();
        node.make_block().unwrap().expect("a transaction waits");
    }

    fn rows(node: &Node, table: TableId) -> Vec<Vec<u8>> {
        let snapshot = node.snapshot();
        snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(|row| row.unwrap().0).collect()
    }

    fn is_clean(node: &Node) {
        let report = care::verify(&node.snapshot(), node.store.meta(), &mut |_| Ok(())).unwrap();
        assert!(report.clean, "{:?}", report.findings);
    }

    #[test]
    fn a_shorter_history_is_kept_from_the_next_block_on() {
        let folder = DataDir::temporary().unwrap();
        let node = new_node(&folder);
        assert_eq!(node.history_blocks, HISTORY_BLOCKS);
        assert_eq!(Config::default().history_blocks(), HISTORY_BLOCKS);
        (0..20).for_each(|_| make_block(&node));
        let undo_rows = rows(&node, TableId::UndoLog).len();
        drop(node);
        let options = OpenOptions { history_blocks: 5, ..OpenOptions::default() };
        let node = Node::open_existing(&folder, keys(), &options).unwrap();
        assert!(HistoricalState::new(&node.snapshot(), 3, 20).is_ok(), "nothing goes before there is a block");
        make_block(&node);
        let snapshot = node.snapshot();
        assert!(HistoricalState::new(&snapshot, 16, 21).is_ok());
        let gone = HistoricalState::new(&snapshot, 15, 21).map(drop).unwrap_err();
        assert!(matches!(gone, StateError::HistoryPruned { height: 15, oldest: 16 }), "{gone}");
        let heights: Vec<u64> = rows(&node, TableId::UndoLog)[1..]
            .iter()
            .map(|key| u64::from_be_bytes(key[..8].try_into().unwrap()))
            .collect();
        assert!(heights.len() < undo_rows && heights.iter().all(|height| (17..=21).contains(height)), "{heights:?}");
        is_clean(&node);
    }

    #[test]
    fn what_a_block_and_a_session_write_is_counted_apart() {
        let folder = DataDir::temporary().unwrap();
        let node = new_node(&folder);
        make_block(&node);
        let first = node.writes_for();
        assert_eq!((first.blocks, first.blocks.commits, first.sessions.commits), (first.last_block, 1, 0));
        node.accept_anchoring(request(7, 20)).unwrap();
        let handed_in = node.writes_for();
        assert_eq!((handed_in.blocks, handed_in.sessions.commits), (first.blocks, 1));
        node.make_block().unwrap().expect("the session's transactions wait");
        node.advance_anchorings().unwrap();
        let done = node.writes_for();
        assert_eq!((done.blocks.commits, done.sessions_anchored), (2, 1));
        assert_eq!(done.blocks.bytes_written, first.blocks.bytes_written + done.last_block.bytes_written);
        assert!(done.sessions.bytes_written > handed_in.sessions.bytes_written && done.sessions.syncs >= 2, "{done:?}");
    }

    /// More than any block brings, so they are put there by hand: two steps of old ones, and one that counts.
    #[test]
    fn task_proofs_go_with_blocks_once_no_tally_reads_them() {
        let folder = DataDir::temporary().unwrap();
        let node = new_node(&folder);
        let slot = node.spec.slots().slot_at(unix_now()).unwrap();
        let first = node.spec.parameters.first_task_proof_slot(slot);
        let proof = TaskProofRecord {
            pool_id: None,
            value: TaskValue::Relay { bytes_transferred: 1, sessions_relayed: 1 },
            sig: B512::ZERO,
            ts: 0,
        };
        let key = |slot: u64| TaskProofKey { slot, node_id: Address::ZERO, kind: TaskProofType::RelayBandwidth };
        let old = MAX_PRUNED_ROWS as u64 + 10;
        let slots = (0..old).chain([first - 1, slot]);
        node.write(|batch| -> Result<(), StoreError> {
            for slot in slots {
                batch.append::<TaskProofs>(&key(slot), &proof)?;
            }
            Ok(())
        })
        .unwrap();
        let syncs = |node: &Node| node.store.stats().unwrap().syncs;
        let (before, mut kept) = (syncs(&node), Vec::new());
        for _ in 0..3 {
            make_block(&node);
            kept.push(rows(&node, TableId::TaskProofs).len());
        }
        assert_eq!(kept, [12, 1, 1]);
        assert_eq!(syncs(&node) - before, 3, "a step costs no sync of its own");
        assert_eq!(rows(&node, TableId::TaskProofsByNode).len(), 1);
        assert!(chain::read_head(&node.snapshot()).unwrap().number == 3);
        let report = care::verify(&node.snapshot(), node.store.meta(), &mut |_| Ok(())).unwrap();
        let found: Vec<_> = report.findings.iter().map(|finding| finding.table.as_str()).collect();
        assert_eq!(found, ["task_proofs"], "no block brought the one that is left");
    }
}
