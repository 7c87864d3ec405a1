//! Running blocks that are final already, many in one write: what is dear on a card is the write and not the block.

use super::bodies::CertifiedBlock;
use crate::{
    chain::Imported,
    node::{
        error::NodeError,
        state::{Head, Node},
        turn::{Decided, Turn},
        voting::settle_height,
    },
};
use alloy_consensus::transaction::TxHashRef;
use lucid_storage::Batch;

/// Blocks in one write at most.
const MAX_BLOCKS: usize = 64;

/// Bytes of blocks in one write, and the gas that running them took, from which no more are taken. A write holds what it
/// changes in memory; two full blocks of the production chain are as much as one write has held before.
const MAX_BYTES: u64 = 512 << 10;
const MAX_GAS: u64 = 60_000_000;

/// How many of these blocks go into the next write; one at least.
pub(in crate::node) fn one_write(blocks: &[CertifiedBlock]) -> usize {
    let (mut bytes, mut gas) = (0, 0);
    let fits = |block: &&CertifiedBlock| {
        let fits = bytes < MAX_BYTES && gas < MAX_GAS;
        bytes += block.block.size_bytes();
        gas += block.block.header.gas_used;
        fits
    };
    blocks.iter().take(MAX_BLOCKS).take_while(fits).count()
}

impl Node {
    /// Runs and commits blocks in a row, the first of them the one after the head, all at once or none, while the clock shows
    /// `slot_now`. Their seals were verified against the sets that the headers before name; here they are held against the
    /// sets that follow from the state.
    ///
    /// # Errors
    /// The disk is full; or what the validators made final is not valid here, and the node has to end.
    pub(in crate::node) fn commit_certified(&self, blocks: &[CertifiedBlock], slot_now: u64) -> Result<(), NodeError> {
        let Some(last) = blocks.last() else { return Ok(()) };
        let mut head = (*self.head()).clone();
        let hashes = blocks.iter().flat_map(|block| &block.block.transactions).map(TxHashRef::tx_hash);
        let write = |batch: &mut Batch| -> Result<Vec<Imported>, NodeError> {
            let mut written = Vec::with_capacity(blocks.len());
            for CertifiedBlock { block, seal, parent_certificate } in blocks {
                let turn = Turn::read(batch, &self.spec, block.header.beneficiary, block.header.timestamp)?;
                let parent_certificate = parent_certificate.as_ref();
                let decided = Decided { block, seal, parent_certificate, is_verified: true };
                let imported = self.write_final(batch, &head, &turn, decided)?;
                head = Head { header: imported.header.clone(), certificate: Some(seal.certificate.clone()) };
                written.push(imported);
            }
            settle_height(batch, last.height(), &[])?;
            Ok(written)
        };
        self.commit_all(hashes, &last.seal.certificate, slot_now, write, || Ok(())).map(drop)
    }
}
