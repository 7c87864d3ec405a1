//! Sessions, their chunks, and how they come onto the chain.

use super::word::words;
use crate::{
    codec::{self, Record},
    schema::fields,
};
use alloy_primitives::{Address, B256};
use lucid_types::{SessionId, Value};
use serde::{Deserialize, Serialize};

words! {
    /// How far the anchoring of a session has come.
    AnchoringStatus {
        /// Accepted; nothing is sent yet.
        Pending = "pending",
        /// Its transactions are on their way.
        Processing = "processing",
        /// The root is in a final block.
        Confirmed = "confirmed",
        /// It cannot be anchored.
        Failed = "failed",
        /// It was given up after too long a time.
        Expired = "expired",
    }
}

words! {
    /// What is known of a chunk, as LucidChunkStore has it.
    ChunkStatus {
        /// Its metadata is not on chain yet.
        Pending = "pending",
        /// Its metadata is on chain.
        Stored = "stored",
        /// Its bytes were read and have the hash.
        Verified = "verified",
        /// It has copies elsewhere.
        Replicated = "replicated",
        /// Its file is gone.
        Missing = "missing",
        /// Its bytes have another hash.
        Corrupted = "corrupted",
        /// It was moved to cold storage.
        Archived = "archived",
    }
}

/// A session, by its id and the account that registered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Whom the session belongs to.
    pub owner_addr: Address,
    /// When the recording began.
    pub started_at: u64,
    /// When it ended. Known only here.
    pub ended_at: Option<u64>,
    /// BLAKE3 of the manifest.
    pub manifest_hash: B256,
    /// Root over the encrypted chunks.
    pub merkle_root: B256,
    /// Number of chunks.
    pub chunk_count: u32,
    /// Transaction that registered it.
    pub anchor_txid: Option<B256>,
    /// Height of that transaction's block.
    pub block_number: Option<u64>,
    /// Gas that it used.
    pub gas_used: Option<u64>,
    /// How far its anchoring has come; known only here until it is registered.
    pub status: AnchoringStatus,
}

/// An encrypted chunk, by its session, place and account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRecord {
    /// Its file. Known only here.
    pub local_path: Option<String>,
    /// SHA-256 of its bytes.
    pub ciphertext_sha256: B256,
    /// Number of its bytes.
    pub size_bytes: u64,
    /// What is known of it.
    pub status: ChunkStatus,
}

/// A transaction that an anchoring has signed and may send again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransaction {
    /// keccak256 of `raw`.
    pub hash: B256,
    /// Nonce of the account.
    pub nonce: u64,
    /// The signed transaction (EIP-2718).
    #[serde(with = "codec::bytes")]
    pub raw: Vec<u8>,
}

/// One request to anchor a session, by its anchoring id: all that is needed to go on after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionAnchoringRecord {
    /// The session.
    #[serde(with = "codec::session_id")]
    pub session_id: SessionId,
    /// Account that registers it.
    pub account: Address,
    /// Whom the session belongs to.
    pub owner: Address,
    /// Who asked for it, where that is known.
    pub user_id: Option<String>,
    /// How far it has come.
    pub status: AnchoringStatus,
    /// When the recording began.
    pub started_at: u64,
    /// Canonical JSON of the manifest.
    #[serde(with = "codec::bytes")]
    pub manifest: Vec<u8>,
    /// BLAKE3 of the manifest.
    pub manifest_hash: B256,
    /// Root over the encrypted chunks.
    pub merkle_root: B256,
    /// Number of chunks. Their leaves are in `merkle_trees`, their hashes and sizes in `chunks`.
    pub chunk_count: u32,
    /// Signed transactions in nonce order: the registration, then the chunks' metadata.
    pub transactions: Vec<SignedTransaction>,
    /// How often the transactions were sent.
    pub attempts: u32,
    /// When it was asked for.
    pub created_at: u64,
    /// When this record last changed.
    pub updated_at: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Transaction that registered the session.
    pub transaction_id: Option<B256>,
    /// Height of that transaction's block.
    pub block_number: Option<u64>,
}

/// The Merkle tree of a session's chunks, by its tree id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerkleTreeRecord {
    /// The session.
    #[serde(with = "codec::session_id")]
    pub session_id: SessionId,
    /// Root of the tree.
    pub root_hash: B256,
    /// Levels above the leaves.
    pub height: u8,
    /// Number of leaves.
    pub leaf_count: u32,
    /// BLAKE3 of each chunk in order, 32 bytes each. Inner nodes are computed when they are asked for.
    #[serde(with = "codec::bytes")]
    pub leaves: Vec<u8>,
    /// When it was built.
    pub created_at: u64,
}

impl MerkleTreeRecord {
    /// The tree's id: BLAKE3 of session id (16 bytes) and root (32). So the same tree is one row however often
    /// it is built.
    pub fn tree_id(&self) -> B256 {
        Self::id_of(&self.session_id, self.root_hash)
    }

    /// The id of the tree of a session with this root.
    pub fn id_of(session_id: &SessionId, root_hash: B256) -> B256 {
        lucid_types::blake3([&session_id.as_bytes()[..], root_hash.as_slice()])
    }
}

impl Record for SessionRecord {
    const VERSION: u8 = 1;
}

impl Record for ChunkRecord {
    const VERSION: u8 = 1;
}

impl Record for SessionAnchoringRecord {
    const VERSION: u8 = 1;
}

impl Record for MerkleTreeRecord {
    const VERSION: u8 = 1;
}

/// Canonical JSON as the text that it is.
fn json_text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fields! {
    SessionRecord {
        owner_addr, started_at: Date, ended_at: Date, manifest_hash, merkle_root, chunk_count, anchor_txid, block_number,
        gas_used, status,
    }
    ChunkRecord { local_path, ciphertext_sha256, size_bytes, status }
    SignedTransaction { hash, nonce, raw }
    SessionAnchoringRecord {
        session_id, account, owner, user_id, status, started_at: Date, manifest: Text => json_text, manifest_hash,
        merkle_root, chunk_count, transactions, attempts, created_at: Date, updated_at: Date, last_error,
        transaction_id, block_number,
    }
    MerkleTreeRecord {
        session_id, root_hash, height: U8 => |height: &u8| Value::Int((*height).into()), leaf_count, leaves,
        created_at: Date,
    }
}
