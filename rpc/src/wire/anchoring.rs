use crate::{
    api::{AnchorAccepted, AnchorError, AnchorRequest, MerkleBuilt, VerifiedAnchor},
    error::RpcError,
    limits::{MAX_ANCHOR_TRANSACTIONS, MAX_TEXT_BYTES, MAX_TIME_SECS},
};
use alloy_primitives::{Address, B256, Bytes};
use lucid_storage::{AnchoringStatus, SessionAnchoringRecord};
use lucid_types::{AnchoringId, ChunkPath, MAX_CHUNK_BYTES, Manifest, SessionId};
use serde::{Deserialize, Serialize};

/// The parameter of `lucid_anchorSession`. The lists have one entry per chunk, by index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorRequestDocument {
    /// What is anchored.
    pub manifest: Manifest,
    /// BLAKE3 of each encrypted chunk.
    pub leaves: Vec<B256>,
    /// SHA-256 of each encrypted chunk.
    pub ciphertext_sha256: Vec<B256>,
    /// Bytes of each encrypted chunk.
    pub size_bytes: Vec<u64>,
    /// Where each chunk lies. Recorded, never read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_path: Option<Vec<String>>,
    /// When the session began, in Unix seconds.
    pub started_at: u64,
    /// Owner of the session; the registering account where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
    /// Transactions that the caller signed, in nonce order; absent for the node's key to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<Bytes>>,
    /// Whose session it is, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

impl AnchorRequestDocument {
    /// Checks the manifest, and every list against it.
    pub(crate) fn check(self) -> Result<AnchorRequest, RpcError> {
        self.manifest.check().map_err(AnchorError::Manifest)?;
        let chunks = self.manifest.chunk_count as usize;
        let local_paths = self.local_path.unwrap_or_default();
        for (name, length) in [
            ("leaves", self.leaves.len()),
            ("ciphertext_sha256", self.ciphertext_sha256.len()),
            ("size_bytes", self.size_bytes.len()),
            ("local_path", if local_paths.is_empty() { chunks } else { local_paths.len() }),
        ] {
            if length != chunks {
                return invalid(format!("{name} has {length} entries and the manifest names {chunks} chunks"));
            }
        }
        if let Some(index) = self.size_bytes.iter().position(|size| !(1..=MAX_CHUNK_BYTES).contains(size)) {
            return invalid(format!("size_bytes of chunk {index} is not between 1 and {MAX_CHUNK_BYTES}"));
        }
        // No overflow: at most 16,384 sizes of at most 2^30.
        let total: u64 = self.size_bytes.iter().sum();
        if total != self.manifest.total_size {
            let named = self.manifest.total_size;
            return invalid(format!("size_bytes add up to {total} and the manifest's totalSize is {named}"));
        }
        if self.started_at > MAX_TIME_SECS {
            let named = self.started_at;
            return invalid(format!("started_at is {named}, which is no time in Unix seconds before the year 10000"));
        }
        let texts = local_paths.iter().chain(&self.user_id);
        if texts.into_iter().any(|text| text.len() > MAX_TEXT_BYTES) {
            return invalid(format!("local_path and user_id have at most {MAX_TEXT_BYTES} bytes each"));
        }
        let transactions = self.transactions.unwrap_or_default();
        if transactions.len() > MAX_ANCHOR_TRANSACTIONS {
            return invalid(format!("transactions has more than {MAX_ANCHOR_TRANSACTIONS} entries"));
        }
        Ok(AnchorRequest {
            manifest: self.manifest,
            leaves: self.leaves,
            ciphertext_sha256: self.ciphertext_sha256,
            size_bytes: self.size_bytes,
            local_paths,
            started_at: self.started_at,
            owner: self.owner,
            transactions,
            user_id: self.user_id,
        })
    }
}

fn invalid<T>(text: String) -> Result<T, RpcError> {
    Err(RpcError::InvalidRequest(text))
}

/// The answer of `lucid_anchorSession`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorAcceptedDocument {
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
    /// When that slot ends, in Unix seconds; absent where blocks do not wait for slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_end_time: Option<u64>,
}

impl From<AnchorAccepted> for AnchorAcceptedDocument {
    fn from(accepted: AnchorAccepted) -> Self {
        Self {
            anchoring_id: accepted.anchoring_id,
            session_id: accepted.session_id,
            account: accepted.account,
            status: accepted.status,
            merkle_root: accepted.merkle_root,
            transaction_hash: accepted.transaction_hash,
            slot: accepted.slot,
            slot_end_time: accepted.slot_end_time,
        }
    }
}

/// An anchoring that this node was asked for, as the `session_anchorings` collection has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchoringDocument {
    /// Name of the job.
    pub anchoring_id: AnchoringId,
    /// The session.
    pub session_id: SessionId,
    /// The account that registers it.
    pub account: Address,
    /// Its owner.
    pub owner_addr: Address,
    /// Whose session it is, in the words of the program that asked.
    pub user_id: Option<String>,
    /// How far it has come.
    pub status: AnchoringStatus,
    /// When the session began, in Unix seconds.
    pub started_at: u64,
    /// BLAKE3 of its manifest.
    pub manifest_hash: B256,
    /// Merkle root over its chunks.
    pub merkle_root: B256,
    /// Number of its chunks.
    pub chunk_count: u32,
    /// The registration, then the chunks' metadata.
    pub transactions: Vec<AnchoringTransactionDocument>,
    /// How often its transactions were sent.
    pub attempts: u32,
    /// When it was asked for, in Unix seconds.
    pub created_at: u64,
    /// When it last changed, in Unix seconds.
    pub updated_at: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Height of the block that holds the registration.
    pub block_number: Option<u64>,
}

/// A transaction of an anchoring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchoringTransactionDocument {
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    /// Height of its block; null where it waits.
    pub block_number: Option<u64>,
}

impl AnchoringDocument {
    /// Key and record of the collection, joined, with the height of each transaction's block.
    pub(crate) fn new(anchoring_id: AnchoringId, job: SessionAnchoringRecord, blocks: &[Option<u64>]) -> Self {
        let transactions = job.transactions.iter().zip(blocks).map(|(sent, block)| AnchoringTransactionDocument {
            hash: sent.hash,
            nonce: sent.nonce,
            block_number: *block,
        });
        Self {
            anchoring_id,
            session_id: job.session_id,
            account: job.account,
            owner_addr: job.owner,
            transactions: transactions.collect(),
            user_id: job.user_id,
            status: job.status,
            started_at: job.started_at,
            manifest_hash: job.manifest_hash,
            merkle_root: job.merkle_root,
            chunk_count: job.chunk_count,
            attempts: job.attempts,
            created_at: job.created_at,
            updated_at: job.updated_at,
            last_error: job.last_error,
            block_number: job.block_number,
        }
    }
}

/// The answer of `lucid_verifyAnchorProof`: a verdict, with what failed or what was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorVerdictDocument {
    /// Whether every step of the check held.
    pub valid: bool,
    /// A sentence that names what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a proof that holds has shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<VerifiedAnchorDocument>,
}

impl From<Result<VerifiedAnchor, String>> for AnchorVerdictDocument {
    fn from(verdict: Result<VerifiedAnchor, String>) -> Self {
        match verdict {
            Ok(anchor) => Self { valid: true, reason: None, anchor: Some(anchor.into()) },
            Err(reason) => Self { valid: false, reason: Some(reason), anchor: None },
        }
    }
}

/// What a proof that holds has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedAnchorDocument {
    /// The session.
    pub session_id: SessionId,
    /// The account that registered it.
    pub account: Address,
    /// Its owner, as registered.
    pub owner_addr: Address,
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
    /// Genesis hash that the proof was checked against.
    pub genesis_hash: B256,
}

impl From<VerifiedAnchor> for VerifiedAnchorDocument {
    fn from(anchor: VerifiedAnchor) -> Self {
        Self {
            session_id: anchor.session_id,
            account: anchor.account,
            owner_addr: anchor.owner,
            merkle_root: anchor.merkle_root,
            manifest_hash: anchor.manifest_hash,
            chunk_count: anchor.chunk_count,
            chunks: anchor.chunks,
            block_number: anchor.block_number,
            block_hash: anchor.block_hash,
            block_timestamp: anchor.block_timestamp,
            genesis_hash: anchor.genesis_hash,
        }
    }
}

/// The answer of `lucid_buildMerkle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerkleDocument {
    /// The root.
    pub merkle_root: B256,
    /// Number of leaves.
    pub leaf_count: usize,
    /// Levels above the leaves.
    pub height: u32,
    /// The paths that were asked for.
    pub paths: Vec<ChunkPath>,
}

impl MerkleDocument {
    pub(crate) fn new(leaf_count: usize, built: MerkleBuilt) -> Self {
        Self { merkle_root: built.merkle_root, leaf_count, height: built.height, paths: built.paths }
    }
}
