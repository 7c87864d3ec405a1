//! The height after the head as a node has it: who votes and leads, its log, and the valid bodies that belong to it. What
//! is appended and kept is on disk with the next flush, and all of it goes in the batch of the block that is decided.

use super::{
    super::{error::NodeError, state::Node},
    log::{Written, read_bodies, read_body, read_log},
};
use crate::consensus::{
    bft::{Body, Decision, HeightFacts, LogEntry, Timeouts},
    poot::{self, Schedule},
};
use alloy_primitives::B256;
use lucid_storage::Batch;
use lucid_types::ValidatorSet;
use std::collections::BTreeMap;

/// The height that is decided next.
#[derive(Debug)]
pub(in crate::node) struct OpenHeight {
    schedule: Schedule,
    /// What is to be written with the next flush.
    unflushed: Vec<Written>,
    /// Place of the next entry in the log.
    place: u64,
    /// Valid bodies.
    bodies: BTreeMap<B256, Body>,
}

impl OpenHeight {
    /// The height after the head as it lies in the store, and the log that an earlier run left of it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(in crate::node) fn read(node: &Node) -> Result<(Self, Vec<LogEntry>), NodeError> {
        let snapshot = node.snapshot();
        let schedule = poot::next_schedule(&snapshot, &node.spec)?;
        let log = read_log(&snapshot, schedule.height)?;
        let bodies = read_bodies(&snapshot, schedule.height)?.into_iter().map(|body| (body.block_hash, body)).collect();
        Ok((Self { schedule, unflushed: Vec::new(), place: log.len() as u64, bodies }, log))
    }

    /// Who votes and who leads.
    pub(in crate::node) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What the machine has to know of it.
    pub(in crate::node) fn facts(&self, node: &Node, may_sign: bool) -> HeightFacts {
        let Schedule { height, parent_slot, set, order } = &self.schedule;
        let params = &node.spec.parameters;
        HeightFacts {
            height: *height,
            parent_slot: *parent_slot,
            set: set.clone(),
            order: order.places().iter().map(|place| place.leader).collect(),
            timeouts: Timeouts::of(params),
            block_bytes_max: usize::try_from(params.block_bytes_max).unwrap_or(usize::MAX),
            may_sign,
        }
    }

    /// Adds to the log of a height. Not on disk yet.
    pub(in crate::node) fn append(&mut self, height: u64, entry: LogEntry) {
        self.unflushed.push(Written::Entry(height, entry));
    }

    /// Keeps a valid body. Not on disk yet.
    pub(in crate::node) fn keep_body(&mut self, body: Box<Body>) {
        self.bodies.insert(body.block_hash, (*body).clone());
        self.unflushed.push(Written::Body(body));
    }

    /// Brings both to disk.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(in crate::node) fn flush(&mut self, node: &Node) -> Result<(), NodeError> {
        self.place = node.write_log(&self.unflushed, self.place)?;
        self.unflushed.clear();
        Ok(())
    }

    /// A body of a height: one of those kept here, or that of a decided block.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(in crate::node) fn body(&self, node: &Node, height: u64, block_hash: B256) -> Result<Option<Body>, NodeError> {
        match self.bodies.get(&block_hash) {
            Some(body) => Ok(Some(body.clone())),
            None if height < self.schedule.height => {
                let decided = node.decided_body(height)?.map(|(body, _)| body);
                Ok(decided.filter(|body| body.block_hash == block_hash))
            }
            None => read_body(&node.snapshot(), height, block_hash),
        }
    }

    /// Makes a decided block final while the clock shows `slot_now`, and takes up the height after it. `beside` adds to the
    /// batch, and is told who voted. Gives the slot of the block.
    ///
    /// # Errors
    /// Its body is not here, or it cannot be committed.
    pub(in crate::node) fn commit(
        &mut self,
        node: &Node,
        decision: &Decision,
        slot_now: u64,
        beside: impl FnOnce(&mut Batch, &ValidatorSet) -> Result<(), NodeError>,
    ) -> Result<u64, NodeError> {
        let body = self.bodies.get(&decision.block_hash).ok_or(NodeError::DecidedBody(decision.height))?;
        let set = &self.schedule.set;
        let slot = node.commit_decided(decision, body, slot_now, |batch| beside(batch, set))?;
        let schedule = poot::next_schedule(&node.snapshot(), &node.spec)?;
        *self = Self { schedule, unflushed: Vec::new(), place: 0, bodies: BTreeMap::new() };
        Ok(slot)
    }
}
