//! What every call has to pass, alone or in a batch: that its method is there for this caller, that it can be answered
//! over this transport, and that it is its turn.

use crate::{
    access::Caller,
    error::RpcError,
    interface::{Need, SUBSCRIPTION_METHODS, need_of},
    links::{Link, Links},
};
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification, RpcServiceT},
    server::middleware::rpc::RpcService,
    types::{ErrorObjectOwned, Request},
};
use std::sync::Arc;
use tower::Layer;

/// How calls come in. One of these, a [`Caller`], a [`Link`] and the [`Links`] go along with every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// One request, one answer.
    Http,
    /// A connection that the node may also send on.
    WebSocket,
}

/// Puts a [`Guard`] before the calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuardLayer;

impl Layer<RpcService> for GuardLayer {
    type Service = Guard;

    fn layer(&self, inner: RpcService) -> Guard {
        Guard(inner)
    }
}

/// Stands before the calls.
#[derive(Debug, Clone)]
pub(crate) struct Guard(RpcService);

/// Why a call is not answered by its method; `None` where it is.
fn refusal(request: &Request<'_>, in_batch: bool) -> Option<RpcError> {
    let method = request.method_name();
    let extensions = request.extensions();
    let (Some(need), Some(caller)) = (need_of(method), extensions.get::<Caller>()) else {
        return Some(RpcError::unknown_method(method));
    };
    if !caller.sees(need) {
        return Some(RpcError::unknown_method(method));
    }
    if let Need::Token(scope) = need
        && let Err(denied) = caller.may(scope)
    {
        return Some(denied.into());
    }
    if !SUBSCRIPTION_METHODS.contains(&method) {
        return None;
    }
    match extensions.get::<Transport>() {
        Some(Transport::WebSocket) if in_batch => Some(RpcError::SubscriptionInBatch),
        Some(Transport::WebSocket) => None,
        _ => Some(RpcError::NotificationsUnsupported),
    }
}

/// The connection of a request, among the others.
fn connection(request: &Request<'_>) -> Option<(Arc<Links>, Arc<Link>)> {
    let extensions = request.extensions();
    Some((extensions.get::<Arc<Links>>()?.clone(), extensions.get::<Arc<Link>>()?.clone()))
}

/// Has the calls of a connection answered when it is their turn, and notes how much there is to write then.
async fn in_turn(
    connection: Option<(Arc<Links>, Arc<Link>)>,
    answer: impl Future<Output = MethodResponse>,
) -> MethodResponse {
    let Some((links, link)) = connection else { return answer.await };
    let _running = link.begin_call().await;
    let answer = answer.await;
    links.note_answer(&link, answer.as_json().get().len());
    answer
}

impl RpcServiceT for Guard {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let inner = self.0.clone();
        async move {
            if let Some(refusal) = refusal(&request, false) {
                return MethodResponse::error(request.id, ErrorObjectOwned::from(refusal));
            }
            in_turn(connection(&request), inner.call(request)).await
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let inner = self.0.clone();
        async move {
            let mut through = None;
            let mut judged = Vec::with_capacity(batch.len());
            for entry in batch {
                judged.push(match entry {
                    Ok(BatchEntry::Call(request)) => {
                        through = through.or_else(|| connection(&request));
                        match refusal(&request, true) {
                            Some(refusal) => Err(BatchEntryErr::new(request.id, ErrorObjectOwned::from(refusal))),
                            None => Ok(BatchEntry::Call(request)),
                        }
                    }
                    entry => entry,
                });
            }
            in_turn(through, inner.batch(Batch::from(judged))).await
        }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.0.notification(notification)
    }
}
