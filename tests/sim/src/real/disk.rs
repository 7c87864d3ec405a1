//! The disk of a node, and copies of it as it was after the last few blocks.

use super::chain::options;
use lucid_node::{keys::NodeKeys, node::Voter};
use lucid_storage::testing::PowerCut;
use std::collections::VecDeque;

/// Copies that are kept: of the last block, and of as many before it as a restored store lies back at most.
const COPIES: usize = 4;

pub(super) struct NodeDisk {
    disk: PowerCut,
    copies: VecDeque<PowerCut>,
    /// Where chance for the next opening and copy comes from.
    seed: u64,
}

impl NodeDisk {
    /// One with the contents of another.
    pub(super) fn like(disk: &PowerCut, seed: u64) -> Self {
        let disk = disk.copy(seed);
        Self { copies: VecDeque::from([disk.copy(seed)]), disk, seed }
    }

    pub(super) fn open(&mut self, keys: &NodeKeys) -> Result<Voter, String> {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let options = options(&self.disk, self.seed >> 63 == 0);
        Voter::open(keys.clone(), &options).map_err(|error| error.to_string())
    }

    /// A block was committed.
    pub(super) fn copy(&mut self) {
        self.copies.push_back(self.disk.copy(self.seed));
        if self.copies.len() > COPIES {
            self.copies.pop_front();
        }
    }

    /// Cuts the power under whoever has it open.
    pub(super) fn cut(&self) {
        self.disk.cut_after(0);
    }

    pub(super) fn cut_in(&self, operations: Option<u64>) {
        self.disk.cut_after(operations.unwrap_or(u64::MAX));
    }

    pub(super) fn is_off(&self) -> bool {
        self.disk.is_off()
    }

    /// Power comes back.
    pub(super) fn power_on(&self) {
        self.disk.restore();
    }

    /// The copy of so many blocks ago takes the place of what is there, and those after it never were.
    pub(super) fn go_back(&mut self, blocks: u64) {
        let keep = self.copies.len().saturating_sub(blocks as usize).max(1);
        self.copies.truncate(keep);
        if let Some(copy) = self.copies.back() {
            self.disk = copy.copy(self.seed);
            // As if the program that wrote it had not ended in order.
            self.disk.restore();
        }
    }
}
