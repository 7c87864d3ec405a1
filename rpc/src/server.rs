//! The HTTP server. One bound for each thing a caller could have too much of: connections, time, bytes, calls.

use crate::{
    answers::methods,
    api::NodeApi,
    limits::{
        HEADER_READ_TIMEOUT_MS, MAX_BATCH_CALLS, MAX_CONNECTIONS, MAX_KEPT_CONNECTIONS, MAX_REQUEST_BODY_BYTES,
        MAX_RESPONSE_BODY_BYTES, REQUEST_TIMEOUT_MS, STOP_TIMEOUT_MS,
    },
};
use hyper::{
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::{
    core::BoxError,
    server::{
        BatchRequestConfig, HttpRequest, HttpResponse, Server, ServerConfig, ServerHandle, StopHandle, TowerService,
        TowerServiceBuilder, http::response, middleware::http::HostFilterLayer, stop_channel,
    },
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower::{
    Service,
    layer::util::{Identity, Stack},
};

type HostFilter = Stack<HostFilterLayer, Identity>;
type Connector = TowerServiceBuilder<Identity, HostFilter>;
type Connection = TowerService<Identity, HostFilter>;

/// How long the server rests when the system gives it no connection (too many open files).
const ACCEPT_PAUSE_MS: u64 = 100;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program listens there.
    #[error("{0} is in use by another program; choose another port or stop that program")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Two methods have one name. A fault of the program.
    #[error("the methods of the interface cannot be put together: {0}")]
    Methods(String),
}

/// A running server. Dropping it stops it as well, without waiting.
#[derive(Debug)]
pub struct RpcServer {
    local_addr: SocketAddr,
    handle: ServerHandle,
    connections: Arc<Semaphore>,
}

impl RpcServer {
    /// Listens on `address` (port 0: any free one) and answers from `api`. Whether an address off loopback may
    /// be listened on is for the caller to judge.
    pub async fn start<A: NodeApi>(address: SocketAddr, api: Arc<A>) -> Result<Self, StartError> {
        let fault = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
            _ => StartError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        let local_addr = listener.local_addr().map_err(fault)?;
        let hosts = HostFilterLayer::new(allowed_hosts(local_addr)).map_err(|e| StartError::Methods(e.to_string()))?;
        let methods = methods(api).map_err(|e| StartError::Methods(e.to_string()))?;
        let connector = Server::builder()
            .set_config(config())
            .set_http_middleware(tower::ServiceBuilder::new().layer(hosts))
            .to_service_builder();
        let (stop, handle) = stop_channel();
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let connect = {
            let stop = stop.clone();
            move || Connector::clone(&connector).build(methods.clone(), stop.clone())
        };
        tokio::spawn(accept(listener, connections.clone(), stop, connect));
        Ok(Self { local_addr, handle, connections })
    }

    /// The address that it listens on, with the port that the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Takes no more requests, lets those that are being answered finish within [`STOP_TIMEOUT_MS`], and closes.
    pub async fn stop(self) {
        if self.handle.stop().is_err() {
            return;
        }
        // Each connection holds one permit until it is closed; the accepting task gives back its own.
        let all = self.connections.acquire_many(MAX_CONNECTIONS as u32);
        if timeout(Duration::from_millis(STOP_TIMEOUT_MS), all).await.is_err() {
            tracing::warn!("some requests were still being answered when the server stopped");
        }
    }
}

fn config() -> ServerConfig {
    ServerConfig::builder()
        .http_only()
        .max_request_body_size(MAX_REQUEST_BODY_BYTES)
        .max_response_body_size(MAX_RESPONSE_BODY_BYTES)
        // One request at a time on each connection, so this never refuses what was accepted.
        .max_connections(MAX_CONNECTIONS as u32)
        .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH_CALLS))
        .build()
}

/// The Host headers that are answered: the names of this machine's loopback and the address itself, with the
/// port. A web page whose own name was made to resolve to this machine (DNS rebinding) sends that name here.
fn allowed_hosts(address: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    let ip = address.ip();
    if !ip.is_loopback() && !ip.is_unspecified() {
        names.push(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
    }
    let port = address.port();
    let with_port = names.iter().map(|name| format!("{name}:{port}"));
    // Clients leave out the default port of HTTP.
    if port == 80 { with_port.chain(names.iter().cloned()).collect() } else { with_port.collect() }
}

/// Accepts connections, each with a permit, until the server stops.
async fn accept(
    listener: TcpListener,
    connections: Arc<Semaphore>,
    stop: StopHandle,
    connect: impl Fn() -> Connection,
) {
    let stopped = stop.clone().shutdown();
    tokio::pin!(stopped);
    loop {
        let next = async {
            let permit = connections.clone().acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = &mut stopped => None,
        };
        match accepted {
            Some((permit, Ok((socket, _)))) => {
                tokio::spawn(serve(socket, connect(), stop.clone(), connections.clone(), permit));
            }
            Some((_, Err(error))) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
            None => return,
        }
    }
}

/// Serves one connection to its end; at a stop, to the end of the request that is being answered.
async fn serve(
    socket: TcpStream,
    service: Connection,
    stop: StopHandle,
    places: Arc<Semaphore>,
    permit: OwnedSemaphorePermit,
) {
    // Answers are small and written whole, so waiting to fill a segment would only delay them.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let service = service_fn(move |request| answer(service.clone(), Arc::clone(&places), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEADER_READ_TIMEOUT_MS))
        .serve_connection(TokioIo::new(socket), service);
    let stopped = stop.shutdown();
    tokio::pin!(connection, stopped);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = &mut stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
    drop(permit);
}

/// Answers one request; one that takes too long gets an error in its place.
async fn answer(
    mut service: Connection,
    places: Arc<Semaphore>,
    request: HttpRequest<Incoming>,
) -> Result<HttpResponse, BoxError> {
    let answered = timeout(Duration::from_millis(REQUEST_TIMEOUT_MS), service.call(request)).await;
    let mut response = answered.unwrap_or_else(|_| Ok(response::internal_error()))?;
    if MAX_CONNECTIONS - places.available_permits() > MAX_KEPT_CONNECTIONS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
