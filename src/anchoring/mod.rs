//! Room `anchoring`: a finished session becomes a root on chain, and a proof of it that needs no chain.
//!
//! Everything here but [`ChunkFolder`] and [`digest_file`] is pure: no files, no clock, no node.

mod calls;
mod checker;
mod events;
mod merkle;
mod meta;
mod reader;

pub use calls::{AnchorCall, CallsError, ChunkMetadata, MAX_RUN_CHUNKS, Registration, anchor_calls};
pub use checker::{
    Checked, MAX_HEADER_BYTES, MAX_PROOF_BYTES, MAX_RECEIPT_NODE_BYTES, MAX_RECEIPT_PATH_NODES, MAX_SET_CHANGES,
    ProofError, ProofPart, ReceiptPathError, check, parse_proof,
};
pub use events::write_events;
pub use merkle::{MAX_LEAVES, MAX_TREE_HEIGHT, MerkleError, MerkleTree, tree_height, verify_path};
pub use meta::{ChunkFacts, MAX_META_BYTES, MetaError, SessionMeta};
pub use reader::{ChunkFolder, FileDigest, Progress, ReadChunk, ReadError, digest_file};
