//! What a careless or hostile caller sends, and that each gets its own refusal.

use crate::support::{TestChain, WebSocket, post, post_as, raw, request, serve};
use lucid_rpc::{
    Access, MemoryShare, RpcServer, StartError,
    limits::{
        LARGE_REQUEST_BYTES, LARGE_REQUEST_TURN_MS, MAX_BATCH_CALLS, MAX_CONNECTIONS, MAX_LARGE_REQUESTS,
        MAX_REQUEST_BODY_BYTES,
    },
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

fn batch(calls: u32) -> Vec<u8> {
    let calls: Vec<Value> = (0..calls).map(|_| request("eth_chainId", json!([]))).collect();
    serde_json::to_vec(&calls).unwrap()
}

#[tokio::test]
async fn a_batch_of_50_is_answered_and_larger_ones_are_not() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let answers = post(address, &batch(MAX_BATCH_CALLS)).await.json();
    assert_eq!(answers.as_array().unwrap().len(), 50);
    assert_eq!(answers[49]["result"], "0x7a69");
    for calls in [51, 10_000] {
        let answer = post(address, &batch(calls)).await;
        assert_eq!(answer.code(), -32010, "{calls} calls");
    }
}

#[tokio::test]
async fn an_oversized_body_is_refused_whether_it_says_so_or_not() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let big = vec![b' '; MAX_REQUEST_BODY_BYTES as usize + 1];
    let answer = post(address, &big).await;
    assert_eq!((answer.status, answer.code()), (413, -32007));
    // 100 MiB announced, nothing of it sent: the answer does not wait for it.
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n"
    );
    let answer = raw(address, &head, b"").await;
    assert_eq!((answer.status, answer.code()), (413, -32007));
}

#[tokio::test]
async fn what_is_no_request_is_told_apart() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    for (body, code) in [
        (&b"{\"jsonrpc\":\"2.0\",\"id\":1,"[..], -32700),
        (b"not json", -32700),
        (b"[1,", -32700),
        (b"", -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1}", -32600),
        (b"1", -32600),
        (b"\"eth_chainId\"", -32600),
        (b"null", -32600),
        (b"[]", -32600),
    ] {
        let answer = post(address, body).await;
        assert_eq!(answer.code(), code, "{}", String::from_utf8_lossy(body));
    }
    for id in ["-1", "1.5", "1e400", "[1]", "{}", "true"] {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"eth_chainId\"}}");
        let answer = post(address, body.as_bytes()).await;
        assert_eq!((answer.code(), &answer.json()["id"]), (-32600, &Value::Null), "{id}");
    }
    let notification = post(address, b"{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\"}").await;
    assert_eq!((notification.status, notification.body.as_str()), (200, ""));
    let (code, text, _) = served.fail("eth_mine", json!([])).await;
    assert_eq!((code, text.as_str()), (-32601, "the method eth_mine does not exist/is not available"));
    let body = json!([request("eth_mine", json!([])), request("eth_chainId", json!([]))]).to_string();
    let answers = post(address, body.as_bytes()).await.json();
    assert_eq!(answers[0]["error"]["message"], "the method eth_mine does not exist/is not available");
    assert_eq!(answers[1]["result"], "0x7a69");
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!(["0x12"])),
        ("eth_getBlockByNumber", json!(["newest", true])),
        ("eth_getLogs", json!([{ "topics": [null, null, null, null, null] }])),
        ("lucid_getSession", json!(["no-uuid"])),
    ] {
        assert_eq!(served.fail(method, params).await.0, -32602, "{method}");
    }
}

#[tokio::test]
async fn a_page_whose_name_was_rebound_to_this_machine_is_refused() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let body = request("eth_chainId", json!([])).to_string();
    let port = address.port();
    for host in ["evil.com".to_owned(), format!("evil.com:{port}"), "localhost:1".into(), "127.0.0.1.evil.com".into()] {
        assert_eq!(post_as(address, &host, "application/json", body.as_bytes()).await.status, 403, "{host}");
    }
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let host = format!("{host}:{port}");
        assert_eq!(post_as(address, &host, "application/json", body.as_bytes()).await.status, 200, "{host}");
    }
    let head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    assert_eq!(raw(address, &head, body.as_bytes()).await.status, 400);
}

#[tokio::test]
async fn only_json_by_post_is_taken() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let body = request("eth_chainId", json!([])).to_string();
    let status =
        async |content_type| post_as(address, &address.to_string(), content_type, body.as_bytes()).await.status;
    // A page in a browser may send these to any host without asking first.
    assert_eq!(status("text/plain").await, 415);
    assert_eq!(status("application/x-www-form-urlencoded").await, 415);
    assert_eq!(status("application/json; charset=utf-8").await, 200);
    assert_eq!(status("Application/JSON").await, 200);
    assert_eq!(status("application/json-rpc").await, 200);
    assert_eq!(status("application/jsonp").await, 415);
    let head = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert_eq!(raw(address, &head, b"").await.status, 405);
}

#[tokio::test]
async fn silent_connections_that_take_all_places_keep_nobody_out() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let mut open = Vec::new();
    for _ in 0..2 * MAX_CONNECTIONS {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    // Some say a little, and then nothing more.
    for stream in open.iter_mut().skip(MAX_CONNECTIONS) {
        stream.write_all(b"POST / HTTP/1.1\r\nHost: ").await.unwrap();
    }
    let body = request("eth_chainId", json!([])).to_string();
    for _ in 0..10 {
        let answer = timeout(Duration::from_secs(1), post(address, body.as_bytes())).await;
        assert_eq!(answer.expect("a silent connection holds the place").status, 200);
    }
}

/// So many large requests as are taken in at once begin and then come no further.
#[tokio::test]
async fn large_requests_that_do_not_come_hold_up_no_small_one_and_large_ones_not_for_long() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let begun = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{{{}",
        " ".repeat(2 * LARGE_REQUEST_BYTES)
    );
    let mut stuck = Vec::new();
    for _ in 0..MAX_LARGE_REQUESTS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        stuck.push(stream);
    }
    // Until they have been read so far.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let small = request("eth_chainId", json!([])).to_string();
    let answer = timeout(Duration::from_secs(1), post(address, small.as_bytes())).await;
    assert_eq!(answer.expect("a small request waits").status, 200);

    let large = small + &" ".repeat(2 * LARGE_REQUEST_BYTES);
    let patience = Duration::from_millis(LARGE_REQUEST_TURN_MS + 5_000);
    let answer = timeout(patience, post(address, large.as_bytes())).await;
    assert_eq!(answer.expect("a large request never has its turn").status, 200);
    // For which one of the others was given up.
    let mut ended = 0;
    for mut stream in stuck {
        ended += usize::from(timeout(Duration::from_millis(50), stream.read_u8()).await.is_ok());
    }
    assert_eq!(ended, 1);
}

/// Each asks for megabytes and reads nothing: together they hold less than their answers are.
#[tokio::test]
async fn answers_that_nobody_reads_are_not_kept_without_end() {
    // 15 MB each, of which the buffers of the system take some.
    let served = serve(TestChain::with_logs_of(6_000, 1_000)).await;
    let address = served.server.local_addr();
    let body = request("eth_getLogs", json!([{ "fromBlock": "0x0" }])).to_string();
    let message = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(message.as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    while served.node.snapshots.load(Ordering::Relaxed) < deaf.len() as u64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(served.call("eth_chainId", json!([])).await, "0x7a69");
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Some were hung up on, so that their answers end early; not all.
    let mut whole = 0;
    for mut stream in deaf {
        let mut answer = Vec::new();
        // The end comes early for those, and may come with an error.
        let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        whole += usize::from(answer.ends_with(b"}"));
    }
    assert!((1..18).contains(&whole), "{whole}");
}

#[tokio::test]
async fn clients_that_keep_their_connections_do_not_lock_others_out() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let body = request("eth_chainId", json!([])).to_string();
    let message = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut kept = Vec::new();
    for number in 0..3 * MAX_CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(message.as_bytes()).await.unwrap();
        let mut answer = [0; 1_024];
        let read = timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
        let read = read.unwrap_or_else(|_| panic!("connection {number} is not answered")).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "connection {number}");
        kept.push(stream);
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let error =
        RpcServer::start(address, Access::default(), MemoryShare::default(), served.node.clone()).await.unwrap_err();
    assert!(matches!(error, StartError::AddressInUse(at) if at == address));
    assert!(error.to_string().contains(&address.to_string()));
}

#[tokio::test]
async fn a_stop_closes_idle_connections_and_frees_the_port() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    // These connections are kept open by the client.
    assert_eq!(served.client.chain_id().await.unwrap(), 31_337);
    let mut socket = WebSocket::open(address).await;
    socket.call("eth_subscribe", json!(["newHeads"])).await;
    let started = Instant::now();
    served.server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(socket.receive().await, None);
    let again =
        RpcServer::start(address, Access::default(), MemoryShare::default(), Arc::clone(&served.node)).await.unwrap();
    assert_eq!(served.client.chain_id().await.unwrap(), 31_337);
    again.stop().await;
    assert!(served.client.chain_id().await.is_err());
}
