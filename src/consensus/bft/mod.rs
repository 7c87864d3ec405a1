//! Byzantine agreement among the validators: one block at each height, final once more than two thirds precommitted it.
//!
//! The algorithm is Tendermint's, run by the core of Malachite, which is named in this folder only. Around it stands a
//! machine, [`Machine::step`]: an [`Input`] in, a list of [`Effect`]s out. It waits for nothing, reads no clock and no file,
//! and draws nothing at random, so that a simulation runs what a node runs.
//!
//! The height is the number of the block, and a round belongs to a leader of the frozen order of that height. What is voted
//! on is the hash of a block; bodies travel beside the votes and are asked for by hash. A height is opened when something
//! waits for it, when a valid proposal of its leader is there, or when more than a third of its validators vote on it; it
//! then stays open until it is decided.
//!
//! Safety rests on one order: what a node was told goes into its log, the log to disk, the highest step that it signed
//! into the file beside its keys, and only then a message out. After a crash the log is fed again and leads to the same
//! messages.

mod bodies;
mod certificates;
mod context;
mod convert;
mod effect;
mod engine;
mod error;
mod evidence;
mod future;
mod guard;
mod input;
mod intake;
mod log;
mod machine;
mod message;
mod proposals;
mod settle;
mod sync;
#[cfg(test)]
mod tests;
mod timer;
mod verifier;
mod wire;

pub use effect::{Decision, Effect, Fault, Recipient};
pub use error::BftError;
pub use evidence::Evidence;
pub use future::HEIGHTS_AHEAD;
pub use guard::SigningGuard;
pub use input::{BuiltBlock, HeightFacts, Input, Now, Peer, Verdict};
pub use log::{LOG_VERSION, LogEntry};
pub use machine::{Machine, MachineConfig};
pub use message::{Body, Message, PolkaCertificate, RoundCertificate, RoundReason, SignedVote};
pub use timer::{BODY_WAIT_MS, SYNC_WAIT_MS, Timeouts, Timer, TimerKind};
pub use verifier::{REMEMBERED_CHECKS, Verifier};
pub use wire::{MAX_BLOCK_BYTES, MAX_MESSAGE_BYTES, WIRE_VERSION, WireError};
