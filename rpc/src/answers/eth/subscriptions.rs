use super::logs;
use crate::{
    api::{NodeApi, PendingTransaction},
    backend::Backend,
    error::RpcError,
    interface::EthSubscriptionsServer,
    limits::{MAX_SUBSCRIPTIONS, SUBSCRIBER_TIMEOUT_MS},
    links::Link,
    wire,
};
use alloy_rpc_types_eth::Filter;
use jsonrpsee::{
    Extensions, PendingSubscriptionSink, SubscriptionSink,
    core::{SubscriptionResult, async_trait, server::SendTimeoutError},
};
use lucid_types::ChainEvent;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast::{Receiver, error::RecvError};

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
            other => Err(RpcError::unknown_subscription(other)),
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
        let Some(_place) = self.subscription_place() else {
            let text = format!("{MAX_SUBSCRIPTIONS} subscriptions are served already, and not more");
            pending.reject(RpcError::LimitExceeded(text)).await;
            return Ok(());
        };
        let link = extensions.get::<Arc<Link>>().cloned();
        let _subscribed = link.as_ref().map(Link::subscribed);
        // Listened to before the client knows: nothing that comes after its answer is missed.
        let (events, pooled) = (self.api().events(), self.api().pooled());
        let subscriber = Subscriber { sink: pending.accept().await?, link };
        match wanted {
            Wanted::Pending { whole } => subscriber.tell_pending(pooled, whole).await,
            Wanted::Heads => subscriber.tell_blocks(events, None).await,
            Wanted::Logs(filter) => subscriber.tell_blocks(events, Some(&filter)).await,
        }
        Ok(())
    }
}

/// A client that is told of news until it leaves, unsubscribes or does not keep up.
struct Subscriber {
    sink: SubscriptionSink,
    link: Option<Arc<Link>>,
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

    /// The next of the news, or how many were missed; `None` at the end.
    async fn next<T: Clone>(&self, news: &mut Receiver<T>) -> Option<Result<T, u64>> {
        let next = tokio::select! {
            next = news.recv() => next,
            () = self.sink.closed() => return None,
        };
        match next {
            Ok(news) => Some(Ok(news)),
            Err(RecvError::Lagged(missed)) => Some(Err(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    async fn tell_all(&self, news: &[impl Serialize]) -> bool {
        for one in news {
            if !self.tell(one).await {
                return false;
            }
        }
        true
    }

    /// Sends one of the news; false where the subscription has ended.
    async fn tell(&self, news: &impl Serialize) -> bool {
        let Ok(json) = to_raw_value(news) else { return false };
        match self.sink.send_timeout(json, Duration::from_millis(SUBSCRIBER_TIMEOUT_MS)).await {
            Ok(()) => true,
            Err(SendTimeoutError::Closed(_)) => false,
            Err(SendTimeoutError::Timeout(_)) => {
                self.hang_up("it does not read");
                false
            }
        }
    }

    /// Ends the connection: a client that sees it end begins anew, and one that heard nothing more would not.
    fn hang_up(&self, why: &str) {
        tracing::debug!(why, "a subscriber is dropped");
        if let Some(link) = &self.link {
            link.close();
        }
    }
}
