//! The health port. It is for the machine's own monitoring, so it listens on loopback only, knows three paths, and reads
//! no body.

use super::{Look, accept::accept_each, checks, metrics};
use crate::limits::{HEALTH_READ_TIMEOUT_MS, MAX_HEALTH_CONNECTIONS, STATUS_TIMEOUT_MS};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// The text format of Prometheus.
const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const TEXT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A server that answers how the node is, until it is dropped.
#[derive(Debug)]
pub struct HealthServer {
    local_addr: SocketAddr,
    task: JoinHandle<()>,
}

impl HealthServer {
    /// Listens on an address of this machine.
    ///
    /// # Errors
    ///
    /// The address is not loopback, or cannot be listened on.
    pub async fn start(address: SocketAddr, look: Look) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the health port is for this machine only"));
        }
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { local_addr, task: tokio::spawn(accept(listener, look)) })
    }

    /// The address that it listens on, with the port that the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, look: Look) {
    let next = || async { Ok(listener.accept().await?.0) };
    accept_each("the health port", MAX_HEALTH_CONNECTIONS, next, |stream| serve(stream, Arc::clone(&look))).await;
}

/// Answers one request. A connection is not kept: who asks every few seconds comes again.
async fn serve(stream: TcpStream, look: Look) {
    let service = service_fn(move |request| answer(request, Arc::clone(&look)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEALTH_READ_TIMEOUT_MS))
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let ended = timeout(Duration::from_millis(HEALTH_READ_TIMEOUT_MS + STATUS_TIMEOUT_MS), connection).await;
    if !matches!(ended, Ok(Ok(()))) {
        tracing::debug!("a connection to the health port was cut off");
    }
}

async fn answer(request: Request<Incoming>, look: Look) -> Result<Response<String>, Infallible> {
    if !is_loopback_host(&request) {
        return Ok(text(StatusCode::FORBIDDEN, "Ask by this machine's own address.\n".to_owned()));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET is answered here.\n".to_owned());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(refused);
    }
    let verbose = request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    let path = request.uri().path().to_owned();
    if !matches!(path.as_str(), "/livez" | "/readyz" | "/metrics") {
        return Ok(text(StatusCode::NOT_FOUND, "Here are /livez, /readyz?verbose and /metrics.\n".to_owned()));
    }
    // A node that is stuck may keep this waiting, and that is its answer.
    let looked = timeout(Duration::from_millis(STATUS_TIMEOUT_MS), spawn_blocking(move || look())).await;
    let Ok(Ok(status)) = looked else {
        return Ok(text(StatusCode::SERVICE_UNAVAILABLE, "The node does not say how it is.\n".to_owned()));
    };
    let (name, checks) = match path.as_str() {
        "/livez" => ("livez", checks::alive(&status)),
        "/readyz" => ("readyz", checks::ready(&status)),
        _ => {
            let mut page = text(StatusCode::OK, metrics::page(&status));
            page.headers_mut().insert(CONTENT_TYPE, METRICS_TYPE);
            return Ok(page);
        }
    };
    let code = if checks::hold(&checks) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(text(code, checks::report(name, &checks, verbose)))
}

/// A page of the web could have its own name lead to this machine; what it then says as Host is that name.
fn is_loopback_host(request: &Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(hyper::header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else { return false };
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn text(status: StatusCode, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT_TYPE);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::{super::metrics::tests::status, *};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn ask(server: &HealthServer, request: &str) -> String {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(server: &HealthServer, path: &str) -> String {
        ask(server, &format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")).await
    }

    async fn server(look: Look) -> HealthServer {
        HealthServer::start(([127, 0, 0, 1], 0).into(), look).await.unwrap()
    }

    #[tokio::test]
    async fn each_path_answers_and_no_other_does() {
        let server = server(Arc::new(status)).await;
        let metrics = get(&server, "/metrics").await;
        assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("version=0.0.4"), "{metrics}");
        assert!(metrics.contains("\nlucid_head_number 12\n"), "{metrics}");
        assert!(get(&server, "/livez").await.ends_with("\r\n\r\nok\n"));
        assert!(
            get(&server, "/readyz?verbose")
                .await
                .contains("[+]sealing ok\n[+]peers ok: 3 are connected, 1 are kept out\n")
        );
        assert!(get(&server, "/").await.starts_with("HTTP/1.1 404"));
        let post = ask(&server, "POST /metrics HTTP/1.1\r\nhost: localhost:9\r\ncontent-length: 0\r\n\r\n").await;
        assert!(post.starts_with("HTTP/1.1 405"), "{post}");
        let rebound = ask(&server, "GET /metrics HTTP/1.1\r\nhost: evil.example:9545\r\n\r\n").await;
        assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
    }

    #[tokio::test]
    async fn a_node_that_makes_no_blocks_is_alive_and_not_ready() {
        let stopped = || {
            let mut status = status();
            status.sealing_stop = Some("the disk is full".to_owned());
            status
        };
        let server = server(Arc::new(stopped)).await;
        assert!(get(&server, "/livez").await.starts_with("HTTP/1.1 200"));
        let ready = get(&server, "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("sealing failed: the disk is full"), "{ready}");
    }

    #[tokio::test]
    async fn silent_connections_do_not_blind_a_monitor() {
        let server = server(Arc::new(status)).await;
        let mut silent = Vec::new();
        for _ in 0..MAX_HEALTH_CONNECTIONS * 2 {
            silent.push(TcpStream::connect(server.local_addr()).await.unwrap());
        }
        let asked = std::time::Instant::now();
        assert!(get(&server, "/livez").await.starts_with("HTTP/1.1 200"));
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    }

    #[tokio::test]
    async fn it_listens_on_this_machine_only() {
        let outside = HealthServer::start(([0, 0, 0, 0], 0).into(), Arc::new(status)).await;
        assert_eq!(outside.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
