//! Who proposes, who votes, and what is final.
//!
//! The room is pure: the slot comes as an argument, keys are handed in, and nothing here waits or reads a file.
//! Whether a body is valid is the chain room's matter; consensus judges seals.
//!
//! `poot` says who votes and who leads, by what final blocks say of work. [`Author`] makes what a leader gives a block, and
//! [`SealTerms`] judges it. A node that is the only validator makes its blocks final alone ([`Author::seal_alone`]): the same
//! messages, signatures, seal and certificate as with many; with others `bft` has them agree.

mod author;
pub mod bft;
mod clock;
pub mod poot;
mod seal;

pub use author::{Author, Proposal};
pub use clock::{CLOCK_GAP_WARNED_SECS, CLOCK_TRUSTED_SECS, ClockPolicy, ClockReading, ClockStop, judge_clock};
pub use seal::{SealError, SealTerms};
