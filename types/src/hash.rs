use alloy_primitives::B256;

/// BLAKE3 of the parts laid end to end.
pub fn blake3<const N: usize>(parts: [&[u8]; N]) -> B256 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    B256::from(*hasher.finalize().as_bytes())
}
