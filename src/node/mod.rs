//! The one room that knows all the others: opens the store, makes and commits blocks, answers the RPC server, runs the
//! anchorings, and stops in order.
//!
//! Only this room owns tasks, timers and the wall clock. Everything that writes goes through [`Node::write`], one
//! batch at a time; a block is committed by one function, [`Node::commit_block`], with all that belongs to it or not at all.

mod anchorings;
mod backend;
mod blocks;
mod clock;
mod datadir;
mod dev;
mod error;
mod launch;
mod proofs;
mod state;
mod tokens;

pub use blocks::Sealing;
pub use datadir::DataDir;
pub use dev::dev_chain_spec;
pub use error::NodeError;
pub use launch::{LaunchOptions, RunningNode, launch};
pub use state::Node;
pub use tokens::{TokenFileError, load_or_create_tokens, read_token_file};
