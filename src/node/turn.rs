//! The block after the head, before it has anything in it: who votes on it and leads, what it may mint. And what all its rows
//! are, once it is final.

use super::{
    error::NodeError,
    state::{Head, Node},
};
use crate::{
    anchoring,
    chain::{self, Imported, RecoveredBlock},
    consensus::{
        SealTerms,
        poot::{self, FinalBlock, Minting, PootError, Schedule},
    },
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256};
use lucid_storage::{Batch, Reader, Seals};
use lucid_types::{Certificate, ChainSpec, Seal, ValidatorSet};

/// What is fixed about a block of one leader in one slot.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// Start of the slot, in Unix seconds.
    pub(super) timestamp: u64,
    /// Who votes and leads.
    pub(super) schedule: Schedule,
    /// Who votes on the block after.
    pub(super) next_set: ValidatorSet,
    /// What it may mint.
    pub(super) minting: Minting,
}

impl Turn {
    /// Of a block after the head that `leader` makes in the slot that starts at `timestamp`.
    pub(super) fn read<R: Reader>(
        reader: &R,
        spec: &ChainSpec,
        leader: Address,
        timestamp: u64,
    ) -> Result<Self, PootError> {
        let schedule = poot::next_schedule(reader, spec)?;
        let slot = spec.slots().slot_at(timestamp).unwrap_or_default();
        let next_set = poot::set_after(reader, spec, &schedule, slot)?;
        let minting = Minting::read(reader, spec, leader, slot)?;
        Ok(Self { timestamp, schedule, next_set, minting })
    }

    /// What the block's seal is held against.
    pub(super) fn seal_terms<'a>(
        &'a self,
        spec: &'a ChainSpec,
        genesis_hash: B256,
        parent: &'a Header,
    ) -> SealTerms<'a> {
        let (set, next_set, order) = (&self.schedule.set, &self.next_set, Some(&self.schedule.order));
        SealTerms { spec, genesis_hash, parent, set, next_set, order }
    }
}

/// A block with what makes it final.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided<'a> {
    pub(super) block: &'a RecoveredBlock,
    pub(super) seal: &'a Seal,
    /// The certificate of the block before that this one commits to.
    pub(super) parent_certificate: Option<&'a Certificate>,
    /// Whether the seal was verified, by the sets that the headers before name.
    pub(super) is_verified: bool,
}

impl Node {
    /// Judges a final block and writes all that belongs to it into `batch`: the block and its state, sessions, seal, what
    /// consensus keeps, and what goes with it. The certificate that it commits to becomes that of its parent's seal.
    pub(super) fn write_final(
        &self,
        batch: &mut Batch,
        head: &Head,
        turn: &Turn,
        decided: Decided<'_>,
    ) -> Result<Imported, NodeError> {
        let Decided { block, seal, parent_certificate, is_verified } = decided;
        let imported = chain::import(batch, &self.spec, &head.header, block, &turn.minting)?;
        anchoring::write_events(batch, &imported.event)?;
        let terms = turn.seal_terms(&self.spec, self.genesis_hash, &head.header);
        if is_verified {
            // What the headers named is what the state has come to: whose turn it was, and who votes next.
            terms.check_header(&imported.header)?;
        } else {
            terms.verify(parent_certificate, &imported.header, seal)?;
        }
        let height = imported.header.number;
        batch.append::<Seals>(&height, seal)?;
        if let Some(certificate) = parent_certificate
            && let Some(before) = batch.get::<Seals>(&(height - 1))?
            && before.certificate != *certificate
        {
            batch.put::<Seals>(&(height - 1), &Seal { certificate: certificate.clone(), ..before })?;
        }
        let (genesis_hash, parent, block) = (self.genesis_hash, &*head.header, &imported.event);
        let block = FinalBlock { genesis_hash, block, parent, parent_certificate };
        poot::write_final_block(batch, &self.spec, &turn.schedule, &block)?;
        self.prune(batch, &imported.header)?;
        Ok(imported)
    }
}
