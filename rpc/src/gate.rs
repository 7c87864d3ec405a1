//! What an HTTP request has to show before any call in it is looked at: the Host it asks for, the page it comes from,
//! its token. A WebSocket shows it once, when it is opened.

use crate::{
    access::{Access, Caller, Denied, Hosts, Namespace, Origins, Scope, Tokens},
    error::RpcError,
    respond::{self, Answer},
};
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
        WWW_AUTHENTICATE,
    },
};
use soketto::handshake::http::is_upgrade_request;
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
        let mut closed = if exposed { BTreeSet::from(Namespace::ALL) } else { BTreeSet::new() };
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
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Result<Caller, Box<Answer>> {
        if !self.hosts.allow(host(request)?) {
            let text = "This node is not called by this Host. Other names than its own are allowed by http.allowed-hosts \
                        of its configuration.\n";
            return Err(Box::new(respond::text(StatusCode::FORBIDDEN, text)));
        }
        let credentials = only(request.headers(), AUTHORIZATION)?;
        let origin = self.origin(request)?;
        if let Some(origin) = origin
            && request.method() == Method::OPTIONS
        {
            return Err(Box::new(preflight(origin)));
        }
        self.caller(credentials, request.uri()).map_err(|denied| {
            let mut refused = refused(denied);
            self.share_with_page(origin, &mut refused);
            Box::new(refused)
        })
    }

    /// Lets the page that asked read the answer, where it is one that may.
    pub(crate) fn share(&self, headers: &HeaderMap, answer: &mut Answer) {
        self.share_with_page(headers.get(ORIGIN).filter(|origin| self.allows(origin)), answer);
    }

    fn share_with_page(&self, origin: Option<&HeaderValue>, answer: &mut Answer) {
        if let Some(origin) = origin {
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.headers_mut().append(VARY, HeaderValue::from_static("origin"));
        }
    }

    /// The page that the request comes from, where it may read the answer. A WebSocket of any other is refused; a
    /// plain request needs no refusal, for its body is never sent: the browser asks first.
    fn origin<'a, B>(&self, request: &'a Request<B>) -> Result<Option<&'a HeaderValue>, Box<Answer>> {
        let Some(origin) = only(request.headers(), ORIGIN)? else { return Ok(None) };
        let text = origin.to_str().unwrap_or_default();
        if is_upgrade_request(request) && !self.origins.allow_socket(text) {
            let text = "Pages of this Origin open no WebSocket here. Those that do are listed in http.allowed-origins of \
                        the node's configuration.\n";
            return Err(Box::new(respond::text(StatusCode::FORBIDDEN, text)));
        }
        Ok(self.allows(origin).then_some(origin))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.origins.allow(origin))
    }

    /// Judges every token that came: the one in the header counts, and a wrong one beside it is refused all the same.
    fn caller(&self, header: Option<&HeaderValue>, uri: &Uri) -> Result<Caller, Denied> {
        let mut caller = self.known(None)?;
        if self.tokens.is_some() {
            if let Some(token) = path_token(uri) {
                caller = self.known(Some(token))?;
            }
            if let Some(header) = header {
                caller = self.known(Some(bearer(header).ok_or(Denied::TokenUnknown)?))?;
            }
        }
        if self.exposed {
            caller.may(Scope::Read)?;
        }
        Ok(caller)
    }

    fn known(&self, token: Option<&str>) -> Result<Caller, Denied> {
        Caller::new(self.tokens.as_ref(), token, self.closed.clone())
    }
}

/// The value of a header that may be there once. Of two, another program on the way could have judged the other.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, Box<Answer>> {
    let mut values = headers.get_all(&name).iter();
    let value = values.next();
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Box::new(respond::bad_request(&format!("the request has more than one {name} header")))),
    }
}

/// The Host that a request asks for, of which it has to name exactly one.
fn host<B>(request: &Request<B>) -> Result<&str, Box<Answer>> {
    let wrong = |what| Err(Box::new(respond::bad_request(what)));
    let header = only(request.headers(), HOST)?.map(|host| host.to_str().unwrap_or_default());
    match (header, request.uri().authority()) {
        (Some(""), _) => wrong("the host header names no host"),
        (Some(header), Some(authority)) if header != authority.as_str() => {
            wrong("the host header and the address that is asked for differ")
        }
        (Some(host), _) => Ok(host),
        (None, Some(authority)) => Ok(authority.as_str()),
        (None, None) => wrong("the request has no host header"),
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
fn preflight(origin: &HeaderValue) -> Answer {
    let mut answer = respond::empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, authorization"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE_SECS));
    headers.insert(VARY, HeaderValue::from_static("origin"));
    answer
}

/// The answer to a request that is refused whole.
fn refused(denied: Denied) -> Answer {
    let status = match denied {
        Denied::TokenMissing(_) | Denied::TokenUnknown => StatusCode::UNAUTHORIZED,
        Denied::Scope { .. } => StatusCode::FORBIDDEN,
    };
    let mut answer = respond::error(status, RpcError::from(denied));
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
