use super::{super::subscriber::Subscriber, logs};
use crate::{
    api::{NodeApi, PendingTransaction},
    backend::Backend,
    error::RpcError,
    interface::EthSubscriptionsServer,
    wire,
};
use alloy_rpc_types_eth::Filter;
use jsonrpsee::{
    Extensions, PendingSubscriptionSink,
    core::{SubscriptionResult, async_trait},
};
use lucid_types::ChainEvent;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;

/// What a client wants to be told of.
enum Wanted {
    Heads,
    Logs(Box<Filter>),
    Pending { whole: bool },
}

impl Wanted {
    fn read(kind: &str, options: Option<&RawValue>) -> Result<Self, RpcError> {
        match kind {
            "newHeads" => Ok(Self::Heads),
            "logs" => {
                let filter: Box<Filter> = read_or_default(options)?;
                logs::check_items(&filter)?;
                Ok(Self::Logs(filter))
            }
            "newPendingTransactions" => Ok(Self::Pending { whole: read_or_default(options)? }),
            other => Err(RpcError::unknown_subscription("eth", other)),
        }
    }
}

fn read_or_default<T: DeserializeOwned + Default>(options: Option<&RawValue>) -> Result<T, RpcError> {
    let Some(options) = options else { return Ok(T::default()) };
    let read: Option<T> = serde_json::from_str(options.get()).map_err(|e| RpcError::InvalidParams(e.to_string()))?;
    Ok(read.unwrap_or_default())
}

#[async_trait]
impl<A: NodeApi> EthSubscriptionsServer for Backend<A> {
    async fn subscribe(
        &self,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
        kind: String,
        options: Option<Box<RawValue>>,
    ) -> SubscriptionResult {
        let wanted = match Wanted::read(&kind, options.as_deref()) {
            Ok(wanted) => wanted,
            Err(error) => {
                pending.reject(error).await;
                return Ok(());
            }
        };
        // Listened to before the client knows: nothing that comes after its answer is missed.
        let (events, pooled) = (self.api().events(), self.api().pooled());
        let Some(subscriber) = Subscriber::admit(self, pending, extensions).await? else { return Ok(()) };
        match wanted {
            Wanted::Pending { whole } => subscriber.tell_pending(pooled, whole).await,
            Wanted::Heads => subscriber.tell_blocks(events, None).await,
            Wanted::Logs(filter) => subscriber.tell_blocks(events, Some(&filter)).await,
        }
        Ok(())
    }
}

impl Subscriber {
    /// Tells of new heads, or of the logs of new blocks.
    async fn tell_blocks(&self, mut events: Receiver<ChainEvent>, logs: Option<&Filter>) {
        loop {
            let ChainEvent::BlockCommitted(block) = (match self.next(&mut events).await {
                Some(Ok(event)) => event,
                // A block that was missed would not be missed by the client's own reckoning.
                Some(Err(missed)) => return self.hang_up(&format!("it is {missed} blocks behind")),
                None => return,
            }) else {
                continue;
            };
            let told = match logs {
                None => self.tell(&wire::header(&block)).await,
                Some(filter) => self.tell_all(&wire::committed_logs(&block, |log| filter.matches(log))).await,
            };
            if !told {
                return;
            }
        }
    }

    /// Tells of transactions that come into the pool. Of a flood some are left out: such news promise nothing.
    async fn tell_pending(&self, mut pooled: Receiver<Arc<PendingTransaction>>, whole: bool) {
        loop {
            match self.next(&mut pooled).await {
                Some(Ok(transaction)) => {
                    if !self.tell(&wire::PendingNews::new(&transaction, whole)).await {
                        return;
                    }
                }
                Some(Err(missed)) => tracing::debug!(missed, "a subscriber was not told of all that was sent"),
                None => return,
            }
        }
    }
}
