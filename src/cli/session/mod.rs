//! Recorded sessions: anchor them, fetch their proofs, check proofs offline.

mod anchor;
mod client;
mod output;
mod proof;
mod run;
mod verify;

pub(super) use anchor::{AnchorOptions, Anchored, anchor_folder};
pub(super) use run::{Command, run};
