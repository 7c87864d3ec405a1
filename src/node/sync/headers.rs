//! A chain of headers, each held against the one before: what makes it final are votes of the set that the header before
//! names. Nothing is run for it.

use super::wire::{Headers, SealedHeader};
use crate::{
    chain::{self, Invalid},
    consensus::{SealError, SealTerms},
};
use alloy_consensus::{Header, Sealable, Sealed};
use alloy_primitives::B256;
use lucid_types::{Certificate, ChainSpec, ExtraData, Seal, ValidatorSet};
use std::sync::Arc;

/// What is wrong with a header that a peer sent. An honest peer sends none of these.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderFault {
    /// It cannot follow on the header before.
    #[error(transparent)]
    Header(#[from] Invalid),
    /// It was not made, or not made final, by those who may.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It names another validator set, and that is not beside it.
    #[error("the validators of the next height are not those that the header names")]
    NextSet,
    /// A certificate is missing, or something beside the header is none of what it should be.
    #[error("{0} is missing or has a wrong form")]
    Form(&'static str),
}

/// A header that more than two thirds of its height's validators made final.
#[derive(Debug, Clone)]
pub(super) struct CertifiedHeader {
    pub(super) header: Sealed<Header>,
    pub(super) seal: Seal,
    /// The certificate of the block before that it commits to.
    pub(super) parent_certificate: Option<Certificate>,
}

/// The last header that was found final, and who votes on the next height.
#[derive(Debug, Clone)]
pub(super) struct HeaderChain {
    spec: Arc<ChainSpec>,
    genesis_hash: B256,
    tip: Sealed<Header>,
    set: ValidatorSet,
}

impl HeaderChain {
    /// From a block on that this node has. `set` votes on the height after it.
    pub(super) const fn new(spec: Arc<ChainSpec>, genesis_hash: B256, tip: Sealed<Header>, set: ValidatorSet) -> Self {
        Self { spec, genesis_hash, tip, set }
    }

    /// The height after the last header.
    pub(super) fn next(&self) -> u64 {
        self.tip.number + 1
    }

    /// Takes the headers of an answer. Where one is at fault none is taken.
    pub(super) fn extend(&mut self, answer: Headers) -> Result<Vec<CertifiedHeader>, HeaderFault> {
        let mut longer = self.clone();
        let mut parent_certificate = answer.parent.certificate(self.tip.number, self.tip.hash());
        let mut certified: Vec<CertifiedHeader> = Vec::with_capacity(answer.headers.len());
        for header in answer.headers {
            if let Some(before) = certified.last() {
                parent_certificate = Some(before.seal.certificate.clone());
            }
            certified.push(longer.take(header, parent_certificate)?);
            parent_certificate = None;
        }
        *self = longer;
        Ok(certified)
    }

    fn take(
        &mut self,
        sealed: SealedHeader,
        parent_certificate: Option<Certificate>,
    ) -> Result<CertifiedHeader, HeaderFault> {
        chain::check_header(&self.spec, &self.tip, &sealed.header)?;
        let vrf_proof = sealed.vrf_proof().map_err(|()| HeaderFault::Form("the VRF proof"))?;
        let next_set = self.next_set(&sealed)?;
        let SealedHeader { header, proposal_signature, certificate, .. } = sealed;
        let header = header.seal_slow();
        let certificate = certificate.certificate(header.number, header.hash());
        let seal = Seal {
            // Both were checked with the header.
            slot: self.spec.slots().slot_at(header.timestamp).unwrap_or_default(),
            round: ExtraData::decode(&header.extra_data).map_err(SealError::from)?.round,
            leader: header.beneficiary,
            vrf_proof,
            proposal_signature,
            certificate: certificate.ok_or(HeaderFault::Form("the certificate"))?,
        };
        let terms = SealTerms {
            spec: &self.spec,
            genesis_hash: self.genesis_hash,
            parent: &self.tip,
            set: &self.set,
            next_set: &next_set,
            // It follows from work, which is in bodies. That the validators voted for the block says it for now.
            order: None,
        };
        terms.verify(parent_certificate.as_ref(), &header, &seal)?;
        self.tip = header.clone();
        self.set = next_set;
        Ok(CertifiedHeader { header, seal, parent_certificate })
    }

    /// Who votes after this header: those who vote on it, or those whom it brings along. The header names them either way.
    fn next_set(&self, sealed: &SealedHeader) -> Result<ValidatorSet, HeaderFault> {
        if sealed.next_set.is_empty() {
            return Ok(self.set.clone());
        }
        ValidatorSet::from_canonical_bytes(&sealed.next_set).map_err(|_| HeaderFault::NextSet)
    }
}
