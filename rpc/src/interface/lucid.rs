use super::param::{Param, Unread};
use crate::{
    error::RpcError,
    wire::{
        AnchorAcceptedDocument, AnchorRequestDocument, AnchorVerdictDocument, AnchoringDocument, ChainInfoDocument,
        MerkleDocument, SessionDocument, SessionPage, SessionQuery,
    },
};
use alloy_primitives::{Address, B256};
use jsonrpsee::proc_macros::rpc;
use lucid_types::{AnchorProof, SessionId};

/// The `lucid_` methods. Documents have the field names of their collections.
#[rpc(server, namespace = "lucid")]
pub(crate) trait Lucid {
    /// What the chain and this node are, and the last block.
    #[method(name = "chainInfo")]
    async fn chain_info(&self) -> Result<ChainInfoDocument, RpcError>;

    /// Takes a session to be anchored; it is on disk when this answers. Where the node is to sign, a token is needed.
    #[method(name = "anchorSession", with_extensions)]
    async fn anchor_session(&self, request: Unread<AnchorRequestDocument>) -> Result<AnchorAcceptedDocument, RpcError>;

    /// The last anchoring of a session that this node was asked for; null where there is none.
    #[method(name = "getAnchoring")]
    async fn get_anchoring(
        &self,
        session_id: Param<SessionId>,
        account: Option<Param<Address>>,
    ) -> Result<Option<AnchoringDocument>, RpcError>;

    /// Begins a failed or expired anchoring of the node's own account again.
    #[method(name = "retryAnchoring")]
    async fn retry_anchoring(
        &self,
        session_id: Param<SessionId>,
        account: Option<Param<Address>>,
    ) -> Result<AnchorAcceptedDocument, RpcError>;

    /// A session; null where there is none. The account is needed only where several registered the id.
    #[method(name = "getSession")]
    async fn get_session(
        &self,
        session_id: Param<SessionId>,
        account: Option<Param<Address>>,
    ) -> Result<Option<SessionDocument>, RpcError>;

    /// Sessions by one of their indexes, in pages.
    #[method(name = "listSessions")]
    async fn list_sessions(&self, query: Option<Param<SessionQuery>>) -> Result<SessionPage, RpcError>;

    /// The proof file of a session, with paths for the chunks that are named.
    #[method(name = "getAnchorProof")]
    async fn get_anchor_proof(
        &self,
        session_id: Param<SessionId>,
        chunks: Option<Param<Vec<u32>>>,
        account: Option<Param<Address>>,
    ) -> Result<AnchorProof, RpcError>;

    /// Checks a proof file against a genesis hash, or this chain's own.
    #[method(name = "verifyAnchorProof")]
    async fn verify_anchor_proof(
        &self,
        proof: Param<AnchorProof>,
        genesis_hash: Option<Param<B256>>,
        account: Option<Param<Address>>,
    ) -> Result<AnchorVerdictDocument, RpcError>;

    /// The root of the tree over BLAKE3 leaves, and the paths of the leaves that are named.
    #[method(name = "buildMerkle")]
    async fn build_merkle(
        &self,
        leaves: Param<Vec<B256>>,
        indexes: Option<Param<Vec<u32>>>,
    ) -> Result<MerkleDocument, RpcError>;
}
