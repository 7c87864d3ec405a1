//! Making blocks and committing them.

use super::{
    clock::unix_now,
    error::NodeError,
    state::{Head, Node},
};
use crate::{
    anchoring,
    chain::{self, Imported, RecoveredBlock},
    evm::Transaction,
    state::{self, HISTORY_BLOCKS, HISTORY_BYTES, LatestState},
};
use lucid_storage::{Batch, Seals};
use lucid_types::{ChainEvent, CommittedBlock, Seal, VrfProof};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tracing::{debug, info};

/// Candidates that are looked at beyond a full block, for those that turn out not to fit.
const SPARE_CANDIDATES: usize = 100;

/// Undo rows that are removed with each new block at most: more than a full block writes, so that the log shrinks to its
/// length again after blocks that wrote more, and in small steps.
const UNDO_ROWS_PRUNED: usize = 500;

impl Node {
    /// Makes and commits one block of what waits; `None` where nothing can be taken.
    pub(super) fn make_block(&self) -> Result<Option<Arc<CommittedBlock>>, NodeError> {
        let head = self.head();
        let most = usize::try_from(self.spec.parameters.block_transactions_max).unwrap_or(usize::MAX);
        let candidates = self.pool().best(head.next_base_fee(), most.saturating_add(SPARE_CANDIDATES));
        if candidates.is_empty() {
            return Ok(None);
        }
        let started = Instant::now();
        let (block, proof) = self.build_block(&head, candidates)?;
        if block.transactions.is_empty() {
            return Ok(None);
        }
        let event = self.commit_block(&head, &block, proof)?;
        log_block(&event, started.elapsed());
        Ok(Some(event))
    }

    /// Builds the next block, and forgets the transactions that no block can take.
    fn build_block(
        &self,
        head: &Head,
        candidates: Vec<Transaction>,
    ) -> Result<(RecoveredBlock, Option<VrfProof>), NodeError> {
        let timestamp = unix_now().max(head.header.timestamp + 1);
        let (attributes, proof) = self.solo.attributes(&head.header, head.certificate.as_ref(), timestamp);
        let mut scratch = self.store.begin()?;
        let built = chain::build(&mut scratch, &self.spec, &head.header, &attributes, candidates)?;
        let mut pool = self.pool();
        for rejected in &built.rejected {
            debug!(transaction = %rejected.hash, reason = rejected.reason, "transaction dropped");
            pool.remove(&rejected.hash);
        }
        Ok((built.block, proof))
    }

    /// The one function that makes a block part of the chain: judged by the chain room, sealed and judged by consensus,
    /// and committed with its state, indexes, sessions and seal in one batch.
    fn commit_block(
        &self,
        head: &Head,
        block: &RecoveredBlock,
        proof: Option<VrfProof>,
    ) -> Result<Arc<CommittedBlock>, NodeError> {
        let (imported, seal) = self.write(|batch| self.write_block(batch, head, block, proof))?;
        self.set_head(Head { header: imported.header, certificate: Some(seal.certificate) });
        let snapshot = self.store.snapshot()?;
        self.pool().update(&LatestState::new(&snapshot))?;
        let event = Arc::new(imported.event);
        // Nobody may be listening, and that is no error.
        let _ = self.events.send(ChainEvent::BlockCommitted(Arc::clone(&event)));
        Ok(event)
    }

    fn write_block(
        &self,
        batch: &mut Batch,
        head: &Head,
        block: &RecoveredBlock,
        proof: Option<VrfProof>,
    ) -> Result<(Imported, Seal), NodeError> {
        let imported = chain::import(batch, &self.spec, &head.header, block)?;
        anchoring::write_events(batch, &imported.event)?;
        let seal = self.solo.seal(&imported.header, proof);
        self.solo.chain().verify(&head.header, head.certificate.as_ref(), &imported.header, &seal)?;
        batch.append::<Seals>(&imported.header.number, &seal)?;
        let oldest_kept = (imported.header.number + 1).saturating_sub(HISTORY_BLOCKS);
        state::prune_undo(batch, oldest_kept, HISTORY_BYTES, UNDO_ROWS_PRUNED)?;
        Ok((imported, seal))
    }
}

/// One line per block.
fn log_block(event: &CommittedBlock, took: Duration) {
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

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// As soon as something waits.
    Instant,
    /// At this interval, where something waits.
    Every(Duration),
}

/// Makes blocks until it is told to stop. A failure ends the node: what cannot be written must not be answered.
pub(super) async fn make_blocks(
    node: Arc<Node>,
    sealing: Sealing,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let period = match sealing {
        Sealing::Instant => None,
        Sealing::Every(period) => Some(period),
    };
    let mut ticks = period.map(|period| {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks
    });
    loop {
        let due = async {
            match &mut ticks {
                Some(ticks) => {
                    ticks.tick().await;
                }
                None => node.pool_changed.notified().await,
            }
        };
        tokio::select! {
            () = due => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        // With instant sealing go on until nothing is left: one notice may stand for many transactions.
        loop {
            let maker = Arc::clone(&node);
            let made = tokio::task::spawn_blocking(move || maker.make_block()).await;
            let made = made.map_err(|error| NodeError::Task(error.to_string()))??;
            if made.is_none() || sealing != Sealing::Instant || *stop.borrow() {
                break;
            }
        }
    }
}
