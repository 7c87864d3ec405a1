//! Building a block when it is this node's turn, judging those of others, and committing what is decided.

use super::{
    super::{
        blocks::{SPARE_CANDIDATES, log_block},
        error::NodeError,
        state::{Head, Node},
        turn::{Decided, Turn},
    },
    log::settle_height,
};
use crate::{
    chain::{self, Block, ChainError, RecoveredBlock},
    consensus::{
        SealError,
        bft::{Body, BuiltBlock, Decision, Verdict},
        poot::{PootError, validator_set_at},
    },
};
use alloy_consensus::{Header, Sealable, Sealed};
use alloy_primitives::B256;
use alloy_rlp::Decodable;
use lucid_storage::{Batch, Reader as _, Seals, StoreError};
use lucid_types::{Certificate, ExtraData, Seal};
use std::time::Instant;
use tracing::{debug, warn};

/// Why a body is not one that can be voted for.
enum Fault {
    /// What the hash fixes breaks a rule, with the reason.
    Invalid(String),
    /// What travels beside the block is not right, with the reason.
    Unfit(&'static str),
    /// It could not be judged.
    Node(NodeError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Node(error.into())
    }
}

impl From<PootError> for Fault {
    fn from(error: PootError) -> Self {
        Self::Node(error.into())
    }
}

impl Node {
    /// A block of what waits, made by this node in `round` of the height after the head while its clock shows `slot`;
    /// nothing where it makes none then.
    pub(in crate::node) fn build_for(
        &self,
        height: u64,
        round: u32,
        slot: u64,
    ) -> Result<Option<BuiltBlock>, NodeError> {
        let head = self.head();
        if head.header.number + 1 != height || !self.note_condition() {
            return Ok(None);
        }
        // A slot that has not begun by this clock is no slot to others, whatever the clock was accepted for.
        let slots = self.spec.slots();
        if Some(slot) <= slots.slot_at(head.header.timestamp) {
            return Ok(None);
        }
        let Some(timestamp) = slots.start_of(slot) else { return Ok(None) };
        self.send_proofs(slot)?;
        let most = usize::try_from(self.spec.parameters.block_transactions_max).unwrap_or(usize::MAX);
        let candidates = self.pool().best(head.next_base_fee(), most.saturating_add(SPARE_CANDIDATES));
        if candidates.is_empty() {
            return Ok(None);
        }
        let turn = Turn::read(&self.store.snapshot()?, &self.spec, self.author.address(), timestamp)?;
        let (block, vrf_proof) = self.build_block(&head, &turn, round, candidates)?;
        if block.transactions.is_empty() {
            return Ok(None);
        }
        let block = block.into_block();
        Ok(Some(BuiltBlock {
            height,
            round,
            slot,
            block_hash: block.header.hash_slow(),
            vrf_proof,
            parent_certificate: head.certificate.clone(),
            block: alloy_rlp::encode(&block).into(),
        }))
    }

    /// Judges a body: what travels beside it, then the block, which is run.
    pub(in crate::node) fn judge(&self, body: &Body) -> Verdict {
        match self.try_judge(body) {
            Ok(slot) => Verdict::Valid { slot },
            Err(Fault::Invalid(reason)) => {
                warn!(height = body.height, block = %body.block_hash, reason, "a proposed block is invalid");
                Verdict::Invalid
            }
            Err(Fault::Unfit(reason)) => {
                debug!(height = body.height, block = %body.block_hash, reason, "a body is not fit");
                Verdict::Unfit
            }
            Err(Fault::Node(error)) => {
                warn!(height = body.height, block = %body.block_hash, %error, "a body could not be judged");
                Verdict::Unknown
            }
        }
    }

    fn try_judge(&self, body: &Body) -> Result<u64, Fault> {
        let head = self.head();
        if head.header.number + 1 != body.height {
            return Err(Fault::Unfit("it is not of the height after the head"));
        }
        let (header, block) = decode(body)?;
        let invalid = |error: SealError| Fault::Invalid(error.to_string());
        self.check_parent_certificate(&head, &header, body.parent_certificate.as_ref())?;
        let turn = Turn::read(&self.store.snapshot()?, &self.spec, header.beneficiary, header.timestamp)?;
        let terms = turn.seal_terms(&self.spec, self.genesis_hash, &head.header);
        terms.check_header(&header).map_err(invalid)?;
        let author = terms.check_author(&header, body.vrf_proof.as_ref(), &body.proposal_signature);
        author.map_err(|_| Fault::Unfit("what travels beside it is not its author's"))?;
        let block = RecoveredBlock::recover(block).map_err(|error| Fault::Invalid(error.to_string()))?;
        let mut scratch = self.store.begin()?;
        match chain::import(&mut scratch, &self.spec, &head.header, &block, &turn.minting) {
            Ok(_) => Ok(self.spec.slots().slot_at(header.timestamp).unwrap_or_default()),
            Err(ChainError::Invalid(error)) => Err(Fault::Invalid(error.to_string())),
            Err(error) => Err(Fault::Node(error.into())),
        }
    }

    /// The certificate that travels with a block must be the one whose hash its header carries. One that is, and does not
    /// hold, is fixed by the block's hash.
    fn check_parent_certificate(
        &self,
        head: &Head,
        header: &Header,
        certificate: Option<&Certificate>,
    ) -> Result<(), Fault> {
        let hash = certificate.map_or(B256::ZERO, Certificate::hash);
        if header.parent_beacon_block_root != Some(hash) {
            return Err(Fault::Unfit("the certificate beside it is not the one that it commits to"));
        }
        let parent = head.header.number;
        let Some(certificate) = certificate else {
            return if parent == 0 { Ok(()) } else { Err(Fault::Invalid("it commits to no certificate".into())) };
        };
        if (certificate.height, certificate.block_hash) != (parent, head.header.hash()) {
            return Err(Fault::Invalid("the certificate that it commits to is of another block".into()));
        }
        let set = validator_set_at(&self.store.snapshot()?, parent)?;
        certificate.verify(self.genesis_hash, &set).map_err(|error| Fault::Invalid(error.to_string()))
    }

    /// Commits a decided block, whose body was found valid, and clears the log of its height; says its slot. The clock
    /// shows `slot_now`.
    pub(super) fn commit_decided(
        &self,
        decision: &Decision,
        body: &Body,
        slot_now: u64,
        beside: impl FnOnce(&mut Batch) -> Result<(), NodeError>,
    ) -> Result<u64, NodeError> {
        let started = Instant::now();
        let head = self.head();
        let damaged = |part| NodeError::Chain(ChainError::Damaged { height: decision.height, part });
        let (header, block) = decode(body).map_err(|_| damaged("decided body"))?;
        let block = RecoveredBlock::recover(block).map_err(ChainError::Invalid)?;
        let turn = Turn::read(&self.store.snapshot()?, &self.spec, header.beneficiary, header.timestamp)?;
        let slot = self.spec.slots().slot_at(header.timestamp).unwrap_or_default();
        let seal = Seal {
            slot,
            round: body.round,
            leader: header.beneficiary,
            vrf_proof: body.vrf_proof,
            proposal_signature: body.proposal_signature,
            certificate: decision.certificate.clone(),
        };
        let beside = |batch: &mut Batch| {
            settle_height(batch, decision.height, &decision.evidence)?;
            beside(batch)
        };
        let parent_certificate = body.parent_certificate.as_ref();
        let decided = Decided { block: &block, seal: &seal, parent_certificate, is_verified: false };
        let event = self.commit_final(&head, &turn, decided, slot_now, beside, || Ok(()))?;
        log_block(&event, started.elapsed());
        Ok(slot)
    }

    /// A decided block as it travels, with the certificate that its child commits to, or else this node's own.
    pub(in crate::node) fn decided_body(&self, height: u64) -> Result<Option<(Body, Certificate)>, NodeError> {
        let snapshot = self.snapshot();
        let Some(block) = chain::read_block(&snapshot, height)? else { return Ok(None) };
        let Some(seal) = snapshot.get::<Seals>(&height)? else { return Ok(None) };
        let before = snapshot.get::<Seals>(&(height.saturating_sub(1)))?;
        let body = Body {
            height,
            round: seal.round,
            block_hash: seal.certificate.block_hash,
            proposal_signature: seal.proposal_signature,
            vrf_proof: seal.vrf_proof,
            parent_certificate: before.map(|seal| seal.certificate),
            block: alloy_rlp::encode(&block).into(),
        };
        Ok(Some((body, seal.certificate)))
    }
}

/// The block of a body, which has to be the one that was said, made in the round that was said.
fn decode(body: &Body) -> Result<(Sealed<Header>, Block), Fault> {
    let mut bytes = &body.block[..];
    let block = Block::decode(&mut bytes).map_err(|_| Fault::Unfit("its bytes are no block"))?;
    let header = block.header.clone().seal_slow();
    if !bytes.is_empty() || (header.number, header.hash()) != (body.height, body.block_hash) {
        return Err(Fault::Unfit("it is another block than was said"));
    }
    match ExtraData::decode(&header.extra_data) {
        Ok(extra) if extra.round == body.round => Ok((header, block)),
        Ok(_) => Err(Fault::Unfit("it was made in another round than was said")),
        Err(error) => Err(Fault::Invalid(error.to_string())),
    }
}
