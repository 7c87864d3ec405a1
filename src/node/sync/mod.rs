//! Catching up: a node that is new, or was away, gets what it missed from its peers.
//!
//! A node that is a few blocks behind hears of each from consensus. One that is far behind asks here: first for headers with
//! the certificates that make them final (`wire`), which it holds against the validator sets that the headers before name
//! (`headers`); then for the bodies of these from several peers at once, each held against its header (`bodies`, `fetch`);
//! and the thread that drives consensus runs them and commits many in one write (`commit`). What a peer says is believed
//! where it can be checked before anything is run; who forges is charged for it, and another peer is asked.
//!
//! Nothing is kept of a catching-up that is under way: after a kill it goes on from the last block that was committed.
//! The other side of it, what peers are answered, is `serve`. Transactions that waited while nodes did not hear each other
//! travel the same way.

mod bodies;
mod commit;
mod fetch;
mod headers;
mod progress;
mod serve;
mod sources;
mod waiting;
mod wire;

#[cfg(test)]
mod tests;

pub(super) use bodies::CertifiedBlock;
pub(super) use commit::one_write;
pub(super) use fetch::{FAR_BLOCKS, catch_up};
pub(super) use progress::Progress;
pub(super) use serve::Server;
pub(super) use waiting::{ask_what_waits, repeat_what_waits};
pub(super) use wire::is_question;
