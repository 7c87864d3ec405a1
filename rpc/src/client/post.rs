//! HTTP/1.1 below the client: a POST to one address, over a connection that is kept for the next.
//!
//! The library's own client brings HTTP/2 with it, which no node speaks: 400 KB of the program.

use crate::limits::{CLIENT_CONNECT_TIMEOUT_MS, CLIENT_MAX_REQUEST_BYTES, MAX_RESPONSE_BODY_BYTES};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue},
};
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use url::{Position, Url};

type Connection = SendRequest<Full<Bytes>>;

/// Why there is no body of an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// Answered, with this status and without what was asked for.
    #[error("the request was refused with HTTP status {}", .0.as_u16())]
    Refused(StatusCode),
    #[error("the request is too large: {0} bytes")]
    RequestTooLarge(usize),
    #[error("no connection")]
    Connect(#[from] io::Error),
    #[error("the connection failed")]
    Http(#[from] hyper::Error),
    #[error("no answer that can be read")]
    Body(#[source] Box<dyn Error + Send + Sync>),
}

/// Where requests go, and with which headers.
#[derive(Debug)]
pub(super) struct Post {
    /// Name and port, an IPv6 address without its brackets.
    host: (String, u16),
    /// Path and query.
    target: Uri,
    headers: HeaderMap,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<Connection>>,
}

impl Post {
    /// Requests to `url`, each with `headers`. The error says what is wrong with the address.
    pub(super) fn new(url: &str, mut headers: HeaderMap) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        if url.scheme() != "http" {
            return Err("its scheme is not http".to_owned());
        }
        let (Some(name), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("it names no host".to_owned());
        };
        let header = |text: &str| HeaderValue::try_from(text).map_err(|error| error.to_string());
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let target =
            url[Position::BeforePath..Position::AfterQuery].parse::<Uri>().map_err(|error| error.to_string())?;
        headers.insert(HOST, header(&url[Position::BeforeHost..Position::AfterPort])?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(password) = url.password()
            && !headers.contains_key(AUTHORIZATION)
        {
            let mut basic = header(&format!("Basic {}", STANDARD.encode(format!("{}:{password}", url.username()))))?;
            basic.set_sensitive(true);
            headers.insert(AUTHORIZATION, basic);
        }
        Ok(Self { host: (name, port), target, headers, idle: Mutex::default() })
    }

    /// Sends `body` and reads what is answered.
    pub(super) async fn send(&self, body: String) -> Result<Bytes, PostError> {
        if body.len() > CLIENT_MAX_REQUEST_BYTES as usize {
            return Err(PostError::RequestTooLarge(body.len()));
        }
        let mut request = Request::post(self.target.clone());
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
        }
        let mut request = request.body(Full::from(body)).map_err(|error| PostError::Body(error.into()))?;
        // The node may have closed any of these while it was idle. As long as nothing of a request went out, the next takes it.
        while let Some(mut connection) = self.take() {
            if connection.ready().await.is_err() {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => return self.read(response, connection).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await?;
        self.read(response, connection).await
    }

    async fn read(&self, response: hyper::Response<Incoming>, connection: Connection) -> Result<Bytes, PostError> {
        let status = response.status();
        if !status.is_success() {
            return Err(PostError::Refused(status));
        }
        let body = Limited::new(response.into_body(), MAX_RESPONSE_BODY_BYTES as usize);
        let bytes = body.collect().await.map_err(PostError::Body)?.to_bytes();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(bytes)
    }

    /// An idle connection that was open when it was last heard of.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    /// A new connection, to the first of the host's addresses that takes one.
    async fn connect(&self) -> Result<Connection, PostError> {
        let (name, port) = &self.host;
        let addresses: Vec<_> = lookup_host((name.as_str(), *port)).await?.collect();
        let tries = u64::try_from(addresses.len()).unwrap_or(1).max(1);
        let patience = Duration::from_millis(CLIENT_CONNECT_TIMEOUT_MS / tries);
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                    // Ends with the sender, or when the node hangs up, which the next request is told.
                    tokio::spawn(connection);
                    return Ok(sender);
                }
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure.into())
    }
}
