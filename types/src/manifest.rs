use crate::{
    canonical::{CanonicalError, canonical_json},
    hash::blake3,
    ids::SessionId,
    spec::MAX_JSON_INTEGER,
};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

/// Most chunks in one session: a recording of a day at the smallest chunk size stays far below.
pub const MAX_CHUNKS: u32 = 16_384;

/// Most bytes in one encrypted chunk (1 GiB), as LucidChunkStore has it.
pub const MAX_CHUNK_BYTES: u64 = 1 << 30;

/// Why a manifest describes no session that can be anchored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// No chunk, or too many of them.
    #[error("a session has 1 to {MAX_CHUNKS} chunks; the manifest says {0}")]
    ChunkCount(u32),
    /// More bytes than so many chunks can hold, or none.
    #[error("{chunk_count} chunks cannot hold {total_size} bytes")]
    TotalSize {
        /// Chunks in the manifest.
        chunk_count: u32,
        /// Bytes in the manifest.
        total_size: u64,
    },
    /// A time that JSON readers do not carry exactly, so that the hash would not fix it.
    #[error("the manifest's createdAt is {0}, and Unix seconds in JSON end at 2^53 - 1")]
    CreatedAt(u64),
    /// A list or text of the optional fields is too long.
    #[error("the manifest's {0} is too long")]
    TooLong(&'static str),
}

/// What a session was: the record whose BLAKE3 hash is anchored beside the Merkle root.
///
/// A field without a source is absent and never made up, so the hash says only what was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The session.
    pub session_id: SessionId,
    /// Number of encrypted chunks.
    pub chunk_count: u32,
    /// Bytes of all encrypted chunks.
    pub total_size: u64,
    /// Root of the BLAKE3 tree over the encrypted chunks.
    pub merkle_root: B256,
    /// When the manifest was made, in Unix seconds.
    pub created_at: u64,
    /// Public keys of those who took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<Bytes>>,
    /// Codec of the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Version of the recorder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorder_version: Option<String>,
    /// Fingerprint of the recording device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_fingerprint: Option<String>,
    /// Hash of the policy that the session was recorded under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_hash: Option<B256>,
    /// Public keys of those who watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observers: Option<Vec<Bytes>>,
}

/// Most public keys in one list of a manifest.
const MAX_KEYS: usize = 256;
/// Most bytes in one public key.
const MAX_KEY_BYTES: usize = 256;
/// Most bytes in one text of a manifest.
const MAX_TEXT_BYTES: usize = 256;

impl Manifest {
    /// The canonical JSON (RFC 8785) whose hash is anchored.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical_json(self)
    }

    /// BLAKE3 of the canonical JSON: the contract's `manifestHash`.
    pub fn hash(&self) -> Result<B256, CanonicalError> {
        Ok(blake3([&self.canonical_bytes()?]))
    }

    /// Checks counts, sizes and lengths.
    pub fn check(&self) -> Result<(), ManifestError> {
        if !(1..=MAX_CHUNKS).contains(&self.chunk_count) {
            return Err(ManifestError::ChunkCount(self.chunk_count));
        }
        let most = u64::from(self.chunk_count) * MAX_CHUNK_BYTES;
        if !(u64::from(self.chunk_count)..=most).contains(&self.total_size) {
            return Err(ManifestError::TotalSize { chunk_count: self.chunk_count, total_size: self.total_size });
        }
        if self.created_at > MAX_JSON_INTEGER {
            return Err(ManifestError::CreatedAt(self.created_at));
        }
        for (name, keys) in [("participants", &self.participants), ("observers", &self.observers)] {
            let keys = keys.as_deref().unwrap_or_default();
            if keys.len() > MAX_KEYS || keys.iter().any(|key| key.len() > MAX_KEY_BYTES) {
                return Err(ManifestError::TooLong(name));
            }
        }
        for (name, text) in [
            ("codec", &self.codec),
            ("recorderVersion", &self.recorder_version),
            ("deviceFingerprint", &self.device_fingerprint),
        ] {
            if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
                return Err(ManifestError::TooLong(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            session_id: SessionId::from_random([1; 16]),
            chunk_count: 2,
            total_size: 20,
            merkle_root: B256::repeat_byte(3),
            created_at: 1_800_000_000,
            participants: None,
            codec: None,
            recorder_version: None,
            device_fingerprint: None,
            policy_hash: None,
            observers: None,
        }
    }

    #[test]
    fn a_field_without_a_source_is_absent() {
        let text = String::from_utf8(manifest().canonical_bytes().unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"chunkCount\":2,\"createdAt\":1800000000,\
             \"merkleRoot\":\"0x0303030303030303030303030303030303030303030303030303030303030303\",\
             \"sessionId\":\"01010101-0101-4101-8101-010101010101\",\"totalSize\":20}"
        );
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest());
    }

    #[test]
    fn the_hash_covers_optional_fields() {
        let with = Manifest { codec: Some("h264".into()), ..manifest() };
        assert_ne!(with.hash().unwrap(), manifest().hash().unwrap());
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert_eq!(manifest().check(), Ok(()));
        assert_eq!(Manifest { chunk_count: 0, ..manifest() }.check(), Err(ManifestError::ChunkCount(0)));
        let too_many = MAX_CHUNKS + 1;
        assert_eq!(Manifest { chunk_count: too_many, ..manifest() }.check(), Err(ManifestError::ChunkCount(too_many)));
        let empty = ManifestError::TotalSize { chunk_count: 2, total_size: 1 };
        assert_eq!(Manifest { total_size: 1, ..manifest() }.check(), Err(empty));
        let inexact = Manifest { created_at: 1 << 53, ..manifest() };
        assert_eq!(inexact.check(), Err(ManifestError::CreatedAt(1 << 53)));
        let long = Manifest { codec: Some("x".repeat(257)), ..manifest() };
        assert_eq!(long.check(), Err(ManifestError::TooLong("codec")));
    }
}
