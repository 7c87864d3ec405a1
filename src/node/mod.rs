//! The one room that knows all the others: opens the store, makes and commits blocks, answers the RPC server, runs the
//! anchorings, and stops in order.
//!
//! Only this room owns tasks, timers and the wall clock. Everything that writes goes through [`Node::write`], one
//! batch at a time; a block is committed by one function, `commit_final`, with all that belongs to it or not at all.

mod access;
mod anchorings;
mod backend;
mod blocks;
pub mod care;
mod clock;
mod datadir;
mod dev;
mod devnet;
mod error;
mod guards;
mod init;
mod launch;
mod no_block;
mod payouts;
mod pool_saver;
#[cfg(test)]
mod power_cuts;
mod proof_pool;
mod proofs;
mod solo;
mod state;
mod status;
mod store_bound;
mod supervise;
mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tokens;
mod turn;
#[cfg(feature = "testing")]
mod voter;
mod voting;

pub use access::check_config;
pub use blocks::Sealing;
pub use datadir::{DataDir, no_store};
pub use dev::dev_chain_spec;
pub use devnet::{DevnetNode, DevnetOptions, make_devnet};
pub use error::NodeError;
pub use guards::{SealingStop, SealingStops};
pub use init::{Initialised, NewChain, NewConfig, init};
pub use launch::{LaunchOptions, RunOptions, RunningNode, launch, run};
pub use solo::{SoloSpecError, solo_chain_spec};
pub use state::Node;
pub use status::RunFacts;
pub use tokens::{TokenFileError, read_token_file};
#[cfg(feature = "testing")]
pub use voter::{News, Voter};
