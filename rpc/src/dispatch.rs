//! Has a message answered, whichever way it came: each call passes what its method asks of the caller, and what the
//! way allows, before the method is run.

use crate::{
    access::Caller,
    counts::CallCounts,
    error::RpcError,
    ids::HexIds,
    interface::{Need, SUBSCRIPTION_METHODS, need_of, refused_params},
    limits::{MAX_BATCH_CALLS, MAX_RESPONSE_BODY_BYTES, MAX_SUBSCRIPTIONS_PER_CONNECTION},
    links::{Link, Links},
    message::{Call, Entry, Message},
};
use jsonrpsee::{
    BatchResponseBuilder, BoundedSubscriptions, ConnectionId, Extensions, MethodCallback, MethodResponse, MethodSink,
    Methods, SubscriptionState,
    types::{
        ErrorCode, ErrorObjectOwned, Id, Params,
        error::{reject_too_big_batch_request, reject_too_many_subscriptions},
    },
};
use serde_json::value::RawValue;
use std::{sync::Arc, time::Instant};

const MAX_ANSWER_BYTES: usize = MAX_RESPONSE_BODY_BYTES as usize;

/// A connection that may ask, and who is at its other end.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) caller: Caller,
    pub(crate) links: Arc<Links>,
    pub(crate) link: Arc<Link>,
    /// What a connection has that the node may send on by itself.
    pub(crate) news: Option<News>,
}

/// The way of news to a client, and how many subscriptions may use it.
#[derive(Debug, Clone)]
pub(crate) struct News {
    sink: MethodSink,
    places: BoundedSubscriptions,
}

impl News {
    pub(crate) fn new(sink: MethodSink) -> Self {
        Self { sink, places: BoundedSubscriptions::new(MAX_SUBSCRIPTIONS_PER_CONNECTION) }
    }
}

/// Answers messages.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    methods: Methods,
    counts: Arc<CallCounts>,
}

impl Dispatch {
    pub(crate) fn new(methods: Methods, counts: Arc<CallCounts>) -> Self {
        Self { methods, counts }
    }

    /// The answer to a message; `None` where it needs none.
    pub(crate) async fn answer(&self, message: &[u8], asker: &Asker) -> Option<Box<RawValue>> {
        let _running = asker.link.begin();
        let answer = match Message::read(message) {
            Message::Single(entry) => self.entry(entry, asker, false).await,
            Message::Batch(entries) => self.batch(entries, asker).await,
            Message::TooMany => {
                let error = reject_too_big_batch_request(MAX_BATCH_CALLS as usize);
                Some(MethodResponse::error(Id::Null, error))
            }
            Message::Malformed(code) => Some(MethodResponse::error(Id::Null, code)),
        };
        // That of a subscription went its own way, so that no news could come before it.
        let answer = answer.filter(|answer| !answer.is_subscription())?.into_json();
        asker.links.note_answer(&asker.link, answer.get().len());
        Some(answer)
    }

    async fn batch(&self, entries: Vec<Entry<'_>>, asker: &Asker) -> Option<MethodResponse> {
        let mut answers = BatchResponseBuilder::new_with_limit(MAX_ANSWER_BYTES);
        let mut gathered = asker.links.gather();
        for entry in entries {
            let Some(answer) = self.entry(entry, asker, true).await else { continue };
            if !gathered.take(answer.as_json().get().len()) {
                return Some(MethodResponse::error(Id::Null, ErrorObjectOwned::from(RpcError::Busy)));
            }
            if let Err(too_large) = answers.append(answer) {
                return Some(too_large);
            }
        }
        (!answers.is_empty()).then(|| MethodResponse::from_batch(answers.finish()))
    }

    async fn entry(&self, entry: Entry<'_>, asker: &Asker, in_batch: bool) -> Option<MethodResponse> {
        match entry {
            Entry::Call(call) => {
                let (method, begun) = (call.method.clone(), Instant::now());
                let answer = match refusal(&method, asker, in_batch) {
                    Some(refusal) => MethodResponse::error(call.id, ErrorObjectOwned::from(refusal)),
                    None => self.call(call, asker).await,
                };
                self.counts.note(&method, answer.is_success(), begun.elapsed());
                Some(answer)
            }
            Entry::Notification => None,
            Entry::Invalid(id) => Some(MethodResponse::error(id, ErrorCode::InvalidRequest)),
        }
    }

    async fn call(&self, call: Call<'_>, asker: &Asker) -> MethodResponse {
        let Call { id, method, params } = call;
        if let Some(error) = refused_params(&method, params.map(RawValue::get)) {
            return MethodResponse::error(id, ErrorObjectOwned::from(error));
        }
        let params = Params::new(params.map(RawValue::get));
        let connection = ConnectionId(asker.link.id());
        let mut extensions = Extensions::new();
        extensions.insert(asker.caller.clone());
        extensions.insert(Arc::clone(&asker.link));
        match (self.methods.method(&method), &asker.news) {
            (Some(MethodCallback::Sync(method)), _) => method(id, params, MAX_ANSWER_BYTES, extensions),
            (Some(MethodCallback::Async(method)), _) => {
                method(id.into_owned(), params.into_owned(), connection, MAX_ANSWER_BYTES, extensions).await
            }
            (Some(MethodCallback::Unsubscription(method)), _) => {
                method(id, params, connection, MAX_ANSWER_BYTES, extensions)
            }
            (Some(MethodCallback::Subscription(method)), Some(news)) => {
                let Some(subscription_permit) = news.places.acquire() else {
                    return MethodResponse::error(id, reject_too_many_subscriptions(news.places.max()));
                };
                let state = SubscriptionState { conn_id: connection, id_provider: &HexIds, subscription_permit };
                method(id, params, news.sink.clone(), state, extensions).await
            }
            (Some(MethodCallback::Subscription(_)), None) => {
                MethodResponse::error(id, ErrorObjectOwned::from(RpcError::NotificationsUnsupported))
            }
            (None, _) => MethodResponse::error(id, ErrorObjectOwned::from(RpcError::unknown_method(&method))),
        }
    }
}

/// Why a call is not answered by its method; `None` where it is.
fn refusal(method: &str, asker: &Asker, in_batch: bool) -> Option<RpcError> {
    let Some(need) = need_of(method).filter(|need| asker.caller.sees(*need)) else {
        return Some(RpcError::unknown_method(method));
    };
    if let Need::Token(scope) = need
        && let Err(denied) = asker.caller.may(scope)
    {
        return Some(denied.into());
    }
    if !SUBSCRIPTION_METHODS.contains(&method) {
        return None;
    }
    match asker.news {
        Some(_) if in_batch => Some(RpcError::SubscriptionInBatch),
        Some(_) => None,
        None => Some(RpcError::NotificationsUnsupported),
    }
}
