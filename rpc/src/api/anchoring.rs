use alloy_primitives::{Address, B256, Bytes};
use lucid_storage::AnchoringStatus;
use lucid_types::{AnchorProof, AnchoringId, ChunkPath, Manifest, SessionId};

/// A session to be anchored. The interface has checked that the lists have one entry per chunk of the manifest
/// and that all stay within their bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorRequest {
    /// What is anchored.
    pub manifest: Manifest,
    /// BLAKE3 of each encrypted chunk, by index.
    pub leaves: Vec<B256>,
    /// SHA-256 of each encrypted chunk, by index.
    pub ciphertext_sha256: Vec<B256>,
    /// Bytes of each encrypted chunk, by index.
    pub size_bytes: Vec<u64>,
    /// Where each chunk lies on the reader's machine, by index; empty where he does not say. Recorded, never read.
    pub local_paths: Vec<String>,
    /// When the session began, in Unix seconds.
    pub started_at: u64,
    /// Owner of the session; the account that registers it where this is absent.
    pub owner: Option<Address>,
    /// Transactions that the reader signed himself, in nonce order; empty for the node's key to sign.
    pub transactions: Vec<Bytes>,
    /// Whose session it is, in the words of the program that asks. Recorded only.
    pub user_id: Option<String>,
}

/// An anchoring that the node has taken and will see through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorAccepted {
    /// Name of the job.
    pub anchoring_id: AnchoringId,
    /// The session.
    pub session_id: SessionId,
    /// The account that registers it.
    pub account: Address,
    /// How far it has come.
    pub status: AnchoringStatus,
    /// Merkle root over the leaves.
    pub merkle_root: B256,
    /// Hash of the transaction that registers the session.
    pub transaction_hash: B256,
    /// The slot that the node's clock shows.
    pub slot: u64,
    /// When that slot ends, in Unix seconds; `None` where blocks do not wait for slots.
    pub slot_end_time: Option<u64>,
}

/// Which proof is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRequest {
    /// The session.
    pub session_id: SessionId,
    /// The account that registered it; needed only where several have.
    pub account: Option<Address>,
    /// Chunks to be proved beside the session, by rising index, each once.
    pub chunks: Vec<u32>,
}

/// A proof to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRequest {
    /// The proof.
    pub proof: AnchorProof,
    /// Hash of the genesis header of the chain it should be from; this node's chain where absent.
    pub genesis_hash: Option<B256>,
    /// The account that should have registered the session, where it matters.
    pub account: Option<Address>,
}

/// What a proof that holds has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAnchor {
    /// The session.
    pub session_id: SessionId,
    /// The account that registered it.
    pub account: Address,
    /// Its owner, as registered.
    pub owner: Address,
    /// Merkle root over its chunks.
    pub merkle_root: B256,
    /// BLAKE3 of its manifest.
    pub manifest_hash: B256,
    /// Number of its chunks.
    pub chunk_count: u32,
    /// Chunks shown to belong to it.
    pub chunks: Vec<u32>,
    /// Height of the block that holds the anchor.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// Its timestamp, in Unix seconds.
    pub block_timestamp: u64,
    /// Genesis hash it was checked against.
    pub genesis_hash: B256,
}

/// A Merkle tree, without the nodes that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleBuilt {
    /// The root.
    pub merkle_root: B256,
    /// Levels above the leaves.
    pub height: u32,
    /// The paths that were asked for, in the order of the indexes.
    pub paths: Vec<ChunkPath>,
}
