//! Recorded sessions: anchor them and see how they stand, fetch their proofs, check proofs offline.

mod anchor;
mod client;
mod list;
mod output;
mod proof;
mod retry;
mod run;
mod status;
mod submit;
mod verify;
mod wait;
mod watch;

pub(super) use anchor::Anchored;
pub(super) use client::{NodeArgs, connect, with_hint};
pub(super) use output::check_folder;
pub(super) use run::{Command, run};
pub(super) use submit::{AnchorOptions, submit_folder};
pub(super) use wait::wait_until_final;
