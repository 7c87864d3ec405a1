//! Messages as bytes. One version byte, one byte for the kind, then fixed fields; integers are big-endian, lists and
//! bodies have their length before them.
//!
//! A length is held against its bound and against the bytes that are left before anything is allocated for it. What is
//! left over at the end is an error: each message has one encoding.

use super::message::{Body, Message, PolkaCertificate, RoundCertificate, RoundReason, SignedVote};
use alloy_primitives::{Address, B256, B512, Bytes};
use lucid_types::{Certificate, CommitSignature, MAX_VALIDATORS, VoteKind, VrfProof};

/// Version of the encoding, the first byte of every message.
pub const WIRE_VERSION: u8 = 1;

/// Most bytes of a block's RLP: the most that the parameters of any chain may allow.
pub const MAX_BLOCK_BYTES: usize = 16 << 20;

/// Most bytes of a message: a block, two certificates of a hundred votes, and fixed fields.
pub const MAX_MESSAGE_BYTES: usize = MAX_BLOCK_BYTES + (64 << 10);

/// Bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// More bytes than any message has.
    #[error("{0} bytes are more than the {MAX_MESSAGE_BYTES} that a message may have")]
    TooLarge(usize),
    /// Another version of this program wrote it.
    #[error("version {0} of the encoding is unknown")]
    Version(u8),
    /// It ends too early.
    #[error("the message ends before {0}")]
    Truncated(&'static str),
    /// It goes on after its end.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
    /// A field has a value that stands for nothing.
    #[error("{field} cannot be {value}")]
    Field {
        /// The field.
        field: &'static str,
        /// What stands there.
        value: u64,
    },
}

/// Reads fields off the front of some bytes.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Truncated(field))?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.take::<1>(field).map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.take(field).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        self.take(field).map(u64::from_be_bytes)
    }

    pub(super) fn hash(&mut self, field: &'static str) -> Result<B256, WireError> {
        self.take(field).map(B256::from)
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, WireError> {
        match self.byte(field)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WireError::Field { field, value: other.into() }),
        }
    }

    /// A count of things that take at least `each` bytes.
    pub(super) fn count(&mut self, field: &'static str, most: usize, each: usize) -> Result<usize, WireError> {
        let value = self.u32(field)?;
        let count = usize::try_from(value).unwrap_or(usize::MAX);
        if count > most {
            return Err(WireError::Field { field, value: value.into() });
        }
        if count.saturating_mul(each) > self.0.len() { Err(WireError::Truncated(field)) } else { Ok(count) }
    }

    fn bytes(&mut self, field: &'static str, most: usize) -> Result<Bytes, WireError> {
        let count = self.count(field, most, 1)?;
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(Bytes::copy_from_slice(head))
    }

    pub(super) fn end(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Trailing(self.0.len())) }
    }
}

const PROPOSAL: u8 = 0;
const PREVOTE: u8 = 1;
const PRECOMMIT: u8 = 2;
const POLKA: u8 = 3;
const ROUND: u8 = 4;
const BODY: u8 = 5;
const BODY_REQUEST: u8 = 6;
const HEAD: u8 = 7;
const BLOCK_REQUEST: u8 = 8;
const BLOCK: u8 = 9;

/// Most votes in a certificate.
const MAX_VOTES: usize = MAX_VALIDATORS as usize;

/// Bytes of an address and a signature.
const SIGNATURE_BYTES: usize = 84;

impl Message {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![WIRE_VERSION];
        match self {
            Self::Vote(vote) => put_vote(&mut out, vote),
            Self::Polka(polka) => {
                out.push(POLKA);
                put_polka(&mut out, polka);
            }
            Self::Round(round) => {
                out.push(ROUND);
                put_round(&mut out, round);
            }
            Self::Body(body) => {
                out.push(BODY);
                put_body(&mut out, body);
            }
            Self::BodyRequest { height, block_hash } => put_height(&mut out, BODY_REQUEST, *height, Some(block_hash)),
            Self::Head { height, block_hash } => put_height(&mut out, HEAD, *height, Some(block_hash)),
            Self::BlockRequest { height } => put_height(&mut out, BLOCK_REQUEST, *height, None),
            Self::Block { body, certificate } => {
                out.push(BLOCK);
                put_body(&mut out, body);
                put_certificate(&mut out, certificate);
            }
        }
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(WireError::TooLarge(bytes.len()));
        }
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        match r.byte("the version")? {
            WIRE_VERSION => {}
            other => return Err(WireError::Version(other)),
        }
        let message = match r.byte("the kind")? {
            kind @ (PROPOSAL | PREVOTE | PRECOMMIT) => Self::Vote(take_vote(r, kind)?),
            POLKA => Self::Polka(take_polka(r)?),
            ROUND => Self::Round(take_round(r)?),
            BODY => Self::Body(Box::new(take_body(r)?)),
            BODY_REQUEST => Self::BodyRequest { height: r.u64("the height")?, block_hash: r.hash("the block hash")? },
            HEAD => Self::Head { height: r.u64("the height")?, block_hash: r.hash("the block hash")? },
            BLOCK_REQUEST => Self::BlockRequest { height: r.u64("the height")? },
            BLOCK => Self::Block { body: Box::new(take_body(r)?), certificate: take_certificate(r)? },
            value => return Err(WireError::Field { field: "the kind", value: value.into() }),
        };
        reader.end()?;
        Ok(message)
    }
}

fn put_height(out: &mut Vec<u8>, kind: u8, height: u64, hash: Option<&B256>) {
    out.push(kind);
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(hash.map_or(&[], B256::as_slice));
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // What this program makes is far below 2^32; a longer list could not be read back.
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

/// Kind, voter, height, round, the block (a flag before it in a vote), the round of the proof of lock, signature.
pub(super) fn put_vote(out: &mut Vec<u8>, vote: &SignedVote) {
    put_kind(out, vote.kind);
    out.extend_from_slice(&vote.height.to_be_bytes());
    out.extend_from_slice(&vote.round.to_be_bytes());
    put_said(out, vote);
}

fn put_kind(out: &mut Vec<u8>, kind: VoteKind) {
    out.push(match kind {
        VoteKind::Proposal { .. } => PROPOSAL,
        VoteKind::Prevote => PREVOTE,
        VoteKind::Precommit => PRECOMMIT,
    });
}

/// What one voter says, without the height and round that a certificate has once.
fn put_said(out: &mut Vec<u8>, vote: &SignedVote) {
    match vote.kind {
        VoteKind::Proposal { pol_round } => {
            out.extend_from_slice(vote.block_hash.unwrap_or_default().as_slice());
            out.extend_from_slice(&pol_round.map_or(-1, i64::from).to_be_bytes());
        }
        VoteKind::Prevote | VoteKind::Precommit => {
            out.push(vote.block_hash.is_some().into());
            out.extend_from_slice(vote.block_hash.as_ref().map_or(&[], B256::as_slice));
        }
    }
    out.extend_from_slice(vote.voter.as_slice());
    out.extend_from_slice(vote.signature.as_slice());
}

pub(super) fn take_vote(r: &mut Reader<'_>, kind: u8) -> Result<SignedVote, WireError> {
    let (height, round) = (r.u64("the height")?, r.u32("the round")?);
    take_said(r, kind, height, round)
}

fn take_said(r: &mut Reader<'_>, kind: u8, height: u64, round: u32) -> Result<SignedVote, WireError> {
    let (kind, block_hash) = match kind {
        PROPOSAL => {
            let block_hash = r.hash("the block hash")?;
            let value = i64::from_be_bytes(r.take("the round of the proof of lock")?);
            let field = WireError::Field { field: "the round of the proof of lock", value: value.cast_unsigned() };
            let pol_round = if value == -1 { None } else { Some(u32::try_from(value).map_err(|_| field)?) };
            (VoteKind::Proposal { pol_round }, Some(block_hash))
        }
        PREVOTE | PRECOMMIT => {
            let named = r.flag("whether a block is named")?;
            let block_hash = if named { Some(r.hash("the block hash")?) } else { None };
            (if kind == PREVOTE { VoteKind::Prevote } else { VoteKind::Precommit }, block_hash)
        }
        value => return Err(WireError::Field { field: "the kind of a vote", value: value.into() }),
    };
    let (voter, signature) = take_signature(r)?;
    Ok(SignedVote { voter, height, round, kind, block_hash, signature })
}

fn take_signature(r: &mut Reader<'_>) -> Result<(Address, B512), WireError> {
    Ok((Address::from(r.take::<20>("the voter")?), B512::from(r.take::<64>("the signature")?)))
}

fn put_signatures(out: &mut Vec<u8>, signatures: &[CommitSignature]) {
    put_count(out, signatures.len());
    for vote in signatures {
        out.extend_from_slice(vote.address.as_slice());
        out.extend_from_slice(vote.signature.as_slice());
    }
}

fn take_signatures(r: &mut Reader<'_>) -> Result<Vec<CommitSignature>, WireError> {
    let count = r.count("the number of votes", MAX_VOTES, SIGNATURE_BYTES)?;
    (0..count).map(|_| take_signature(r).map(|(address, signature)| CommitSignature { address, signature })).collect()
}

pub(super) fn put_polka(out: &mut Vec<u8>, polka: &PolkaCertificate) {
    put_certified(out, polka.height, polka.round, polka.block_hash, &polka.signatures);
}

pub(super) fn take_polka(r: &mut Reader<'_>) -> Result<PolkaCertificate, WireError> {
    let Certificate { height, round, block_hash, signatures } = take_certificate(r)?;
    Ok(PolkaCertificate { height, round, block_hash, signatures })
}

fn put_certificate(out: &mut Vec<u8>, certificate: &Certificate) {
    put_certified(out, certificate.height, certificate.round, certificate.block_hash, &certificate.signatures);
}

fn put_certified(out: &mut Vec<u8>, height: u64, round: u32, block_hash: B256, signatures: &[CommitSignature]) {
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&round.to_be_bytes());
    out.extend_from_slice(block_hash.as_slice());
    put_signatures(out, signatures);
}

fn take_certificate(r: &mut Reader<'_>) -> Result<Certificate, WireError> {
    Ok(Certificate {
        height: r.u64("the height")?,
        round: r.u32("the round")?,
        block_hash: r.hash("the block hash")?,
        signatures: take_signatures(r)?,
    })
}

fn put_round(out: &mut Vec<u8>, certificate: &RoundCertificate) {
    out.extend_from_slice(&certificate.height.to_be_bytes());
    out.extend_from_slice(&certificate.round.to_be_bytes());
    out.push(match certificate.reason {
        RoundReason::Begun => 0,
        RoundReason::Over => 1,
    });
    put_count(out, certificate.votes.len());
    for vote in &certificate.votes {
        put_kind(out, vote.kind);
        put_said(out, vote);
    }
}

fn take_round(r: &mut Reader<'_>) -> Result<RoundCertificate, WireError> {
    let (height, round) = (r.u64("the height")?, r.u32("the round")?);
    let reason = if r.flag("whether the round is over")? { RoundReason::Over } else { RoundReason::Begun };
    // A nil vote has a kind and a flag beside voter and signature.
    let count = r.count("the number of votes", MAX_VOTES, SIGNATURE_BYTES + 2)?;
    let vote = |r: &mut Reader<'_>| match r.byte("the kind of a vote")? {
        kind @ (PREVOTE | PRECOMMIT) => take_said(r, kind, height, round),
        value => Err(WireError::Field { field: "the kind of a vote", value: value.into() }),
    };
    let votes = (0..count).map(|_| vote(r)).collect::<Result<_, _>>()?;
    Ok(RoundCertificate { height, round, reason, votes })
}

fn put_body(out: &mut Vec<u8>, body: &Body) {
    out.extend_from_slice(&body.height.to_be_bytes());
    out.extend_from_slice(&body.round.to_be_bytes());
    out.extend_from_slice(body.block_hash.as_slice());
    out.extend_from_slice(body.proposal_signature.as_slice());
    out.push(body.vrf_proof.is_some().into());
    out.extend_from_slice(body.vrf_proof.as_ref().map_or(&[], VrfProof::as_slice));
    out.push(body.parent_certificate.is_some().into());
    if let Some(certificate) = &body.parent_certificate {
        put_certificate(out, certificate);
    }
    put_count(out, body.block.len());
    out.extend_from_slice(&body.block);
}

fn take_body(r: &mut Reader<'_>) -> Result<Body, WireError> {
    let (height, round, block_hash) = (r.u64("the height")?, r.u32("the round")?, r.hash("the block hash")?);
    let proposal_signature = B512::from(r.take::<64>("the author's signature")?);
    let proved = r.flag("whether there is a VRF proof")?;
    let vrf_proof = if proved { Some(VrfProof::from(r.take::<81>("the VRF proof")?)) } else { None };
    let certified = r.flag("whether the parent has a certificate")?;
    let parent_certificate = if certified { Some(take_certificate(r)?) } else { None };
    let block = r.bytes("the block", MAX_BLOCK_BYTES)?;
    Ok(Body { height, round, block_hash, proposal_signature, vrf_proof, parent_certificate, block })
}
