//! Several nodes of the real consensus in one thread, with a clock that is only a number, all of it under one seed.
//!
//! Links lose, delay, double and reorder; the network falls apart and heals; nodes die at any effect of the machine and
//! come back with what was on their disk, or with an older copy of it; their clocks differ; up to a third of them attack.
//! What must hold is looked at from outside: no two nodes commit different blocks at a height, no honest node signs two
//! messages for one step, and once more than two thirds are up and connected a height is decided within five slots.
//!
//! Nodes have one of two ledgers. The synthetic one is small and quick, and all nodes vote. The real one is the node's own
//! chain and store on disks whose power is cut: validators come and go, and the order follows from work.
//!
//! A run is a function of its seed: one that fails prints the seed that repeats it.

mod attackers;
mod chain;
mod host;
mod ledger;
mod links;
mod plan;
mod real;
mod registry;
mod rng;
mod setting;
mod synthetic;
#[cfg(test)]
mod tests;
mod watch;
mod world;

pub use attackers::{Attack, Attacker, AttackerKind};
pub use chain::SimChain;
pub use ledger::{Craft, Failed, Head, Ledger, LedgerKind, Motion, News};
pub use plan::Plan;
pub use rng::Rng;
pub use setting::{Setting, Summary};
pub use synthetic::{Memory, Synthetic};
pub use watch::Failure;
pub use world::{World, run};
