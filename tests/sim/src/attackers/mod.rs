//! Nodes that attack. Each runs the real machine and changes what comes out of it, or adds to it; each is a file.

mod attack;
mod bad_vrf;
mod equivocator;
mod flooder;
mod forged_proofs;
mod forger;
mod invalid_block;
mod liar;
mod replayer;
mod silent_leader;
mod withholder;

pub use attack::{Attack, Attacker, AttackerKind};
