//! The genesis contracts as every chain holds them: their committed code, run under the chain's own rules and limits.
//! A rule that a contract does not keep here could never be mended on a chain that has begun.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

mod anchors;
mod artefacts;
mod chunk_store;
mod gas;
mod harness;
mod nodes;
mod pools;
mod votes;
