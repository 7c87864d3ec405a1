//! The steps of a check, in their order.

use super::{
    MAX_HEADER_BYTES, MAX_RECEIPT_NODE_BYTES, MAX_RECEIPT_PATH_NODES, MAX_SET_CHANGES, ProofError, ProofPart,
    receipt::{ReceiptPathError, receipt_at},
};
use crate::anchoring::merkle::verify_path;
use alloy_consensus::{Header, ReceiptEnvelope};
use alloy_eips::Decodable2718;
use alloy_primitives::{B256, Bytes, hex, keccak256};
use alloy_sol_types::SolEvent;
use lucid_types::{
    AnchorProof, Certificate, ChainSpec, ExtraData, MAX_CHUNKS, PROOF_VERSION, SpecError, ValidatorSet,
    contracts::{
        LUCID_ANCHORS_ADDRESS,
        LucidAnchors::{self, SessionRegistered},
    },
};
use std::collections::BTreeMap;

/// Topics of a `SessionRegistered` event: its signature, session, root, account.
const EVENT_TOPICS: usize = 4;
/// Bytes of its data: owner, manifest hash, start and chunk count, a word each.
const EVENT_DATA_BYTES: usize = 4 * 32;

/// Step 1: the format is known, and nothing is there in amounts that no honest proof has.
pub(super) fn version_and_amounts(proof: &AnchorProof) -> Result<(), ProofError> {
    if proof.version != PROOF_VERSION {
        return Err(ProofError::Version(proof.version));
    }
    at_most("changes of the validator set", proof.set_changes.len(), MAX_SET_CHANGES)?;
    for header in [&proof.genesis_header, &proof.header].into_iter().chain(proof.set_changes.iter().map(|c| &c.header))
    {
        at_most("bytes in a header", header.len(), MAX_HEADER_BYTES)?;
    }
    at_most("nodes on the receipt's path", proof.receipt_path.len(), MAX_RECEIPT_PATH_NODES)?;
    for node in &proof.receipt_path {
        at_most("bytes in a node of the receipt's path", node.len(), MAX_RECEIPT_NODE_BYTES)?;
    }
    // The length of each path is held against the chunk count before anything is hashed.
    at_most("chunks", proof.chunks.len(), MAX_CHUNKS as usize)
}

pub(super) const fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), ProofError> {
    if found > most { Err(ProofError::TooMuch { what, found, most }) } else { Ok(()) }
}

/// Step 2: the genesis header is the one whose hash the reader knows.
pub(super) fn genesis_header(proof: &AnchorProof, genesis_hash: B256) -> Result<Header, ProofError> {
    let found = keccak256(&proof.genesis_header);
    if found != genesis_hash {
        return Err(ProofError::GenesisHash { expected: genesis_hash, found });
    }
    alloy_rlp::decode_exact(&proof.genesis_header).map_err(ProofError::GenesisEncoding)
}

/// Step 3: the chain spec is the one that genesis carries the hash of. Returns its validators, who vote first.
pub(super) fn genesis_set(spec: &ChainSpec, genesis: &Header) -> Result<ValidatorSet, ProofError> {
    // Before the hash: a number beyond what JSON carries exactly would share its canonical form with another one.
    spec.check()?;
    let hash = spec.hash();
    if genesis.extra_data.as_ref() != hash.as_slice() {
        return Err(ProofError::SpecHash { expected: hex::encode_prefixed(&genesis.extra_data), found: hash });
    }
    if genesis.mix_hash != hash {
        return Err(ProofError::GenesisMixHash { expected: hash, found: genesis.mix_hash });
    }
    spec.genesis_set().map_err(|error| ProofError::Spec(SpecError::Validators(error)))
}

/// Step 4a, for each change of the validators, and step 5, for the anchor's block: the header is the one that the
/// certificate names, it lies above `below`, and more than two thirds of `set` signed for it.
pub(super) fn final_header(
    part: ProofPart,
    header: &Bytes,
    certificate: &Certificate,
    below: u64,
    set: &ValidatorSet,
    genesis_hash: B256,
) -> Result<Header, ProofError> {
    let found = keccak256(header);
    if found != certificate.block_hash {
        return Err(ProofError::HeaderHash { part, certified: certificate.block_hash, found });
    }
    let header: Header =
        alloy_rlp::decode_exact(header).map_err(|source| ProofError::HeaderEncoding { part, source })?;
    let height = header.number;
    if certificate.height != height {
        return Err(ProofError::CertificateHeight { part, certified: certificate.height, height });
    }
    if height <= below {
        return Err(ProofError::HeightNotRising { part, height, below });
    }
    certificate.verify(genesis_hash, set).map_err(|source| ProofError::Certificate { part, source })?;
    Ok(header)
}

/// Step 4b, for each change of the validators: the new ones are those that the header names, and other than before.
pub(super) fn next_set(
    part: ProofPart,
    header: &Header,
    set: &ValidatorSet,
    next: &ValidatorSet,
) -> Result<ValidatorSet, ProofError> {
    let extra = ExtraData::decode(&header.extra_data).map_err(|source| ProofError::ExtraData { part, source })?;
    if !extra.names(next) {
        return Err(ProofError::NextSet { part });
    }
    if next == set {
        return Err(ProofError::SetUnchanged { part });
    }
    Ok(next.clone())
}

/// Step 6: the receipt lies under the block's receipts root at the transaction's place, and tells of success.
pub(super) fn receipt(proof: &AnchorProof, header: &Header) -> Result<ReceiptEnvelope, ProofError> {
    let index = proof.transaction_index;
    let bytes = receipt_at(header.receipts_root, index, &proof.receipt_path).map_err(|source| match source {
        // The last node holds the receipt; the nodes before it only lead there.
        ReceiptPathError::NodeHash { node, expected, found } if node == proof.receipt_path.len() => {
            ProofError::ReceiptAltered { expected, found }
        }
        source => ProofError::ReceiptPath { index, source },
    })?;
    let receipt = ReceiptEnvelope::decode_2718_exact(&bytes)
        .map_err(|error| ProofError::ReceiptEncoding { index, reason: error.to_string() })?;
    if receipt.is_success() { Ok(receipt) } else { Err(ProofError::TransactionFailed(index)) }
}

/// Step 7: the event is LucidAnchors' word that this account anchored this session, root and chunk count.
pub(super) fn event(proof: &AnchorProof, receipt: &ReceiptEnvelope) -> Result<SessionRegistered, ProofError> {
    let logs = receipt.logs();
    let log = usize::try_from(proof.log_index).ok().and_then(|index| logs.get(index));
    let log = log.ok_or(ProofError::NoSuchEvent { index: proof.log_index, logs: logs.len() })?;
    if log.address != LUCID_ANCHORS_ADDRESS {
        return Err(ProofError::EventAddress(log.address));
    }
    let (topics, data) = (log.data.topics(), &log.data.data);
    if topics.len() != EVENT_TOPICS || data.len() != EVENT_DATA_BYTES {
        let form = format!("it has {} topics and {} bytes of data", topics.len(), data.len());
        return Err(ProofError::EventForm(form));
    }
    let event = LucidAnchors::SessionRegistered::decode_raw_log_validate(topics, data)
        .map_err(|error| ProofError::EventForm(error.to_string()))?;
    let manifest = &proof.manifest;
    if event.sessionId != manifest.session_id.to_word() {
        return Err(ProofError::SessionId { anchored: event.sessionId, claimed: manifest.session_id.to_word() });
    }
    if event.merkleRoot != manifest.merkle_root {
        return Err(ProofError::MerkleRoot { anchored: event.merkleRoot, claimed: manifest.merkle_root });
    }
    if event.chunkCount != manifest.chunk_count {
        return Err(ProofError::ChunkCount { anchored: event.chunkCount, claimed: manifest.chunk_count });
    }
    if event.account != proof.account {
        return Err(ProofError::Account { anchored: event.account, claimed: proof.account });
    }
    Ok(event)
}

/// Step 8: the manifest is the one whose hash was anchored.
pub(super) fn manifest(proof: &AnchorProof, event: &SessionRegistered) -> Result<(), ProofError> {
    let manifest = &proof.manifest;
    manifest.check()?;
    let found = manifest.hash()?;
    if found != event.manifestHash {
        return Err(ProofError::ManifestHash { anchored: event.manifestHash, found });
    }
    Ok(())
}

/// Step 9: each chunk's path leads to the anchored root in a tree of the anchored count. Returns the chunks' hashes.
pub(super) fn chunks(proof: &AnchorProof, event: &SessionRegistered) -> Result<BTreeMap<u32, B256>, ProofError> {
    if let Some(pair) = proof.chunks.windows(2).find(|pair| pair[0].index >= pair[1].index) {
        return Err(ProofError::ChunkOrder { index: pair[1].index, before: pair[0].index });
    }
    for path in &proof.chunks {
        verify_path(event.merkleRoot, event.chunkCount, path)?;
    }
    Ok(proof.chunks.iter().map(|path| (path.index, path.leaf)).collect())
}
