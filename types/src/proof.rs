use crate::{certificate::Certificate, manifest::Manifest, spec::ChainSpec, validator::ValidatorSet};
use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

/// Version of the proof file's format.
pub const PROOF_VERSION: u32 = 1;

/// A self-contained proof that a session was anchored, and optionally that chunks belong to it.
///
/// It holds nothing that its checker does not check, and is judged against one thing that the reader knows from
/// elsewhere: the hash of the chain's genesis header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnchorProof {
    /// Version of this format: [`PROOF_VERSION`].
    pub version: u32,
    /// The chain spec whose hash the genesis header carries.
    pub chain_spec: ChainSpec,
    /// RLP of the genesis header.
    pub genesis_header: Bytes,
    /// Every change of the validator set between genesis and the anchor, by rising height; empty where there is none.
    pub set_changes: Vec<SetChange>,
    /// RLP of the header of the block that holds the anchor.
    pub header: Bytes,
    /// What made that block final.
    pub certificate: Certificate,
    /// Place of the transaction in the block.
    pub transaction_index: u64,
    /// Merkle-Patricia path to the transaction's receipt under the header's receipts root, root node first.
    pub receipt_path: Vec<Bytes>,
    /// Place of the `SessionRegistered` event among the receipt's logs.
    pub log_index: u64,
    /// The account that registered the session.
    pub account: Address,
    /// What was anchored.
    pub manifest: Manifest,
    /// Chunks that are proved to belong to the session, by rising index.
    pub chunks: Vec<ChunkPath>,
}

/// A block after which another validator set votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetChange {
    /// RLP of the block's header.
    pub header: Bytes,
    /// What made it final, under the set before.
    pub certificate: Certificate,
    /// The set after it.
    pub next_set: ValidatorSet,
}

/// The path from one encrypted chunk to the Merkle root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChunkPath {
    /// Index of the chunk.
    pub index: u32,
    /// BLAKE3 of the encrypted chunk.
    pub leaf: B256,
    /// The neighbour at each level, from the leaf's up; an odd last node is its own neighbour.
    pub siblings: Vec<B256>,
}
