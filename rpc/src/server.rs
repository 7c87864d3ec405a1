//! The server, over HTTP and WebSocket on one port. One bound for each thing a caller could have too much of: connections, time, bytes, calls.

use crate::{
    access::Access,
    answers::methods,
    api::NodeApi,
    gate::{Gate, strip, text_response},
    guard::{GuardLayer, Transport},
    ids::HexIds,
    limits::{
        HEADER_READ_TIMEOUT_MS, MAX_BATCH_CALLS, MAX_CONNECTIONS, MAX_KEPT_CONNECTIONS, MAX_REQUEST_BODY_BYTES,
        MAX_RESPONSE_BODY_BYTES, MAX_SUBSCRIPTIONS_PER_CONNECTION, MAX_WAITING_MESSAGES, PING_INTERVAL_MS,
        PING_TIMEOUT_MS, REQUEST_TIMEOUT_MS, STOP_TIMEOUT_MS,
    },
    links::{Link, Links},
    socket::Socket,
};
use hyper::{
    StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::{
    core::{BoxError, middleware::RpcServiceBuilder},
    server::{
        BatchRequestConfig, HttpRequest, HttpResponse, Methods, PingConfig, Server, ServerConfig, ServerHandle,
        StopHandle, TowerService, TowerServiceBuilder, http::response, stop_channel, ws::is_upgrade_request,
    },
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tower::{
    Service,
    layer::util::{Identity, Stack},
};

type Guarded = Stack<GuardLayer, Identity>;
type Connector = TowerServiceBuilder<Guarded, Identity>;
type Connection = TowerService<Guarded, Identity>;

/// How often a new connection looks again for an idle one that could give it its place.
const PLACE_PAUSE_MS: u64 = 50;

/// How long the server rests when the system gives it no connection (too many open files).
const ACCEPT_PAUSE_MS: u64 = 100;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Others than this machine would reach it, and no token would be asked of them.
    #[error("{0} is reached from other machines, and no token is set up; listen on 127.0.0.1 or set tokens up")]
    Unprotected(SocketAddr),
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
    links: Arc<Links>,
}

impl RpcServer {
    /// Listens on `address` (port 0: any free one) and answers from `api` whoever `access` lets ask, over HTTP and
    /// WebSocket. Beyond loopback it does not start without tokens.
    pub async fn start<A: NodeApi>(address: SocketAddr, access: Access, api: Arc<A>) -> Result<Self, StartError> {
        if !address.ip().is_loopback() && access.tokens.is_none() {
            return Err(StartError::Unprotected(address));
        }
        let fault = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
            _ => StartError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        let local_addr = listener.local_addr().map_err(fault)?;
        let methods = methods(api).map_err(|e| StartError::Methods(e.to_string()))?;
        let connector = Server::builder()
            .set_config(config())
            .set_rpc_middleware(RpcServiceBuilder::new().layer(GuardLayer))
            .to_service_builder();
        let (stop, handle) = stop_channel();
        let links = Arc::new(Links::new());
        let front = Front {
            gate: Arc::new(Gate::new(local_addr, access)),
            links: Arc::clone(&links),
            connector,
            methods,
            stop,
        };
        tokio::spawn(front.accept(listener));
        Ok(Self { local_addr, handle, links })
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
        // Each connection holds one place until it is closed; the accepting task gives back its own.
        let all = self.links.places().acquire_many(MAX_CONNECTIONS as u32);
        if timeout(Duration::from_millis(STOP_TIMEOUT_MS), all).await.is_err() {
            tracing::warn!("some requests were still being answered when the server stopped");
        }
    }
}

fn config() -> ServerConfig {
    let pings = PingConfig::new()
        .ping_interval(Duration::from_millis(PING_INTERVAL_MS))
        .inactive_limit(Duration::from_millis(PING_TIMEOUT_MS));
    ServerConfig::builder()
        .max_request_body_size(MAX_REQUEST_BODY_BYTES)
        .max_response_body_size(MAX_RESPONSE_BODY_BYTES)
        // One request at a time on each connection, so this never refuses what was accepted.
        .max_connections(MAX_CONNECTIONS as u32)
        .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS_PER_CONNECTION)
        .set_message_buffer_capacity(MAX_WAITING_MESSAGES)
        .enable_ws_ping(pings)
        .set_id_provider(HexIds)
        .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH_CALLS))
        .build()
}

/// All that a connection is served with.
struct Front {
    gate: Arc<Gate>,
    links: Arc<Links>,
    connector: Connector,
    methods: Methods,
    stop: StopHandle,
}

impl Front {
    /// Accepts connections, each with a place, until the server stops.
    async fn accept(self, listener: TcpListener) {
        let stopped = self.stop.clone().shutdown();
        tokio::pin!(stopped);
        loop {
            let next = async {
                let (stream, _) = listener.accept().await?;
                Ok::<_, io::Error>((stream, self.place().await))
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                () = &mut stopped => return,
            };
            match accepted {
                Ok((stream, Some(place))) => self.serve(stream, place),
                Ok((_, None)) => return,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    }

    /// A place for a connection. Where none is free, idle connections have to go, one for each that comes.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let places = self.links.places();
        let mut made_room = false;
        while places.available_permits() == 0 {
            made_room = made_room || self.links.make_room();
            let freed = timeout(Duration::from_millis(PLACE_PAUSE_MS), Arc::clone(places).acquire_owned()).await;
            if let Ok(place) = freed {
                return place.ok();
            }
        }
        Arc::clone(places).acquire_owned().await.ok()
    }

    /// Serves one connection to its end on a task of its own.
    fn serve(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let socket = match Socket::new(stream, Arc::clone(&self.links), place) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::debug!(%error, "a connection was gone before it was served");
                return;
            }
        };
        let desk = Desk {
            gate: Arc::clone(&self.gate),
            links: Arc::clone(&self.links),
            link: Arc::clone(socket.link()),
            service: self.connector.clone().build(self.methods.clone(), self.stop.clone()),
        };
        tokio::spawn(serve(socket, desk, self.stop.clone()));
    }
}

/// Serves one connection to its end, or until it has become a WebSocket, which goes on by itself; at a stop, to the
/// end of the request that is being answered.
async fn serve(socket: Socket, desk: Desk, stop: StopHandle) {
    let service = service_fn(move |request| desk.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEADER_READ_TIMEOUT_MS))
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
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
}

/// Where the requests of one connection are answered.
#[derive(Clone)]
struct Desk {
    gate: Arc<Gate>,
    links: Arc<Links>,
    link: Arc<Link>,
    service: Connection,
}

impl Desk {
    /// Answers one request; one that takes too long gets an error in its place.
    async fn answer(mut self, mut request: HttpRequest<Incoming>) -> Result<HttpResponse, BoxError> {
        let caller = match self.gate.admit(&request) {
            Ok(caller) => caller,
            Err(refused) => return Ok(*refused),
        };
        let transport = if is_upgrade_request(&request) { Transport::WebSocket } else { Transport::Http };
        if transport == Transport::WebSocket && !self.links.upgrade(&self.link) {
            return Ok(text_response(StatusCode::SERVICE_UNAVAILABLE, "Too many WebSockets are open.\n"));
        }
        let headers = request.headers().clone();
        strip(&mut request);
        let extensions = request.extensions_mut();
        extensions.insert(caller);
        extensions.insert(transport);
        extensions.insert(Arc::clone(&self.link));
        extensions.insert(Arc::clone(&self.links));
        let answered = timeout(Duration::from_millis(REQUEST_TIMEOUT_MS), self.service.call(request)).await;
        let mut answer = answered.unwrap_or_else(|_| Ok(response::internal_error()))?;
        self.gate.share(&headers, &mut answer);
        if transport == Transport::Http && self.links.len() > MAX_KEPT_CONNECTIONS {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }
}
