//! The log: what a node was told at the height that is open, in the order in which it was told.
//!
//! Fed again after a restart it leads to the same votes, so that no step is signed twice. An entry is one version byte,
//! one byte for the kind, and fixed fields, encoded as messages are.

use super::{
    message::{PolkaCertificate, SignedVote},
    timer::TimerKind,
    wire::{Reader, WireError, put_polka, put_vote, take_polka, take_vote},
};
use alloy_primitives::B256;

/// Version of the encoding, the first byte of every entry.
pub const LOG_VERSION: u8 = 1;

/// One entry. All entries that a log holds are of the height that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEntry {
    /// A proposal, prevote or precommit, another's or this node's own.
    Vote(SignedVote),
    /// A block was judged.
    Judged {
        /// Its hash.
        block_hash: B256,
        /// The round that it was made in.
        round: u32,
        /// Its slot.
        slot: u64,
        /// Whether it is valid.
        valid: bool,
    },
    /// A step of a round took too long.
    Elapsed {
        /// The step: propose, prevote or precommit.
        kind: TimerKind,
        /// The round.
        round: u32,
    },
    /// A proof of lock that came whole.
    Polka(PolkaCertificate),
}

const JUDGED: u8 = 0x10;
const ELAPSED: u8 = 0x11;
const POLKA: u8 = 0x12;

impl LogEntry {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![LOG_VERSION];
        match self {
            Self::Vote(vote) => put_vote(&mut out, vote),
            Self::Judged { block_hash, round, slot, valid } => {
                out.push(JUDGED);
                out.extend_from_slice(block_hash.as_slice());
                out.extend_from_slice(&round.to_be_bytes());
                out.extend_from_slice(&slot.to_be_bytes());
                out.push((*valid).into());
            }
            Self::Elapsed { kind, round } => {
                out.push(ELAPSED);
                out.push(kind.code());
                out.extend_from_slice(&round.to_be_bytes());
            }
            Self::Polka(polka) => {
                out.push(POLKA);
                put_polka(&mut out, polka);
            }
        }
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        match r.byte("the version")? {
            LOG_VERSION => {}
            other => return Err(WireError::Version(other)),
        }
        let entry = match r.byte("the kind")? {
            JUDGED => Self::Judged {
                block_hash: r.hash("the block hash")?,
                round: r.u32("the round")?,
                slot: r.u64("the slot")?,
                valid: r.flag("the verdict")?,
            },
            ELAPSED => {
                let code = r.byte("the step")?;
                let kind = TimerKind::of_step(code);
                let kind = kind.ok_or(WireError::Field { field: "the step", value: code.into() })?;
                Self::Elapsed { kind, round: r.u32("the round")? }
            }
            POLKA => Self::Polka(take_polka(r)?),
            kind => Self::Vote(take_vote(r, kind)?),
        };
        reader.end()?;
        Ok(entry)
    }
}
