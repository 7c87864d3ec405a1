//! The server, over HTTP and WebSocket on one port. One bound for each thing a caller could have too much of: connections, time, bytes, calls.

use crate::{
    access::Access,
    answers::methods,
    api::NodeApi,
    counts::CallCounts,
    dispatch::Dispatch,
    gate::Gate,
    http::Desk,
    limits::{
        HEADER_READ_TIMEOUT_MS, MAX_CONNECTIONS, MAX_REQUEST_HEAD_BYTES, MAX_WAITING_CONNECTIONS, STOP_TIMEOUT_MS,
    },
    links::{Links, MemoryShare},
    socket::Socket,
    wire::CallsDocument,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, watch},
    time::timeout,
};

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
    /// Nothing is ever sent: who waits sees it go.
    stop: watch::Sender<()>,
    links: Arc<Links>,
    counts: Arc<CallCounts>,
}

impl RpcServer {
    /// Listens on `address` (port 0: any free one) and answers from `api` whoever `access` lets ask, over HTTP and
    /// WebSocket, within its share of the memory. Beyond loopback it does not start without tokens.
    pub async fn start<A: NodeApi>(
        address: SocketAddr,
        access: Access,
        memory: MemoryShare,
        api: Arc<A>,
    ) -> Result<Self, StartError> {
        if !address.ip().is_loopback() && access.tokens.is_none() {
            return Err(StartError::Unprotected(address));
        }
        let fault = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
            _ => StartError::Listen { address, source },
        };
        let listener = listen(address).map_err(fault)?;
        let local_addr = listener.local_addr().map_err(fault)?;
        let methods = methods(api).map_err(|e| StartError::Methods(e.to_string()))?;
        let (stop, stopped) = watch::channel(());
        let links = Arc::new(Links::new(memory));
        let counts = Arc::new(CallCounts::new());
        let front = Front {
            gate: Arc::new(Gate::new(local_addr, access)),
            links: Arc::clone(&links),
            dispatch: Dispatch::new(methods, Arc::clone(&counts)),
            stop: Stop(stopped),
        };
        tokio::spawn(front.accept(listener));
        Ok(Self { local_addr, stop, links, counts })
    }

    /// The address that it listens on, with the port that the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Counts the calls since the start, by method, whenever it is asked.
    pub fn calls(&self) -> impl Fn() -> BTreeMap<String, CallsDocument> + Send + Sync + 'static {
        let counts = Arc::clone(&self.counts);
        move || counts.documents()
    }

    /// Takes no more requests, lets those that are being answered finish within [`STOP_TIMEOUT_MS`], and closes.
    pub async fn stop(self) {
        drop(self.stop);
        // Each connection holds one place until it is closed; the accepting task gives back its own.
        let all = self.links.places().acquire_many(MAX_CONNECTIONS as u32);
        if timeout(Duration::from_millis(STOP_TIMEOUT_MS), all).await.is_err() {
            tracing::warn!("some requests were still being answered when the server stopped");
        }
    }
}

/// Listens, with room for those who come in a burst: with less, each who finds none waits a second for its next try.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A node that is started again takes its port while connections of the run before are still dying.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(MAX_WAITING_CONNECTIONS)
}

/// Tells that the server stops.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<()>);

impl Stop {
    /// Waits for the server to stop.
    pub(crate) async fn stopped(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

/// All that a connection is served with.
struct Front {
    gate: Arc<Gate>,
    links: Arc<Links>,
    dispatch: Dispatch,
    stop: Stop,
}

impl Front {
    /// Accepts connections, each with a place, until the server stops.
    async fn accept(self, listener: TcpListener) {
        let mut stop = self.stop.clone();
        loop {
            let next = async {
                let (stream, _) = listener.accept().await?;
                Ok::<_, io::Error>((stream, self.place().await))
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                () = stop.stopped() => return,
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
            dispatch: self.dispatch.clone(),
            stop: self.stop.clone(),
        };
        tokio::spawn(serve(socket, desk));
    }
}

/// Serves one connection to its end, or until it has become a WebSocket, which goes on by itself; at a stop, to the
/// end of the request that is being answered.
async fn serve(socket: Socket, desk: Desk) {
    let mut stop = desk.stop.clone();
    let service = service_fn(move |request| desk.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEADER_READ_TIMEOUT_MS))
        .max_buf_size(MAX_REQUEST_HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
