//! The JSON-RPC interface of a Lucid node, and the client for it (feature `client`).
//!
//! [`RpcServer`] answers over HTTP from whatever implements [`NodeApi`]. What clients can call is declared in
//! `interface`, how it is answered in `answers`, what goes over the wire in `wire`; `error` is the one table of
//! codes and texts, and [`limits`] has every bound. No other crate names the JSON-RPC library.

mod access;
mod answers;
mod api;
mod backend;
#[cfg(feature = "client")]
mod client;
mod counts;
mod dispatch;
#[cfg(test)]
mod documented;
mod error;
mod filters;
mod frames;
mod gate;
mod health;
mod http;
mod ids;
mod interface;
pub mod limits;
mod links;
mod message;
mod respond;
mod revert;
mod server;
mod socket;
mod view;
mod websocket;
mod wire;

pub use access::{Access, InvalidToken, Namespace, Scope, Token, Tokens, UnknownNamespace, UnknownScope};
pub use api::{
    AccountInfo, AccountProof, AnchorAccepted, AnchorError, AnchorRequest, CallError, CallRequest, ChainInfo,
    DbJobError, LogQuery, MerkleBuilt, MerkleError, NodeApi, NodeError, PayoutError, PendingTransaction, PoolStatus,
    ProofError, ProofRequest, SlotProof, StateError, SubmitError, SyncProgress, TaskProofError, VerifiedAnchor,
    VerifyError, VerifyRequest,
};
#[cfg(feature = "client")]
pub use client::{Client, ClientError, RpcFault};
pub use health::{HealthServer, Look, StatusSocket};
#[cfg(feature = "client")]
pub use health::{StatusError, read_status};
pub use links::MemoryShare;
pub use server::{RpcServer, StartError};
pub use wire::{
    AnchorAcceptedDocument, AnchorRequestDocument, AnchorVerdictDocument, AnchoringDocument,
    AnchoringTransactionDocument, CallsDocument, CatchingUpDocument, CertificateSummaryDocument, ChainInfoDocument,
    ChangePageDocument, ConsensusParticipantsDocument, ConsensusStatusDocument, ConsensusUseDocument, DbBackupDocument,
    DbCollectionDocument, DbCompactDocument, DbFindingDocument, DbJobDocument, DbJobKind, DbReindexDocument,
    DbRepairDocument, DbStatsDocument, DbTableDocument, DbVerifyDocument, DbWritesDocument, DbWritesForDocument,
    ExportStateDocument, ExportStatusDocument, FinalityDocument, FindQuery, FoundDocument, HeadDocument,
    ImportRowParts, ImportSourceDocument, LeaderScheduleDocument, MerkleDocument, NodeInfoDocument, PageQuery,
    PayoutDocument, PeerDocument, PlaceDocument, PoolStatusDocument, PoolUseDocument, RemovedDocument, RowPageDocument,
    ScheduleResultDocument, SealDocument, SessionDocument, SessionPage, SessionQuery, ShardMapDocument,
    ShardRangeDocument, SlotDocument, SourceQuery, StatusDocument, StoreUseDocument, TallyDocument, TallyEntryDocument,
    TaskProofAcceptedDocument, TaskProofQuery, VerifiedAnchorDocument, shard_maps,
};
