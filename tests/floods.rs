//! Clients that send more than anybody could answer: whatever it is, and whether they read or not, the node keeps the
//! memory that it had, and others are answered meanwhile.
#![allow(clippy::unwrap_used, reason = "clippy knows that a test may panic, and not that what tests share may")]

use crate::support::DevNode;
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// How long each flood lasts.
const FLOOD: Duration = Duration::from_secs(2);

/// What the node may grow by in all of them. A flood that is kept takes that much within a tenth of a second.
const MAX_GROWTH_KIB: u64 = 16 * 1024;

/// How long another client may wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

const TEXT: u8 = 0x81;
const CONTINUE: u8 = 0x00;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A frame as clients send it. The mask of zeros changes nothing, and is a mask.
fn frame(head: u8, payload: &str) -> Vec<u8> {
    let mut frame = vec![head, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(payload.as_bytes());
    frame
}

/// The floods, each with the frame that it begins with and the one that it goes on with.
fn floods() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let same = |name, head, payload: &str| (name, frame(head, payload), frame(head, payload));
    vec![
        same("empty messages", TEXT, ""),
        same("messages that are no JSON", TEXT, "x"),
        same("notifications", TEXT, r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#),
        same("refused calls", TEXT, r#"{"jsonrpc":"2.0","id":1,"method":"eth_mine"}"#),
        same(
            "refused subscriptions",
            TEXT,
            r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["weather"]}"#,
        ),
        same("subscriptions", TEXT, r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#),
        same("calls", TEXT, r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#),
        same("pings", PING, "are you there?"),
        same("pongs that nobody asked for", PONG, ""),
        ("pieces of a message without end", frame(TEXT & 0x0f, "["), frame(CONTINUE, "")),
    ]
}

fn open(node: &DevNode) -> TcpStream {
    let mut stream = TcpStream::connect(node.addr()).unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        node.addr()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

/// Sends as much as is taken until the time is over, and gives the bytes that were.
fn flood(mut stream: TcpStream, first: &[u8], next: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(first).unwrap();
    let block = next.repeat(16 * 1024 / next.len());
    let (mut sent, mut at) = (0, 0);
    let begun = Instant::now();
    while begun.elapsed() < FLOOD {
        // One that is not taken is tried again, until the end.
        if let Ok(taken) = stream.write(&block[at..]) {
            sent += taken;
            at = (at + taken) % block.len();
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    sent
}

fn resident_kib(node: &DevNode) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_flood_of_small_messages_takes_no_memory_and_keeps_nobody_waiting() {
    let node = DevNode::start();
    assert_eq!(node.request("eth_chainId", json!([])), "0x7a69");
    let before = resident_kib(&node);
    for (name, first, next) in floods() {
        let (deaf, hearing) = (open(&node), open(&node));
        let mut ear = hearing.try_clone().unwrap();
        let (mut most, mut slowest) = (0, Duration::ZERO);
        thread::scope(|scope| {
            let floods = [deaf, hearing].map(|stream| scope.spawn(|| flood(stream, &first, &next)));
            scope.spawn(move || while ear.read(&mut [0; 16 * 1024]).is_ok_and(|read| read > 0) {});
            while floods.iter().any(|flood| !flood.is_finished()) {
                let asked = Instant::now();
                assert_eq!(node.request("eth_chainId", json!([])), "0x7a69");
                slowest = slowest.max(asked.elapsed());
                most = most.max(resident_kib(&node));
                thread::sleep(Duration::from_millis(50));
            }
            for flood in floods {
                assert!(flood.join().unwrap() > 100 * next.len(), "{name}: not taken at all");
            }
        });
        assert!(most < before + MAX_GROWTH_KIB, "{name}: from {before} to {most} KiB");
        assert!(slowest < PATIENCE, "{name}: another client waited for {slowest:?}");
    }
}
