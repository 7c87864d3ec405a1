//! The same port as a WebSocket: the same answers, and what only a connection that stays can have.

use crate::support::{TestChain, WebSocket, request, serve, serve_with};
use lucid_rpc::{
    Access,
    limits::{MAX_BATCH_CALLS, MAX_REQUEST_BODY_BYTES, MAX_WEBSOCKETS, WRITE_STALL_TIMEOUT_MS},
};
use serde_json::{Value, json};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tokio::time::timeout;

#[tokio::test]
async fn a_websocket_answers_as_http_does() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    for (method, params) in [
        ("eth_chainId", json!([])),
        ("eth_getBlockByNumber", json!(["0x1", true])),
        ("eth_getLogs", json!([{ "fromBlock": "0x0" }])),
        ("lucid_chainInfo", json!([])),
    ] {
        assert_eq!(socket.call(method, params.clone()).await, served.call(method, params).await, "{method}");
    }
    for (method, params) in [
        ("eth_mine", json!([])),
        ("eth_getBalance", json!(["0x12"])),
        ("lucid_getSession", json!(["no-uuid"])),
        ("eth_getBlockByHash", json!([])),
    ] {
        let (code, text, _) = served.fail(method, params.clone()).await;
        assert_eq!(socket.fail(method, params).await, (i64::from(code), text), "{method}");
    }
}

#[tokio::test]
async fn hosts_and_pages_are_checked_when_a_websocket_is_opened() {
    let access = Access { allowed_origins: vec!["https://app.example".into()], ..Access::default() };
    let served = serve_with(TestChain::short(), access).await;
    let address = served.server.local_addr();
    let host = address.to_string();
    for (host, lines, status) in [
        ("evil.com", "", 403),
        (&*host, "Origin: https://evil.com\r\n", 403),
        (&*host, "Origin: null\r\n", 403),
        (&*host, "Origin: http://127.0.0.1.evil.com\r\n", 403),
        ("evil.com", "Origin: https://app.example\r\n", 403),
    ] {
        assert_eq!(WebSocket::open_with(address, host, "/", lines).await.err(), Some(status), "{host} {lines}");
    }
    for lines in ["", "Origin: https://app.example\r\n", "Origin: http://localhost:5173\r\n"] {
        let mut socket =
            WebSocket::open_with(address, &host, "/", lines).await.unwrap_or_else(|s| panic!("{lines} {s}"));
        assert_eq!(socket.call("eth_chainId", json!([])).await, "0x7a69");
    }
}

#[tokio::test]
async fn messages_and_batches_have_the_bounds_that_bodies_have() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    for (text, code) in [("not json", -32700), ("{\"jsonrpc\":\"2.0\",\"id\":1}", -32600), ("[]", -32600)] {
        socket.send(text.as_bytes()).await.unwrap();
        assert_eq!(socket.receive().await.unwrap()["error"]["code"], code, "{text}");
    }
    let batch = |calls: u32| json!((0..calls).map(|_| request("eth_chainId", json!([]))).collect::<Vec<_>>());
    socket.send(batch(MAX_BATCH_CALLS).to_string().as_bytes()).await.unwrap();
    assert_eq!(socket.receive().await.unwrap().as_array().unwrap().len(), 50);
    socket.send(batch(MAX_BATCH_CALLS + 1).to_string().as_bytes()).await.unwrap();
    assert_eq!(socket.receive().await.unwrap()["error"]["code"], -32010);

    let big = vec![b' '; MAX_REQUEST_BODY_BYTES as usize + 1];
    socket.send(&big).await.unwrap();
    assert_eq!(socket.receive().await.unwrap()["error"]["code"], -32007);
    assert_eq!(socket.call("eth_chainId", json!([])).await, "0x7a69");
}

#[tokio::test]
async fn a_new_websocket_takes_the_place_of_the_one_that_is_idle_longest() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let mut open = Vec::new();
    for _ in 0..MAX_WEBSOCKETS {
        open.push(WebSocket::open(address).await);
    }
    // The first one is heard of again, so the second is the idlest.
    assert_eq!(open[0].call("eth_chainId", json!([])).await, "0x7a69");
    let mut late = WebSocket::open(address).await;
    assert_eq!(late.call("eth_chainId", json!([])).await, "0x7a69");
    assert_eq!(open[0].call("eth_chainId", json!([])).await, "0x7a69");
    assert_eq!(open[1].receive().await, None::<Value>);
    assert_eq!(served.call("eth_chainId", json!([])).await, "0x7a69");
}

/// It asks for large answers again and again and reads none: what it sends must wait with it, and in the end it goes.
#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_dropped() {
    let served = serve(TestChain::with_logs(9_000)).await;
    let address = served.server.local_addr();
    let mut greedy = WebSocket::open(address).await;
    let question = request("eth_getLogs", json!([{ "fromBlock": "0x0" }])).to_string();
    let mut sent = 0;
    let begun = Instant::now();
    let ended = loop {
        match timeout(Duration::from_secs(2), greedy.send(question.as_bytes())).await {
            Ok(Ok(())) => sent += 1,
            Ok(Err(_)) => break true,
            // The buffers on the way are full; nobody takes from them until the connection ends.
            Err(_) if begun.elapsed() < Duration::from_millis(2 * WRITE_STALL_TIMEOUT_MS) => {}
            Err(_) => break false,
        }
        // Others are served meanwhile.
        if sent % 1_000 == 0 {
            assert_eq!(served.call("eth_chainId", json!([])).await, "0x7a69");
        }
    };
    assert!(ended, "still connected after {sent} questions");
    // Each answer has megabytes. What was asked beyond those that filled the buffers was never looked at.
    let answered = served.node.snapshots.load(Ordering::Relaxed);
    assert!(answered < 100, "{answered} of {sent} were answered");
}
