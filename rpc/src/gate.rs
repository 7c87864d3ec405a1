//! What an HTTP request has to show before any call in it is looked at: the Host it asks for, the page it comes from,
//! its token. A WebSocket shows it once, when it is opened.

use crate::{
    access::{Access, Caller, Denied, Hosts, Namespace, Origins, Scope, Tokens},
    error::RpcError,
};
use hyper::{
    StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN, VARY,
        WWW_AUTHENTICATE,
    },
};
use jsonrpsee::{
    server::{HttpBody, HttpRequest, HttpResponse, http::response, ws::is_upgrade_request},
    types::{ErrorObjectOwned, Id, Response, ResponsePayload},
};
use std::{collections::BTreeSet, net::SocketAddr};

/// How long a browser may remember what a page may send, in seconds: longer than a visit, and short enough that a
/// change of the configuration is noticed the same day.
const PREFLIGHT_MAX_AGE_SECS: &str = "3600";

/// Judges requests.
#[derive(Debug)]
pub(crate) struct Gate {
    hosts: Hosts,
    origins: Origins,
    tokens: Option<Tokens>,
    /// Whether others than this machine reach the server.
    exposed: bool,
    /// Namespaces that nobody reaches through it.
    closed: BTreeSet<Namespace>,
}

impl Gate {
    /// The gate of a server that listens on `address`.
    pub(crate) fn new(address: SocketAddr, access: Access) -> Self {
        let exposed = !address.ip().is_loopback();
        let mut closed = if exposed { BTreeSet::from([Namespace::Txpool]) } else { BTreeSet::new() };
        closed.retain(|namespace| !access.namespaces.contains(namespace));
        Self {
            hosts: Hosts::new(address, &access.allowed_hosts),
            origins: Origins::new(&access.allowed_origins),
            tokens: access.tokens,
            exposed,
            closed,
        }
    }

    /// Who sends the request; or the answer, where it is refused or was only a question about what may be sent.
    pub(crate) fn admit<B>(&self, request: &HttpRequest<B>) -> Result<Caller, Box<HttpResponse>> {
        let host = host(request).ok_or_else(|| Box::new(response::malformed()))?;
        if !self.hosts.allow(host) {
            return Err(Box::new(response::host_not_allowed()));
        }
        let origin = self.origin(request)?;
        if let Some(origin) = origin
            && request.method() == hyper::Method::OPTIONS
        {
            return Err(Box::new(preflight(origin)));
        }
        self.caller(request).map_err(|denied| {
            let mut refused = refused(denied);
            self.share_with_page(origin, &mut refused);
            Box::new(refused)
        })
    }

    /// Lets the page that asked read the answer, where it is one that may.
    pub(crate) fn share(&self, headers: &HeaderMap, answer: &mut HttpResponse) {
        self.share_with_page(headers.get(ORIGIN).filter(|origin| self.allows(origin)), answer);
    }

    fn share_with_page(&self, origin: Option<&HeaderValue>, answer: &mut HttpResponse) {
        if let Some(origin) = origin {
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.headers_mut().append(VARY, HeaderValue::from_static("origin"));
        }
    }

    /// The page that the request comes from, where it may read the answer. A WebSocket of any other is refused; a
    /// plain request needs no refusal, for its body is never sent: the browser asks first.
    fn origin<'a, B>(&self, request: &'a HttpRequest<B>) -> Result<Option<&'a HeaderValue>, Box<HttpResponse>> {
        let Some(origin) = request.headers().get(ORIGIN) else { return Ok(None) };
        let text = origin.to_str().unwrap_or_default();
        if is_upgrade_request(request) && !self.origins.allow_socket(text) {
            let text = "Provided Origin header is not whitelisted.\n";
            return Err(Box::new(text_response(StatusCode::FORBIDDEN, text)));
        }
        Ok(self.allows(origin).then_some(origin))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.origins.allow(origin))
    }

    fn caller<B>(&self, request: &HttpRequest<B>) -> Result<Caller, Denied> {
        let credentials = match request.headers().get(AUTHORIZATION) {
            Some(header) => Some(bearer(header).ok_or(Denied::TokenUnknown)),
            None => path_token(request.uri()).map(Ok),
        };
        let credentials = match credentials {
            Some(credentials) if self.tokens.is_some() => Some(credentials?),
            _ => None,
        };
        let caller = Caller::new(self.tokens.as_ref(), credentials, self.closed.clone())?;
        if self.exposed {
            caller.may(Scope::Read)?;
        }
        Ok(caller)
    }
}

/// Takes the secret out of a request that was judged, so that no log of what lies behind can hold it.
pub(crate) fn strip<B>(request: &mut HttpRequest<B>) {
    request.headers_mut().remove(AUTHORIZATION);
    *request.uri_mut() = Uri::default();
}

/// The Host that a request asks for; `None` where it names none, or two.
fn host<B>(request: &HttpRequest<B>) -> Option<&str> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next().map(|host| host.to_str().ok());
    if headers.next().is_some() {
        return None;
    }
    match (header, request.uri().authority()) {
        (Some(header), None) => header,
        (Some(header), Some(authority)) => header.filter(|host| *host == authority.as_str()),
        (None, authority) => authority.map(|authority| authority.as_str()),
    }
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The token in the path, for tools that send no header.
fn path_token(uri: &Uri) -> Option<&str> {
    Some(uri.path().trim_matches('/')).filter(|token| !token.is_empty())
}

/// What a page that is allowed may send.
fn preflight(origin: &HeaderValue) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpBody::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, authorization"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE_SECS));
    headers.insert(VARY, HeaderValue::from_static("origin"));
    answer
}

/// The answer to a request that is refused whole.
fn refused(denied: Denied) -> HttpResponse {
    let status = match denied {
        Denied::TokenMissing(_) | Denied::TokenUnknown => StatusCode::UNAUTHORIZED,
        Denied::Scope { .. } => StatusCode::FORBIDDEN,
    };
    let error = ErrorObjectOwned::from(RpcError::from(denied));
    let body = Response::new(ResponsePayload::<()>::error(error), Id::Null);
    let mut answer = HttpResponse::new(HttpBody::from(serde_json::to_string(&body).unwrap_or_default()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// An answer in plain text, like the server's own to what is no JSON-RPC.
pub(crate) fn text_response(status: StatusCode, text: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpBody::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}
