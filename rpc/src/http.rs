//! One HTTP request: judged by its head, read within its bounds, and answered; or made a WebSocket.

use crate::{
    dispatch::{Asker, Dispatch, News},
    gate::Gate,
    limits::{
        LARGE_REQUEST_BYTES, MAX_KEPT_CONNECTIONS, MAX_REQUEST_BODY_BYTES, MAX_WAITING_MESSAGES, REQUEST_TIMEOUT_MS,
    },
    links::{Large, Link, Links},
    respond::{self, Answer},
    server::Stop,
    websocket,
};
use http_body_util::BodyExt;
use hyper::{
    Method, Request, StatusCode,
    body::{Body, Incoming},
    header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use hyper_util::rt::TokioIo;
use jsonrpsee::{
    MethodSink,
    types::{ErrorCode, error::reject_too_big_request},
};
use soketto::handshake::http::{Server as Handshake, is_upgrade_request};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// Where the requests of one connection are answered.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) gate: Arc<Gate>,
    pub(crate) links: Arc<Links>,
    pub(crate) link: Arc<Link>,
    pub(crate) dispatch: Dispatch,
    pub(crate) stop: Stop,
}

impl Desk {
    /// Answers one request; one that takes too long gets an error in its place.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let caller = match self.gate.admit(&request) {
            Ok(caller) => caller,
            Err(refused) => return Ok(*refused),
        };
        let asker = Asker { caller, links: self.links.clone(), link: self.link.clone(), news: None };
        if is_upgrade_request(&request) {
            return Ok(self.upgrade(request, asker));
        }
        let headers = request.headers().clone();
        let answered = timeout(Duration::from_millis(REQUEST_TIMEOUT_MS), self.post(request, &asker)).await;
        let mut answer =
            answered.unwrap_or_else(|_| respond::error(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalError));
        self.gate.share(&headers, &mut answer);
        if self.links.len() > MAX_KEPT_CONNECTIONS {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }

    async fn post(&self, request: Request<Incoming>, asker: &Asker) -> Answer {
        if request.method() != Method::POST {
            let text = "Used HTTP Method is not allowed. POST is required\n";
            return respond::text(StatusCode::METHOD_NOT_ALLOWED, text);
        }
        // A page in a browser may send other types to any host without asking first.
        if !is_json(request.headers()) {
            let text = "Supplied content type is not allowed. Content-Type: application/json is required\n";
            return respond::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        }
        let (body, _large) = match self.read(request.into_body()).await {
            Ok(read) => read,
            Err(refused) => return *refused,
        };
        match self.dispatch.answer(&body, asker).await {
            Some(answer) => respond::json(StatusCode::OK, String::from(Box::<str>::from(answer))),
            None => respond::empty(StatusCode::OK),
        }
    }

    /// Reads a body, and takes its turn where it is large.
    async fn read(&self, mut body: Incoming) -> Result<(Vec<u8>, Option<Large>), Box<Answer>> {
        let too_large = || {
            let error = reject_too_big_request(MAX_REQUEST_BODY_BYTES);
            Box::new(respond::error(StatusCode::PAYLOAD_TOO_LARGE, error))
        };
        let most = MAX_REQUEST_BODY_BYTES as usize;
        if body.size_hint().lower() > most as u64 {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let mut large = None;
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|_| Box::new(respond::bad_request("the body ended early, or is not of its form")))?;
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > most - bytes.len() {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
            if bytes.len() >= LARGE_REQUEST_BYTES && large.is_none() {
                large = Some(self.links.large_turn(&self.link).await);
            }
        }
        if let Some(large) = &large {
            large.has_come();
        }
        Ok((bytes, large))
    }

    /// Makes the connection a WebSocket, which is served on a task of its own.
    fn upgrade(self, mut request: Request<Incoming>, mut asker: Asker) -> Answer {
        let Ok(handshake) = Handshake::new().receive_request(&request) else {
            return respond::text(StatusCode::BAD_REQUEST, "This is no handshake of a WebSocket of version 13.\n");
        };
        if !self.links.upgrade(&self.link) {
            return respond::text(StatusCode::SERVICE_UNAVAILABLE, "Too many WebSockets are open.\n");
        }
        let (sink, news) = mpsc::channel(MAX_WAITING_MESSAGES as usize);
        asker.news = Some(News::new(MethodSink::new(sink)));
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            match upgrade.await {
                Ok(stream) => websocket::serve(TokioIo::new(stream), self.dispatch, asker, news, self.stop).await,
                Err(error) => tracing::debug!(%error, "a connection ended before it was a WebSocket"),
            }
        });
        handshake.map(|()| Default::default())
    }
}

/// Whether a body is said to be JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/json-rpc"].iter().any(|json| kind.eq_ignore_ascii_case(json))
}
