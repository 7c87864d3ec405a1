//! A store with a short chain in it, a node over it, and a server before both.

mod chain;
mod node;
mod socket;

pub(crate) use chain::{CONTRACT, TestChain, one_of_each_type, sender, session_id, waiting_transaction};
pub(crate) use node::{EVENT_CAPACITY, LIAR, REVERTING, StandIn};
pub(crate) use socket::WebSocket;

use lucid_rpc::{Access, Client, MemoryShare, RpcServer};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A served chain.
pub(crate) struct Served {
    pub(crate) node: Arc<StandIn>,
    pub(crate) server: RpcServer,
    pub(crate) client: Client,
}

pub(crate) async fn serve(chain: TestChain) -> Served {
    serve_with(chain, Access::default()).await
}

pub(crate) async fn serve_with(chain: TestChain, access: Access) -> Served {
    let node = Arc::new(StandIn::new(chain));
    let server =
        RpcServer::start(([127, 0, 0, 1], 0).into(), access, MemoryShare::default(), node.clone()).await.unwrap();
    let client = Client::new(&format!("http://{}", server.local_addr())).unwrap();
    Served { node, server, client }
}

impl Served {
    /// The result of a call that has one.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        self.client.request(method, params).await.unwrap()
    }

    /// Code and text of a call that fails.
    pub(crate) async fn fail(&self, method: &str, params: Value) -> (i32, String, Option<Value>) {
        let error = self.client.request::<Value>(method, params).await.unwrap_err();
        let fault = error.fault().unwrap_or_else(|| panic!("{error}"));
        (fault.code, fault.message.clone(), fault.data.clone())
    }
}

/// An HTTP answer: status, header lines in small letters, and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap()
    }
}

/// Sends a request byte for byte, as a client that keeps no rule would, and reads until the server is done.
pub(crate) async fn raw(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may have answered and hung up before it has read everything.
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    Answer { status: head[9..12].parse().unwrap(), head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// Posts a body with the usual headers.
pub(crate) async fn post(address: SocketAddr, body: &[u8]) -> Answer {
    post_as(address, &address.to_string(), "application/json", body).await
}

/// Posts a body under a Host and with a content type.
pub(crate) async fn post_as(address: SocketAddr, host: &str, content_type: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    raw(address, &head, body).await
}

/// Posts a body with more header lines, each with its line end.
pub(crate) async fn post_with(address: SocketAddr, lines: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n{lines}\r\n",
        body.len()
    );
    raw(address, &head, body).await
}

pub(crate) fn request(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}
