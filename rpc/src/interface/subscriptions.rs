use super::param::Param;
use jsonrpsee::{core::SubscriptionResult, proc_macros::rpc};
use serde_json::value::RawValue;

/// `eth_subscribe` and `eth_unsubscribe`, as geth has them. They are answered over WebSocket only.
#[rpc(server, namespace = "eth")]
pub(crate) trait EthSubscriptions {
    /// Tells of `newHeads`, of `logs` (with a filter) or of `newPendingTransactions` (whole ones with `true`) from now
    /// on, until the client unsubscribes or leaves.
    #[subscription(
        name = "subscribe" => "subscription",
        unsubscribe = "unsubscribe",
        item = Box<RawValue>,
        with_extensions
    )]
    async fn subscribe(&self, kind: String, options: Option<Box<RawValue>>) -> SubscriptionResult;
}

/// `lucid_subscribe` and `lucid_unsubscribe`, which are to `lucid_` methods what those of `eth_` are to theirs.
#[rpc(server, namespace = "lucid")]
pub(crate) trait LucidSubscriptions {
    /// Tells of `slots` that begin, of the `schedule` after each block, or of the `finality` of blocks from now on, until
    /// the client unsubscribes or leaves.
    #[subscription(
        name = "subscribe" => "subscription",
        unsubscribe = "unsubscribe",
        item = Box<RawValue>,
        with_extensions
    )]
    async fn subscribe(&self, kind: Param<String>) -> SubscriptionResult;
}
