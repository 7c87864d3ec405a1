//! Who proposes, who votes, and what is final.
//!
//! The room is pure: the slot comes as an argument, keys are handed in, and nothing here waits or reads a file.
//! Whether a body is valid is the chain room's matter; consensus judges seals.

pub mod bft;
mod clock;
pub mod poot;
mod solo;

pub use clock::{CLOCK_GAP_WARNED_SECS, CLOCK_TRUSTED_SECS, ClockPolicy, ClockReading, ClockStop, judge_clock};
pub use solo::{SealError, Solo, SoloChain, SoloError};
