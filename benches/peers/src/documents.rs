//! The documents that are measured with: chunks of sessions as a host records them, a thousand to a session.

use alloy_primitives::{Address, B256};
use lucid_types::{SessionId, blake3};

/// Chunks of one session.
pub const SESSION_CHUNKS: u64 = 1_000;

/// A chunk, in plain values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub session_id: [u8; 16],
    pub idx: u32,
    pub account: [u8; 20],
    pub local_path: String,
    pub ciphertext_sha256: [u8; 32],
    pub size_bytes: u64,
}

impl Chunk {
    /// The chunk of a number. Sessions have random ids; the chunks of one come in order.
    pub fn nth(number: u64) -> Self {
        let (session, idx) = (number / SESSION_CHUNKS, (number % SESSION_CHUNKS) as u32);
        let session_id = session_id(session);
        let shown = SessionId::from_bytes(session_id).map(|id| id.to_string()).unwrap_or_default();
        Self {
            session_id,
            idx,
            account: Address::repeat_byte(7).into(),
            local_path: format!("/srv/lucid/recordings/host-0001/2026-11-21/{shown}/chunk-{idx:05}.zst.enc"),
            ciphertext_sha256: scattered(number, b"chunk").into(),
            size_bytes: 9_000_000 + u64::from(idx),
        }
    }
}

/// The id of a session.
pub fn session_id(session: u64) -> [u8; 16] {
    let mut random = [0; 16];
    random.copy_from_slice(&scattered(session, b"session")[..16]);
    *SessionId::from_random(random).as_bytes()
}

/// Numbers in no order, the same in every run.
pub fn random(seed: u64, below: u64) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&scattered(seed, b"random")[..8]);
    u64::from_be_bytes(bytes) % below.max(1)
}

fn scattered(number: u64, what: &[u8]) -> B256 {
    blake3([&number.to_be_bytes()[..], what])
}
