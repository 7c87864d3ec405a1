//! Judges a proof that a session was anchored, offline, from one thing that the reader knows from elsewhere: the hash
//! of the chain's genesis header. One function per step, in the order of the steps; knows nothing of the node.
//!
//! Every step takes only what the steps before it have established. Whatever the input is, the answer is a verdict:
//! amounts are bounded before work is done, and nothing panics.

mod error;
mod receipt;
mod steps;

#[cfg(test)]
mod tests;

pub use error::{ProofError, ProofPart};
pub use receipt::ReceiptPathError;

use super::meta::begins_an_object;
use alloy_primitives::{Address, B256};
use lucid_types::{AnchorProof, PROOF_VERSION, SessionId};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most bytes of a proof file: the paths of as many chunks as a session may have take a quarter of it.
pub const MAX_PROOF_BYTES: usize = 64 << 20;

/// Most changes of the validator set in one proof: eleven years in which it changed every day.
pub const MAX_SET_CHANGES: usize = 4_096;

/// Most bytes of a header. One has about 650: eight hashes, a bloom filter of 256 bytes and small integers.
pub const MAX_HEADER_BYTES: usize = 1_024;

/// Most nodes on a receipt's path: the key is the RLP of a 64-bit index, so at most 18 nibbles and then the leaf.
pub const MAX_RECEIPT_PATH_NODES: usize = 19;

/// Most bytes of one node on a receipt's path. A block of 30,000,000 gas cannot log more, at 8 gas a byte.
pub const MAX_RECEIPT_NODE_BYTES: usize = 4 << 20;

/// What a proof proves, once [`check`] has found nothing wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Hash of the genesis header that the proof was judged against.
    pub genesis_hash: B256,
    /// EIP-155 id of the chain.
    pub chain_id: u64,
    /// The session.
    pub session_id: SessionId,
    /// The account that registered it.
    pub account: Address,
    /// Whose session it is, as that account said.
    pub owner: Address,
    /// When the recording began, as that account said, in Unix seconds.
    pub started_at: u64,
    /// BLAKE3 of the manifest.
    pub manifest_hash: B256,
    /// Root of the tree over the encrypted chunks.
    pub merkle_root: B256,
    /// Number of chunks.
    pub chunk_count: u32,
    /// Height of the block that holds the anchor.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// Timestamp of that block: the start of its slot, in Unix seconds.
    pub block_time: u64,
    /// Those who signed that block, in address order.
    pub signers: Vec<Address>,
    /// Size of the validator set that they belong to.
    pub validators: usize,
    /// How often the validator set had changed since genesis.
    pub set_changes: usize,
    /// BLAKE3 of each chunk that the proof shows to belong to the session, by index.
    chunks: BTreeMap<u32, B256>,
}

impl Checked {
    /// Indexes of the chunks that the proof shows to belong to the session, rising.
    pub fn chunk_indexes(&self) -> impl ExactSizeIterator<Item = u32> {
        self.chunks.keys().copied()
    }

    /// Holds a chunk at hand, by the BLAKE3 hash of its bytes, against the one that was anchored at `index`.
    pub fn check_chunk(&self, index: u32, blake3: B256) -> Result<(), ProofError> {
        match self.chunks.get(&index) {
            None => Err(ProofError::ChunkNotInProof { index }),
            Some(leaf) if *leaf != blake3 => Err(ProofError::ChunkBytes { index, anchored: *leaf, found: blake3 }),
            Some(_) => Ok(()),
        }
    }
}

/// Reads a proof file. Says nothing about whether the proof holds: that is [`check`].
pub fn parse_proof(text: &[u8]) -> Result<AnchorProof, ProofError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    steps::at_most("bytes in the file", text.len(), MAX_PROOF_BYTES)?;
    if !begins_an_object(text) {
        return Err(ProofError::NotAnObject);
    }
    // First the version alone: a later format may have fields that are unknown here.
    let Version { version } = serde_json::from_slice(text).map_err(ProofError::Json)?;
    if version != PROOF_VERSION {
        return Err(ProofError::Version(version));
    }
    serde_json::from_slice(text).map_err(ProofError::Json)
}

/// Judges a proof against the hash of the chain's genesis header: every step, in order, up to the first that fails.
pub fn check(proof: &AnchorProof, genesis_hash: B256) -> Result<Checked, ProofError> {
    steps::version_and_amounts(proof)?;
    let genesis = steps::genesis_header(proof, genesis_hash)?;
    let mut set = steps::genesis_set(&proof.chain_spec, &genesis)?;
    let mut height = 0;
    for (place, change) in proof.set_changes.iter().enumerate() {
        let part = ProofPart::SetChange(place + 1);
        let header = steps::final_header(part, &change.header, &change.certificate, height, &set, genesis_hash)?;
        set = steps::next_set(part, &header, &set, &change.next_set)?;
        height = header.number;
    }
    let header =
        steps::final_header(ProofPart::AnchorBlock, &proof.header, &proof.certificate, height, &set, genesis_hash)?;
    let receipt = steps::receipt(proof, &header)?;
    let event = steps::event(proof, &receipt)?;
    steps::manifest(proof, &event)?;
    let chunks = steps::chunks(proof, &event)?;
    Ok(Checked {
        genesis_hash,
        chain_id: proof.chain_spec.chain_id,
        session_id: proof.manifest.session_id,
        account: event.account,
        owner: event.owner,
        started_at: event.startedAt,
        manifest_hash: event.manifestHash,
        merkle_root: event.merkleRoot,
        chunk_count: event.chunkCount,
        block_number: header.number,
        block_hash: proof.certificate.block_hash,
        block_time: header.timestamp,
        signers: proof.certificate.signatures.iter().map(|vote| vote.address).collect(),
        validators: set.members().len(),
        set_changes: proof.set_changes.len(),
        chunks,
    })
}
