//! The Lucid node as a library: its rooms, bottom to top. `ARCHITECTURE.md` is the map.

pub mod anchoring;
pub mod chain;
pub mod cli;
pub mod config;
pub mod consensus;
pub mod doctor;
pub mod evm;
pub mod export;
pub mod keys;
pub mod mempool;
pub mod network;
pub mod node;
pub mod service;
pub mod state;

#[cfg(test)]
mod testing;
