//! The genesis contracts as every chain holds them: their committed code, run under the chain's own rules and limits.
//! A rule that a contract does not keep here could never be mended on a chain that has begun.

mod anchors;
mod artefacts;
mod chunk_store;
mod gas;
mod harness;
mod nodes;
mod pools;
mod votes;
