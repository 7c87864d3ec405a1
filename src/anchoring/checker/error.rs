use super::receipt::ReceiptPathError;
use crate::anchoring::merkle::MerkleError;
use alloy_primitives::{Address, B256};
use lucid_types::{CanonicalError, CertificateError, ExtraDataError, ManifestError, PROOF_VERSION, SpecError};
use std::fmt;

/// Which of the proof's headers an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofPart {
    /// A change of the validator set, counted from 1.
    SetChange(usize),
    /// The block that holds the anchor.
    AnchorBlock,
}

impl fmt::Display for ProofPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetChange(number) => write!(f, "validator set change {number}"),
            Self::AnchorBlock => f.write_str("the anchor's block"),
        }
    }
}

/// What is wrong with a proof: what failed, and what that means.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The file is something else altogether. Nothing of it is repeated: it may be a key.
    #[error("it is not a JSON object: it does not begin with {{")]
    NotAnObject,
    /// The file is not a proof, or a field is missing, unknown or of the wrong form.
    #[error("it cannot be read: {0}")]
    Json(#[source] serde_json::Error),
    /// Written for another checker.
    #[error("the proof has format version {0}, and this checker reads version {PROOF_VERSION}")]
    Version(u32),
    /// More than any honest proof holds.
    #[error("the proof has {found} {what}, and at most {most} are looked at")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// The proof is about another chain.
    #[error("the genesis header has the hash {found}, not {expected}: the proof is from another chain or was altered")]
    GenesisHash {
        /// Hash that the reader knows.
        expected: B256,
        /// Hash of the header in the proof.
        found: B256,
    },
    /// The genesis hash given is that of something else than a header.
    #[error("the genesis header is not a block header: {0}")]
    GenesisEncoding(#[source] alloy_rlp::Error),
    /// The chain spec describes no chain.
    #[error("the chain spec in the proof is not one that a chain can have: {0}")]
    Spec(#[from] SpecError),
    /// The chain spec was altered.
    #[error(
        "the chain spec has the hash {found}, and the genesis header's extraData names {expected}: the spec, and \
             with it the list of validators, is not that of this chain"
    )]
    SpecHash {
        /// What the header says.
        expected: String,
        /// Hash of the spec in the proof.
        found: B256,
    },
    /// Genesis was not made as genesis is.
    #[error("the genesis header's mixHash is {found}, not the chain spec's hash {expected}: it is no Lucid genesis")]
    GenesisMixHash {
        /// Hash of the chain spec.
        expected: B256,
        /// What the header says.
        found: B256,
    },
    /// A header is not the one that was voted on.
    #[error(
        "the header of {part} has the hash {found}, and its certificate is for {certified}: the header or the \
             certificate was altered"
    )]
    HeaderHash {
        /// Where.
        part: ProofPart,
        /// Hash that the certificate names.
        certified: B256,
        /// Hash of the header in the proof.
        found: B256,
    },
    /// What the validators voted on is not a header.
    #[error("the header of {part} is not a block header: {source}")]
    HeaderEncoding {
        /// Where.
        part: ProofPart,
        /// What the decoder said.
        source: alloy_rlp::Error,
    },
    /// The certificate is for another height.
    #[error("the header of {part} is of height {height}, and its certificate of height {certified}")]
    CertificateHeight {
        /// Where.
        part: ProofPart,
        /// Height in the certificate.
        certified: u64,
        /// Height in the header.
        height: u64,
    },
    /// A block does not lie above the one before it.
    #[error(
        "{part} is at height {height}, which is not above height {below}: the blocks of the proof are out of order"
    )]
    HeightNotRising {
        /// Where.
        part: ProofPart,
        /// Height of the block.
        height: u64,
        /// Height of the block before it; 0 is genesis.
        below: u64,
    },
    /// The validators have not made the block final.
    #[error("the certificate of {part} does not hold, so the block is not shown to be final: {source}")]
    Certificate {
        /// Where.
        part: ProofPart,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A header that names no next validators.
    #[error("the header of {part} names no validator set: {source}")]
    ExtraData {
        /// Where.
        part: ProofPart,
        /// What is wrong with it.
        source: ExtraDataError,
    },
    /// The new validators are not those that the block names.
    #[error("the validators after {part} are not those that its header names: the list was altered")]
    NextSet {
        /// Where.
        part: ProofPart,
    },
    /// A change that changes nothing.
    #[error("{part} changes nothing: the same validators vote before and after it")]
    SetUnchanged {
        /// Where.
        part: ProofPart,
    },
    /// The path to the receipt is broken.
    #[error(
        "the path to the receipt of transaction {index} does not hold, so the transaction is not shown to be in \
             the block: {source}"
    )]
    ReceiptPath {
        /// Index of the transaction.
        index: u64,
        /// Where it breaks.
        source: ReceiptPathError,
    },
    /// The receipt, and with it the event, is not that of the block.
    #[error(
        "the receipt at the end of its path has the hash {found}, not {expected}: the receipt or the event in it \
             was altered"
    )]
    ReceiptAltered {
        /// Hash that the block commits to.
        expected: B256,
        /// Hash of what the proof holds.
        found: B256,
    },
    /// What the block commits to is not a receipt.
    #[error("what the block holds for transaction {index} is not a receipt: {reason}")]
    ReceiptEncoding {
        /// Index of the transaction.
        index: u64,
        /// What the decoder said.
        reason: String,
    },
    /// The transaction had no effect.
    #[error("transaction {0} failed, so it anchored nothing")]
    TransactionFailed(u64),
    /// The receipt has too few events.
    #[error("the receipt has {logs} events and none at index {index}")]
    NoSuchEvent {
        /// Index in the proof.
        index: u64,
        /// Events in the receipt.
        logs: usize,
    },
    /// The event is another contract's.
    #[error("the event was emitted by {0}, which is not the LucidAnchors contract: anybody can emit such an event")]
    EventAddress(Address),
    /// The event is another one of the contract's.
    #[error("the event is not a SessionRegistered event: {0}")]
    EventForm(String),
    /// Another session was anchored.
    #[error("the session {anchored} was anchored, and the manifest is of session {claimed}")]
    SessionId {
        /// The contract's word for the session.
        anchored: B256,
        /// That of the manifest.
        claimed: B256,
    },
    /// Other chunks were anchored.
    #[error("the Merkle root {anchored} was anchored, and the manifest says {claimed}")]
    MerkleRoot {
        /// In the event.
        anchored: B256,
        /// In the manifest.
        claimed: B256,
    },
    /// Another number of chunks was anchored.
    #[error("{anchored} chunks were anchored, and the manifest says {claimed}")]
    ChunkCount {
        /// In the event.
        anchored: u32,
        /// In the manifest.
        claimed: u32,
    },
    /// Somebody else anchored the session.
    #[error("the account {anchored} anchored the session, and the proof says {claimed}")]
    Account {
        /// In the event.
        anchored: Address,
        /// In the proof.
        claimed: Address,
    },
    /// The manifest describes no session.
    #[error("the manifest is not one that a session can have: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest cannot be hashed.
    #[error("the manifest cannot be hashed: {0}")]
    ManifestEncoding(#[from] CanonicalError),
    /// The manifest was altered.
    #[error("the manifest has the hash {found}, and {anchored} was anchored: the manifest was altered")]
    ManifestHash {
        /// In the event.
        anchored: B256,
        /// Hash of the manifest in the proof.
        found: B256,
    },
    /// Chunks stand out of order or twice.
    #[error("chunk {index} stands after chunk {before}: the chunks of a proof stand once each, by rising index")]
    ChunkOrder {
        /// The chunk.
        index: u32,
        /// The one before it.
        before: u32,
    },
    /// A chunk is not shown to belong to the session.
    #[error("a chunk is not shown to belong to the session: {0}")]
    ChunkPath(#[from] MerkleError),
    /// The proof says nothing about a chunk.
    #[error("the proof says nothing about chunk {index}; ask for a proof with it")]
    ChunkNotInProof {
        /// The chunk.
        index: u32,
    },
    /// The chunk at hand is not the one that was anchored.
    #[error(
        "the chunk at hand has the hash {found}, and chunk {index} was anchored with {anchored}: it was altered or \
             is another one"
    )]
    ChunkBytes {
        /// The chunk.
        index: u32,
        /// Its anchored hash.
        anchored: B256,
        /// Hash of the bytes at hand.
        found: B256,
    },
}
