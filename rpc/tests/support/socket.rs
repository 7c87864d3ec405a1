//! A WebSocket client that does what a test tells it and nothing by itself (RFC 6455).

use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a message may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

pub(crate) struct WebSocket {
    stream: TcpStream,
    next_id: u64,
    /// What the node sent by itself while something else was waited for.
    news: Vec<Value>,
}

impl WebSocket {
    /// Opens one as a program does, without an Origin.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::open_with(address, &address.to_string(), "/", "").await.unwrap_or_else(|status| panic!("{status}"))
    }

    /// Opens one with a Host, a path and more header lines, each with its line end; or gives the status that refuses it.
    pub(crate) async fn open_with(address: SocketAddr, host: &str, path: &str, lines: &str) -> Result<Self, u16> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
        }
        let text = String::from_utf8(answer).unwrap();
        match text[9..12].parse().unwrap() {
            101 => {
                // The key's answer in the RFC itself.
                assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
                Ok(Self { stream, next_id: 1, news: Vec::new() })
            }
            status => Err(status),
        }
    }

    /// Sends a text message; an error where the connection has ended.
    pub(crate) async fn send(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.send_frame(0x80 | TEXT, text).await
    }

    /// Sends a frame with this first byte; an error where the connection has ended.
    pub(crate) async fn send_frame(&mut self, head: u8, text: &[u8]) -> std::io::Result<()> {
        let mut frame = vec![head];
        match text.len() {
            short @ ..126 => frame.push(0x80 | short as u8),
            middle @ ..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(text.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.send_bytes(&frame).await
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next frame: its first byte and what it carries; `None` at the end of the connection.
    pub(crate) async fn receive_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        timeout(PATIENCE, self.stream.read_exact(&mut head)).await.expect("no frame comes").ok()?;
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((head[0], payload))
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) async fn receive(&mut self) -> Option<Value> {
        loop {
            let (head, payload) = self.receive_frame().await?;
            match head & 0x0f {
                TEXT => return Some(serde_json::from_slice(&payload).unwrap()),
                CLOSE => return None,
                PING => self.send_frame(0x8a, &payload).await.ok()?,
                other => panic!("frame of kind {other}"),
            }
        }
    }

    /// What the node sent by itself while something else was waited for.
    pub(crate) fn news(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.news)
    }

    /// The answer to a call.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(request.to_string().as_bytes()).await.unwrap();
        loop {
            let message = self.receive().await.expect("the connection ended");
            if message["id"] == id {
                return message;
            }
            self.news.push(message);
        }
    }

    /// The result of a call that has one.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Code and text of a call that fails.
    pub(crate) async fn fail(&mut self, method: &str, params: Value) -> (i64, String) {
        let answer = self.request(method, params).await;
        let error = &answer["error"];
        let code = error["code"].as_i64().unwrap_or_else(|| panic!("{answer}"));
        (code, error["message"].as_str().unwrap().to_owned())
    }
}
