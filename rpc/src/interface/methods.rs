//! Every method by name, and what a caller needs for it. A server does not start where these
//! are not exactly the methods that there are.

use crate::access::{Namespace, Scope};

/// What a caller needs for a method. Beyond loopback every request needs a token that reads, whatever it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// A token of this scope.
    Token(Scope),
    /// A token of this scope where the request has the node sign with its key, which the answer looks into.
    ToSign(Scope),
    /// That the namespace is offered where the caller comes from.
    Namespace(Namespace),
}

use Need::{Namespace as Offered, Nothing, ToSign, Token};

/// The methods.
pub(crate) const METHODS: [(&str, Need); 83] = [
    ("admin_addPeer", Token(Scope::Admin)),
    ("admin_dbBackup", Token(Scope::Admin)),
    ("admin_dbCompact", Token(Scope::Admin)),
    ("admin_dbJob", Token(Scope::Admin)),
    ("admin_dbReindex", Token(Scope::Admin)),
    ("admin_dbStats", Token(Scope::Admin)),
    ("admin_dbVerify", Token(Scope::Admin)),
    ("admin_exportChanges", Token(Scope::Admin)),
    ("admin_exportRows", Token(Scope::Admin)),
    ("admin_exportState", Token(Scope::Admin)),
    ("admin_importRows", Token(Scope::Admin)),
    ("admin_nodeInfo", Token(Scope::Admin)),
    ("admin_peers", Token(Scope::Admin)),
    ("admin_putExportState", Token(Scope::Admin)),
    ("admin_removePeer", Token(Scope::Admin)),
    ("admin_removeSource", Token(Scope::Admin)),
    ("eth_accounts", Nothing),
    ("eth_blockNumber", Nothing),
    ("eth_call", Nothing),
    ("eth_chainId", Nothing),
    ("eth_estimateGas", Nothing),
    ("eth_feeHistory", Nothing),
    ("eth_gasPrice", Nothing),
    ("eth_getBalance", Nothing),
    ("eth_getBlockByHash", Nothing),
    ("eth_getBlockByNumber", Nothing),
    ("eth_getBlockReceipts", Nothing),
    ("eth_getBlockTransactionCountByHash", Nothing),
    ("eth_getBlockTransactionCountByNumber", Nothing),
    ("eth_getCode", Nothing),
    ("eth_getFilterChanges", Nothing),
    ("eth_getFilterLogs", Nothing),
    ("eth_getLogs", Nothing),
    ("eth_getProof", Nothing),
    ("eth_getStorageAt", Nothing),
    ("eth_getTransactionByBlockHashAndIndex", Nothing),
    ("eth_getTransactionByBlockNumberAndIndex", Nothing),
    ("eth_getTransactionByHash", Nothing),
    ("eth_getTransactionCount", Nothing),
    ("eth_getTransactionReceipt", Nothing),
    ("eth_maxPriorityFeePerGas", Nothing),
    ("eth_newBlockFilter", Nothing),
    ("eth_newFilter", Nothing),
    ("eth_newPendingTransactionFilter", Nothing),
    ("eth_sendRawTransaction", Nothing),
    ("eth_subscribe", Nothing),
    ("eth_syncing", Nothing),
    ("eth_uninstallFilter", Nothing),
    ("eth_unsubscribe", Nothing),
    ("lucid_aggregate", Offered(Namespace::Find)),
    ("lucid_anchorSession", ToSign(Scope::Anchor)),
    ("lucid_buildMerkle", Nothing),
    ("lucid_chainInfo", Nothing),
    ("lucid_consensusHistory", Nothing),
    ("lucid_consensusParticipants", Nothing),
    ("lucid_consensusStatus", Nothing),
    ("lucid_count", Offered(Namespace::Find)),
    ("lucid_distinct", Offered(Namespace::Find)),
    ("lucid_find", Offered(Namespace::Find)),
    ("lucid_findOne", Offered(Namespace::Find)),
    ("lucid_getAnchorProof", Nothing),
    ("lucid_getAnchoring", Nothing),
    ("lucid_getLeaderSchedule", Nothing),
    ("lucid_getSeal", Nothing),
    ("lucid_getSession", Nothing),
    ("lucid_getShardMap", Offered(Namespace::Find)),
    ("lucid_getTaskProofs", Nothing),
    ("lucid_getWorkTally", Nothing),
    ("lucid_importSources", Nothing),
    ("lucid_listSessions", Nothing),
    ("lucid_peers", Token(Scope::Read)),
    ("lucid_recordPayout", Token(Scope::Payout)),
    ("lucid_retryAnchoring", Token(Scope::Anchor)),
    ("lucid_slot", Nothing),
    ("lucid_submitTaskProof", Nothing),
    ("lucid_subscribe", Nothing),
    ("lucid_unsubscribe", Nothing),
    ("lucid_verifyAnchorProof", Nothing),
    ("net_listening", Nothing),
    ("net_peerCount", Nothing),
    ("net_version", Nothing),
    ("txpool_status", Offered(Namespace::Txpool)),
    ("web3_clientVersion", Nothing),
];

/// What a caller needs for the method with this name; `None` where there is no such method.
pub(crate) fn need_of(method: &str) -> Option<Need> {
    METHODS.iter().find(|(name, _)| *name == method).map(|(_, need)| *need)
}

/// The methods that only a connection can answer that the node may send on by itself.
pub(crate) const SUBSCRIPTION_METHODS: [&str; 4] =
    ["eth_subscribe", "eth_unsubscribe", "lucid_subscribe", "lucid_unsubscribe"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_one_row() {
        assert!(METHODS.is_sorted_by(|(one, _), (next, _)| one < next));
        assert!(SUBSCRIPTION_METHODS.iter().all(|method| need_of(method).is_some()));
    }
}
