//! Bodies, each held against its header: whoever sends another one than the header names has forged it.

use super::{
    headers::CertifiedHeader,
    wire::{decode_body, transactions_root},
};
use crate::chain::{Block, RecoveredBlock};
use alloy_consensus::proofs::calculate_withdrawals_root;
use lucid_types::{Certificate, Seal};

/// A block that is final, and was not run yet.
#[derive(Debug)]
pub(in crate::node) struct CertifiedBlock {
    pub(in crate::node) block: RecoveredBlock,
    pub(in crate::node) seal: Seal,
    /// The certificate of the block before that it commits to.
    pub(in crate::node) parent_certificate: Option<Certificate>,
}

impl CertifiedBlock {
    /// Puts a body, in its RLP, to its header; `None` where it is not the one that the header names. A block of the chain
    /// has at most `most` transactions.
    pub(super) fn new(certified: CertifiedHeader, body: &[u8], most: usize) -> Option<Self> {
        let CertifiedHeader { header, seal, parent_certificate } = certified;
        // Nothing is decoded that more than two thirds of the validators did not vote for.
        if transactions_root(body, most)? != header.transactions_root {
            return None;
        }
        let body = decode_body(body)?;
        let withdrawals_root = body.withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
        if withdrawals_root != header.withdrawals_root {
            return None;
        }
        // A signature that is none, under a root that the validators voted for, is for `import` to refuse: it is the chain's
        // fault and not the peer's. There is no such block.
        let block = RecoveredBlock::recover(Block { header: header.into_inner(), body }).ok()?;
        Some(Self { block, seal, parent_certificate })
    }

    pub(in crate::node) fn height(&self) -> u64 {
        self.block.header.number
    }
}
