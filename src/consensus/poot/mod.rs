//! PoOT, proof of operational tasks: work decides who leads.
//!
//! Nodes claim work in task proofs ([`TaskProof`]), which reach the chain in batches. From final blocks alone follow the
//! credits of each node ([`session_work`] and the like), the tally of each epoch ([`tally`]), the order of leaders of each
//! height ([`Order`]), who votes ([`validator_set_at`]) and what is minted ([`reward`]). [`write_final_block`] writes what a
//! block adds to the rows of all that; [`next_schedule`] reads from them what holds for the next height.
//!
//! Invariants: integers only, rounded down; nothing depends on this node, its clock or the order of a map; and a proof that
//! breaks a rule counts nothing and never makes a block invalid.

mod counted;
mod credits;
mod error;
mod final_block;
mod mint;
mod minting;
mod order;
mod registry;
mod replay;
mod schedule;
mod tally;
mod task_proof;
mod vrf;

pub use counted::{ProofTerms, check_task_proof};
pub use credits::{PPM, after_misses, live_score, session_work, signature_credits, storage_credits, uptime_ppm};
pub use error::PootError;
pub use final_block::{FinalBlock, set_after, write_final_block, write_genesis};
pub use mint::{LUCID_WEI, reward};
pub use minting::Minting;
pub use order::{LeaderHistory, Order, OrderTerms, Place};
pub use registry::MemberList;
pub use replay::{replay_block, replayed_height};
pub use schedule::{Schedule, next_schedule, validator_set_at};
pub use tally::{TallyTerms, WindowSums, tally, tie_hash};
pub use task_proof::{TaskProof, TaskProofFault, task_proof_records};
pub use vrf::{VrfError, VrfOutput, vrf_alpha, vrf_prove, vrf_verify};
