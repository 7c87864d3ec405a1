use super::param::Param;
use crate::{
    error::RpcError,
    wire::{
        ConsensusParticipantsDocument, ConsensusStatusDocument, FoundDocument, LeaderScheduleDocument, PageQuery,
        PeerDocument, SealDocument, SlotDocument, TallyDocument, TaskProofAcceptedDocument, TaskProofQuery,
    },
};
use alloy_eips::BlockId;
use alloy_primitives::Bytes;
use jsonrpsee::proc_macros::rpc;
use lucid_types::Document;

/// The `lucid_` methods about work, leaders and what makes blocks final.
#[rpc(server, namespace = "lucid")]
pub(crate) trait Poot {
    /// The slot that the node's clock shows.
    #[method(name = "slot")]
    async fn slot(&self) -> Result<SlotDocument, RpcError>;

    /// The order of a slot and who made its block; without one that of the height after the head. Null for a slot that no
    /// order is known of.
    #[method(name = "getLeaderSchedule")]
    async fn get_leader_schedule(&self, slot: Option<Param<u64>>) -> Result<Option<LeaderScheduleDocument>, RpcError>;

    /// The tally of an epoch, or the last one; null where there is none.
    #[method(name = "getWorkTally")]
    async fn get_work_tally(&self, epoch: Option<Param<u64>>) -> Result<Option<TallyDocument>, RpcError>;

    /// Task proofs that count, in pages.
    #[method(name = "getTaskProofs")]
    async fn get_task_proofs(&self, query: Option<Param<TaskProofQuery>>) -> Result<FoundDocument<Document>, RpcError>;

    /// Takes a signed task proof (a record of 97 bytes) to be brought to the chain.
    #[method(name = "submitTaskProof")]
    async fn submit_task_proof(&self, record: Param<Bytes>) -> Result<TaskProofAcceptedDocument, RpcError>;

    /// How consensus stands, as this node sees it.
    #[method(name = "consensusStatus")]
    async fn consensus_status(&self) -> Result<ConsensusStatusDocument, RpcError>;

    /// Who votes on the height after the head, and who leads it.
    #[method(name = "consensusParticipants")]
    async fn consensus_participants(&self) -> Result<ConsensusParticipantsDocument, RpcError>;

    /// What this node saw of rounds, the last ones first, in pages.
    #[method(name = "consensusHistory")]
    async fn consensus_history(&self, query: Option<Param<PageQuery>>) -> Result<FoundDocument<Document>, RpcError>;

    /// The nodes that are connected.
    #[method(name = "peers")]
    async fn peers(&self) -> Result<Vec<PeerDocument>, RpcError>;

    /// The seal of a block and who could vote on it; null where there is no such block, or none with a seal.
    #[method(name = "getSeal")]
    async fn get_seal(&self, block: Param<BlockId>) -> Result<Option<SealDocument>, RpcError>;
}
