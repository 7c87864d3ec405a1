//! What lies in the collections, one file per subject.
//!
//! A record holds what its key does not. Field names are the ones that queries use, and the fields of a document
//! are those of its key and of its record together. Times are Unix seconds, except where a name ends otherwise.

mod chain;
mod consensus;
mod node;
mod poot;
mod session;
mod word;

pub use chain::{AccountRecord, BlockRecord, BlockchainStateRecord, ReceiptRecord, TransactionRecord};
pub use consensus::{
    BlockWorkRecord, EpochRecord, OperatorStorageRecord, ProvenWork, RankedEntity, RegisteredNodeRecord, StorageClaim,
};
pub use node::{
    ConsensusEventRecord, EventVote, ExportPosition, ExportStateRecord, ParamRecord, PayoutRecord, PeerRecord,
};
pub use poot::{
    LeaderScheduleRecord, ScheduleReason, ScheduleResult, ScheduleRole, TaskProofRecord, TaskProofType, TaskValue,
    WorkTallyRecord,
};
pub use session::{
    AnchoringStatus, ChunkRecord, ChunkStatus, MerkleTreeRecord, SessionAnchoringRecord, SessionRecord,
    SignedTransaction,
};
