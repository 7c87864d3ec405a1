//! What clients see. Ethereum's shapes are those of `alloy-rpc-types-eth`, built here from what is stored; the
//! documents of the `lucid_` methods are declared here.

mod account_proof;
mod anchoring;
mod block;
mod chain_info;
mod db;
mod export;
mod news;
mod payout;
mod pool;
mod poot;
mod query;
mod receipt;
mod rows;
mod session;
mod status;
mod transaction;

pub(crate) use account_proof::{StorageKey, account_proof};
pub use anchoring::{
    AnchorAcceptedDocument, AnchorRequestDocument, AnchorVerdictDocument, AnchoringDocument,
    AnchoringTransactionDocument, MerkleDocument, VerifiedAnchorDocument,
};
pub(crate) use block::{BlockContext, block};
pub use chain_info::{ChainInfoDocument, HeadDocument};
pub use db::{
    DbBackupDocument, DbCollectionDocument, DbCompactDocument, DbFindingDocument, DbJobDocument, DbJobKind,
    DbReindexDocument, DbRepairDocument, DbStatsDocument, DbTableDocument, DbVerifyDocument, DbWritesDocument,
    DbWritesForDocument,
};
pub use export::{ChangePageDocument, ExportStateDocument, ExportStatusDocument};
pub(crate) use news::{FilterChanges, PendingNews, committed_logs, header};
pub use payout::PayoutDocument;
pub use pool::PoolStatusDocument;
pub use poot::{
    CertificateSummaryDocument, ConsensusParticipantsDocument, ConsensusStatusDocument, FinalityDocument,
    LeaderScheduleDocument, NodeInfoDocument, PageQuery, PeerDocument, PlaceDocument, ScheduleResultDocument,
    SealDocument, SlotDocument, TallyDocument, TallyEntryDocument, TaskProofAcceptedDocument, TaskProofQuery,
};
pub use query::{
    FindQuery, FoundDocument, ImportSourceDocument, ShardMapDocument, ShardRangeDocument, SourceQuery, shard_maps,
};
pub(crate) use receipt::{decode_receipt, logs, receipt};
pub use rows::{ImportRowParts, RemovedDocument, RowPageDocument};
pub use session::{SessionDocument, SessionPage, SessionQuery};
pub use status::{
    CallsDocument, CatchingUpDocument, ConsensusUseDocument, PoolUseDocument, StatusDocument, StoreUseDocument,
};
pub(crate) use transaction::{decode_transaction, pending, transaction};
