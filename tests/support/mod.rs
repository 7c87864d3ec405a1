//! What integration tests share: the real program, and packages from npm.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

mod chain;
mod node;
mod npm;
mod python;
mod steps;

pub(crate) use chain::{FAST_SLOT_SECS, fast_chain};
pub(crate) use node::{DevNode, lucid_node};
pub(crate) use npm::{npm_folder, said, say_skipped};
pub(crate) use python::python;
pub(crate) use steps::{block_on, carrying, eventually, refused, run, send, text, transfer, transfer_at};
