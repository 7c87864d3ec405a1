//! A client that is told of news: what there is to tell is the matter of each namespace, how it is told is the same for all.

use crate::{
    api::NodeApi,
    backend::Backend,
    error::RpcError,
    limits::{MAX_SUBSCRIPTIONS, SUBSCRIBER_TIMEOUT_MS},
    links::{Link, Subscribed},
};
use jsonrpsee::{
    Extensions, PendingSubscriptionSink, SubscriptionSink,
    core::server::{PendingSubscriptionAcceptError, SendTimeoutError},
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::{sync::Arc, time::Duration};
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{Receiver, error::RecvError},
};

/// A client that is told of news until it leaves, unsubscribes or does not keep up.
pub(super) struct Subscriber {
    sink: SubscriptionSink,
    link: Option<Arc<Link>>,
    _subscribed: Option<Subscribed>,
    _place: OwnedSemaphorePermit,
}

impl Subscriber {
    /// Answers the client that it is told from now on; `None` where there is no place for it, which it was told then.
    ///
    /// # Errors
    /// The client has gone.
    pub(super) async fn admit<A: NodeApi>(
        backend: &Backend<A>,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
    ) -> Result<Option<Self>, PendingSubscriptionAcceptError> {
        let Some(place) = backend.subscription_place() else {
            let text = format!("{MAX_SUBSCRIPTIONS} subscriptions are served already, and not more");
            pending.reject(RpcError::LimitExceeded(text)).await;
            return Ok(None);
        };
        let link = extensions.get::<Arc<Link>>().cloned();
        let subscribed = link.as_ref().map(Link::subscribed);
        Ok(Some(Self { sink: pending.accept().await?, link, _subscribed: subscribed, _place: place }))
    }

    /// Waits until the client has left or unsubscribed.
    pub(super) async fn left(&self) {
        self.sink.closed().await;
    }

    /// The next of the news, or how many were missed; `None` at the end.
    pub(super) async fn next<T: Clone>(&self, news: &mut Receiver<T>) -> Option<Result<T, u64>> {
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

    pub(super) async fn tell_all(&self, news: &[impl Serialize]) -> bool {
        for one in news {
            if !self.tell(one).await {
                return false;
            }
        }
        true
    }

    /// Sends one of the news; false where the subscription has ended.
    pub(super) async fn tell(&self, news: &impl Serialize) -> bool {
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
    pub(super) fn hang_up(&self, why: &str) {
        tracing::debug!(why, "a subscriber is dropped");
        if let Some(link) = &self.link {
            link.close();
        }
    }
}
