//! What ends a node, as opposed to what a peer may do.

use alloy_primitives::Address;

/// Why the machine cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BftError {
    /// The log, fed again, leads to another message than the one that it says was signed. To go on could be to sign twice.
    #[error("height {height} round {round}: the log leads to another {step} than the one that was signed")]
    ReplayDivergence {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
        /// Proposal, prevote or precommit.
        step: String,
    },
    /// The order of leaders is empty, or names somebody who has no vote at the height.
    #[error("the order of leaders is not one of members: {0:?}")]
    Order(Option<Address>),
    /// The height that was given is not the one after the last.
    #[error("height {given} was given where {expected} comes next")]
    Height {
        /// What was given.
        given: u64,
        /// What would follow.
        expected: u64,
    },
    /// A log came for no height, or for one that is open already.
    #[error("a log can be fed only to a height that was given and is not open yet")]
    LateLog,
    /// More than two thirds decided a block that this node found invalid: it runs other rules than they do.
    #[error("height {height}: a decided block is invalid here")]
    DecidedInvalid {
        /// The height.
        height: u64,
    },
}
