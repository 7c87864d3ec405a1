//! The calls of one anchoring, in the order of their nonces: `registerSession`, then the chunks' metadata in runs.
//!
//! A run's gas cannot be estimated before the session is registered, so each call brings its gas limit along. What a
//! call uses does not depend on it; it only has to suffice.

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolCall;
use lucid_types::{
    MAX_CHUNK_BYTES, MAX_CHUNKS, SessionId,
    contracts::{LUCID_ANCHORS_ADDRESS, LUCID_CHUNK_STORE_ADDRESS, LucidAnchors, LucidChunkStore},
};

/// Most chunks in one run: 25,796 bytes of calldata, and about 1,370,000 gas, so that a block of 8,000,000 takes five.
pub const MAX_RUN_CHUNKS: usize = 400;

/// Gas of every transaction, and of its calldata per byte (EIP-2028); and the least that calldata costs, per token of
/// which a zero byte has one and any other four (EIP-7623).
const TRANSACTION_GAS: u64 = 21_000;
const ZERO_BYTE_GAS: u64 = 4;
const NON_ZERO_BYTE_GAS: u64 = 16;
const FLOOR_TOKEN_GAS: u64 = 10;
const TOKENS_PER_NON_ZERO_BYTE: u64 = 4;

/// What the contracts use at most beyond that, rounded up from measurements of their code under the Osaka rules:
/// 48,155 to register; 6,500 for a run, 22,487 for each fresh word of its bitmap, 2,554 for each chunk.
const REGISTER_GAS: u64 = 50_000;
const RUN_GAS: u64 = 7_000;
const RUN_WORD_GAS: u64 = 22_600;
const RUN_CHUNK_GAS: u64 = 2_600;
/// A tenth on top of the contracts' part: the limit costs nothing, and a run that falls short costs all of it.
const MARGIN_DIVISOR: u64 = 10;

/// Chunks whose bits share a storage word of LucidChunkStore.
const CHUNKS_PER_WORD: usize = 256;

/// Why a session cannot be anchored: the contracts would revert.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallsError {
    /// No chunk, or too many.
    #[error("a session has 1 to {MAX_CHUNKS} chunks, and {0} are to be anchored")]
    ChunkCount(usize),
    /// A field that the contract does not take as zero.
    #[error("{0} is zero")]
    Zero(&'static str),
    /// A chunk without a hash.
    #[error("the SHA-256 of chunk {0} is zero")]
    ChunkHash(u32),
    /// A chunk is empty or too large.
    #[error("chunk {index} has {size_bytes} bytes; a chunk has 1 to {MAX_CHUNK_BYTES}")]
    ChunkSize {
        /// The chunk.
        index: u32,
        /// Its size.
        size_bytes: u64,
    },
}

/// What `registerSession` says of a session, its chunk count apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// The session.
    pub session_id: SessionId,
    /// BLAKE3 of the canonical manifest.
    pub manifest_hash: B256,
    /// When the recording began, in Unix seconds.
    pub started_at: u64,
    /// Whose session it is.
    pub owner: Address,
    /// Root of the tree over the encrypted chunks.
    pub merkle_root: B256,
}

/// The metadata of one encrypted chunk, as LucidChunkStore takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkMetadata {
    /// SHA-256 of the encrypted chunk.
    pub ciphertext_sha256: B256,
    /// Its size.
    pub size_bytes: u64,
}

/// One call of an anchoring: a transaction without nonce, fees and signature. It carries no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorCall {
    /// The contract.
    pub to: Address,
    /// The calldata.
    pub input: Bytes,
    /// Gas limit to send it with.
    pub gas_limit: u64,
}

/// The calls that anchor a session with these chunks (by index), in the order of their nonces.
pub fn anchor_calls(session: &Registration, chunks: &[ChunkMetadata]) -> Result<Vec<AnchorCall>, CallsError> {
    let chunk_count = check(session, chunks)?;
    let register = LucidAnchors::registerSessionCall {
        sessionId: session.session_id.to_word(),
        manifestHash: session.manifest_hash,
        startedAt: session.started_at,
        owner: session.owner,
        merkleRoot: session.merkle_root,
        chunkCount: chunk_count,
    };
    let register = AnchorCall::new(LUCID_ANCHORS_ADDRESS, register.abi_encode(), REGISTER_GAS);
    let starts = (0..chunk_count).step_by(MAX_RUN_CHUNKS);
    let runs = starts.zip(chunks.chunks(MAX_RUN_CHUNKS)).map(|(first, run)| run_call(session.session_id, first, run));
    Ok(std::iter::once(register).chain(runs).collect())
}

fn run_call(session_id: SessionId, first_index: u32, run: &[ChunkMetadata]) -> AnchorCall {
    let first = first_index as usize;
    let words = (first + run.len()).div_ceil(CHUNKS_PER_WORD) - first / CHUNKS_PER_WORD;
    let gas = RUN_GAS + RUN_WORD_GAS * words as u64 + RUN_CHUNK_GAS * run.len() as u64;
    let call = LucidChunkStore::storeRunCall {
        sessionId: session_id.to_word(),
        firstIndex: first_index,
        hashes: run.iter().map(|chunk| chunk.ciphertext_sha256).collect(),
        sizes: run.iter().map(|chunk| chunk.size_bytes).collect(),
    };
    AnchorCall::new(LUCID_CHUNK_STORE_ADDRESS, call.abi_encode(), gas)
}

impl AnchorCall {
    /// `gas` is what the contract uses at most, beyond what the transaction and its calldata cost.
    fn new(to: Address, input: Vec<u8>, gas: u64) -> Self {
        let non_zero = input.iter().filter(|byte| **byte != 0).count() as u64;
        let zero = input.len() as u64 - non_zero;
        let standard =
            TRANSACTION_GAS + ZERO_BYTE_GAS * zero + NON_ZERO_BYTE_GAS * non_zero + gas + gas / MARGIN_DIVISOR;
        let floor = TRANSACTION_GAS + FLOOR_TOKEN_GAS * (zero + TOKENS_PER_NON_ZERO_BYTE * non_zero);
        Self { to, input: input.into(), gas_limit: standard.max(floor) }
    }
}

/// Refuses what the contracts would, before it costs a fee. Returns the number of chunks.
fn check(session: &Registration, chunks: &[ChunkMetadata]) -> Result<u32, CallsError> {
    let chunk_count = match u32::try_from(chunks.len()) {
        Ok(count @ 1..=MAX_CHUNKS) => count,
        _ => return Err(CallsError::ChunkCount(chunks.len())),
    };
    for (name, zero) in [
        ("the manifest hash", session.manifest_hash.is_zero()),
        ("the time at which the session started", session.started_at == 0),
        ("the session's owner", session.owner.is_zero()),
        ("the Merkle root", session.merkle_root.is_zero()),
    ] {
        if zero {
            return Err(CallsError::Zero(name));
        }
    }
    for (index, chunk) in (0..).zip(chunks) {
        if chunk.ciphertext_sha256.is_zero() {
            return Err(CallsError::ChunkHash(index));
        }
        if !(1..=MAX_CHUNK_BYTES).contains(&chunk.size_bytes) {
            return Err(CallsError::ChunkSize { index, size_bytes: chunk.size_bytes });
        }
    }
    Ok(chunk_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Registration {
        Registration {
            session_id: SessionId::from_random([5; 16]),
            manifest_hash: B256::repeat_byte(0xf1),
            started_at: u64::MAX,
            owner: Address::repeat_byte(0xf2),
            merkle_root: B256::repeat_byte(0xf3),
        }
    }

    fn chunks(count: usize) -> Vec<ChunkMetadata> {
        let chunk = |index: usize| ChunkMetadata {
            ciphertext_sha256: B256::left_padding_from(&(index as u32 + 1).to_be_bytes()),
            size_bytes: index as u64 + 1,
        };
        (0..count).map(chunk).collect()
    }

    #[test]
    fn every_chunk_is_in_one_run_and_the_runs_follow_the_registration() {
        for count in [1, 399, 400, 401, 1_000, MAX_CHUNKS as usize] {
            let chunks = chunks(count);
            let calls = anchor_calls(&session(), &chunks).unwrap();
            let (register, runs) = calls.split_first().unwrap();
            assert_eq!(register.to, LUCID_ANCHORS_ADDRESS);
            let register = LucidAnchors::registerSessionCall::abi_decode(&register.input).unwrap();
            assert_eq!((register.sessionId, register.chunkCount), (session().session_id.to_word(), count as u32));
            assert_eq!((register.manifestHash, register.merkleRoot), (session().manifest_hash, session().merkle_root));
            assert_eq!((register.startedAt, register.owner), (u64::MAX, session().owner));
            assert_eq!(runs.len(), count.div_ceil(MAX_RUN_CHUNKS));
            let mut stored = vec![];
            for run in runs {
                assert_eq!(run.to, LUCID_CHUNK_STORE_ADDRESS);
                assert!(run.input.len() < 32 * 1024 && run.gas_limit < 2_500_000, "{}", run.gas_limit);
                let run = LucidChunkStore::storeRunCall::abi_decode(&run.input).unwrap();
                assert_eq!((run.sessionId, run.firstIndex), (session().session_id.to_word(), stored.len() as u32));
                assert_eq!(run.hashes.len(), run.sizes.len());
                let both = run.hashes.into_iter().zip(run.sizes);
                stored.extend(
                    both.map(|(ciphertext_sha256, size_bytes)| ChunkMetadata { ciphertext_sha256, size_bytes }),
                );
            }
            assert_eq!(stored, chunks);
        }
    }

    #[test]
    fn the_calls_begin_with_the_published_selectors() {
        let calls = anchor_calls(&session(), &chunks(1)).unwrap();
        assert_eq!(calls[0].input[..4], [0x87, 0xfc, 0x35, 0x57]);
        assert_eq!(calls[1].input[..4], LucidChunkStore::storeRunCall::SELECTOR);
    }

    /// Chunks with hashes and sizes whose calldata is as dear as any.
    fn dear(count: usize) -> Vec<ChunkMetadata> {
        vec![ChunkMetadata { ciphertext_sha256: B256::repeat_byte(7), size_bytes: (1 << 30) - 1 }; count]
    }

    #[test]
    fn gas_limits_lie_above_what_was_measured_and_not_far() {
        // Gas used by the contracts' code under the Osaka rules, by first chunk and number of chunks, one after another.
        let measured =
            [(0, 1, 54_301), (2, 100, 357_967), (256, 256, 880_771), (0, 400, 1_369_758), (400, 400, 1_375_169)];
        for (first, count, used) in measured {
            let limit = run_call(session().session_id, first, &dear(count)).gas_limit;
            assert!(limit > used + used / 20 && limit < used + used / 4, "{first} {count}: {limit}");
        }
        let register = anchor_calls(&session(), &dear(1)).unwrap().remove(0);
        assert!((74_000..90_000).contains(&register.gas_limit), "{}", register.gas_limit);
    }

    #[test]
    fn a_limit_is_never_below_the_floor_of_calldata() {
        let call = AnchorCall::new(Address::ZERO, vec![1; 1_000], 0);
        assert_eq!(call.gas_limit, 21_000 + 10 * 4 * 1_000);
        let call = AnchorCall::new(Address::ZERO, vec![0; 1_000], 20_000);
        assert_eq!(call.gas_limit, 21_000 + 4 * 1_000 + 22_000);
    }

    #[test]
    fn what_the_contracts_would_revert_is_refused() {
        let refused = |session: Registration, chunks: &[ChunkMetadata]| anchor_calls(&session, chunks).unwrap_err();
        assert_eq!(refused(session(), &[]), CallsError::ChunkCount(0));
        let too_many = MAX_CHUNKS as usize + 1;
        assert_eq!(refused(session(), &chunks(too_many)), CallsError::ChunkCount(too_many));
        let one = chunks(1);
        assert!(matches!(refused(Registration { owner: Address::ZERO, ..session() }, &one), CallsError::Zero(_)));
        assert!(matches!(refused(Registration { started_at: 0, ..session() }, &one), CallsError::Zero(_)));
        assert!(matches!(refused(Registration { merkle_root: B256::ZERO, ..session() }, &one), CallsError::Zero(_)));
        assert!(matches!(refused(Registration { manifest_hash: B256::ZERO, ..session() }, &one), CallsError::Zero(_)));
        let mut two = chunks(2);
        two[1].size_bytes = MAX_CHUNK_BYTES + 1;
        assert_eq!(refused(session(), &two), CallsError::ChunkSize { index: 1, size_bytes: MAX_CHUNK_BYTES + 1 });
        two[1].size_bytes = 0;
        assert_eq!(refused(session(), &two), CallsError::ChunkSize { index: 1, size_bytes: 0 });
        two[0].ciphertext_sha256 = B256::ZERO;
        assert_eq!(refused(session(), &two), CallsError::ChunkHash(0));
    }
}
