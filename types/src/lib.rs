//! Plain data that every Lucid crate shares, with the pure functions that belong to it: canonical encodings,
//! hashes, signature checks.
//!
//! Nothing here does I/O, reads a clock or is asynchronous, and everything that is hashed or stored has one
//! fixed encoding that does not depend on the platform.

mod canonical;
mod certificate;
pub mod contracts;
mod document;
mod events;
mod extra_data;
mod hash;
mod ids;
mod manifest;
mod nearest;
mod params;
mod proof;
mod refusal;
mod seal;
mod slot;
mod spec;
mod spec_field;
mod validator;

pub use canonical::{CanonicalError, canonical_json};
pub use certificate::{Certificate, CertificateError, CommitSignature};
pub use document::{Document, Value};
pub use events::{ChainEvent, CommittedBlock, CommittedTransaction};
pub use extra_data::{ExtraData, ExtraDataError};
pub use hash::blake3;
pub use ids::{AnchoringId, IdError, SessionId};
pub use manifest::{MAX_CHUNK_BYTES, MAX_CHUNKS, Manifest, ManifestError};
pub use nearest::nearest;
pub use params::{Bounds, MAX_TASK_PROOF_AGE_SLOTS, MAX_VALIDATORS, ParamError, Params, Preset};
pub use proof::{AnchorProof, ChunkPath, PROOF_VERSION, SetChange};
pub use refusal::TransactionRefusal;
pub use seal::{Seal, VrfProof};
pub use slot::SlotGrid;
pub use spec::{ChainSpec, GenesisValidator, LUCID_CHAIN_ID, LUCID_TESTNET_CHAIN_ID, Rules, SOLO_CHAIN_IDS, SpecError};
pub use spec_field::FieldFault;
pub use validator::{ConsensusKey, ConsensusKeyError, Validator, ValidatorSet, ValidatorSetError, Vote, VoteKind};
