use super::param::{Param, Unread};
use crate::{
    error::RpcError,
    wire::{
        AnchorAcceptedDocument, AnchorRequestDocument, AnchorVerdictDocument, AnchoringDocument, ChainInfoDocument,
        MerkleDocument, PayoutDocument, SessionDocument, SessionPage, SessionQuery,
    },
};
use alloy_primitives::{Address, B256};
use jsonrpsee::proc_macros::rpc;
use lucid_types::{AnchorProof, SessionId};

/// The first parameter of each method that has one, and whether it must be there; no other one must.
const FIRST_PARAMS: [(&str, &str, bool); 23] = [
    ("lucid_aggregate", "collection", true),
    ("lucid_anchorSession", "request", true),
    ("lucid_buildMerkle", "leaves", true),
    ("lucid_consensusHistory", "query", false),
    ("lucid_count", "collection", true),
    ("lucid_distinct", "collection", true),
    ("lucid_find", "collection", true),
    ("lucid_findOne", "collection", true),
    ("lucid_getAnchorProof", "session id", true),
    ("lucid_getAnchoring", "session id", true),
    ("lucid_getLeaderSchedule", "slot", false),
    ("lucid_getSeal", "block", true),
    ("lucid_getSession", "session id", true),
    ("lucid_getShardMap", "collection", false),
    ("lucid_getTaskProofs", "query", false),
    ("lucid_getWorkTally", "epoch", false),
    ("lucid_listSessions", "query", false),
    ("lucid_recordPayout", "payout", true),
    ("lucid_retryAnchoring", "session id", true),
    ("lucid_submitTaskProof", "record", true),
    ("lucid_subscribe", "kind", true),
    ("lucid_unsubscribe", "subscription id", true),
    ("lucid_verifyAnchorProof", "proof", true),
];

/// The error for parameters (JSON, where there are any) that the server would refuse before a `lucid_` method could
/// with an error of these methods.
pub(crate) fn refused_params(method: &str, params: Option<&str>) -> Option<RpcError> {
    let (_, name, required) = FIRST_PARAMS.iter().find(|(known, ..)| *known == method)?;
    let text = params.map_or("[]", str::trim_start);
    let Some(first) = text.strip_prefix('[') else {
        return Some(RpcError::InvalidRequest(format!(
            "the parameters of {method} come as a list, the first is {name}"
        )));
    };
    let is_missing = *required && first.trim_start().starts_with(']');
    is_missing.then(|| RpcError::InvalidRequest(format!("{method} needs a parameter, {name}")))
}

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

    /// Writes a payout, new or as far as it has come by now; it is on disk when this answers, with its id.
    #[method(name = "recordPayout")]
    async fn record_payout(&self, payout: Param<PayoutDocument>) -> Result<String, RpcError>;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::METHODS;

    #[test]
    fn every_method_with_parameters_has_its_first_one_named() {
        let methods = METHODS.iter().map(|(name, _)| *name);
        let has_none = |name: &str| {
            matches!(
                name,
                "lucid_chainInfo"
                    | "lucid_consensusParticipants"
                    | "lucid_consensusStatus"
                    | "lucid_importSources"
                    | "lucid_peers"
                    | "lucid_slot"
            )
        };
        let with_params = methods.filter(|name| name.starts_with("lucid_") && !has_none(name));
        assert!(with_params.eq(FIRST_PARAMS.iter().map(|(name, ..)| *name)));
    }

    #[test]
    fn only_a_list_with_what_is_needed_reaches_a_method() {
        let refused = |method, params| refused_params(method, params).map(|error| error.to_string());
        for params in [None, Some("[]"), Some(" [ ]")] {
            let said = refused("lucid_getAnchoring", params).unwrap();
            assert_eq!(said, "lucid_getAnchoring needs a parameter, session id");
            assert_eq!(refused("lucid_listSessions", params), None);
            assert_eq!(refused("lucid_chainInfo", params), None);
        }
        assert!(refused("lucid_listSessions", Some("{}")).unwrap().contains("come as a list"));
        assert_eq!(refused("lucid_getAnchoring", Some("[\"7f1c2d3e\"]")), None);
        assert_eq!(refused("eth_getBalance", None), None);
    }
}
