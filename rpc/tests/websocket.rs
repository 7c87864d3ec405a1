//! The same port as a WebSocket: the same answers, and what only a connection that stays can have.

use crate::{
    access::anchoring,
    support::{TestChain, WebSocket, post, request, serve, serve_with},
};
use lucid_rpc::{
    Access,
    limits::{
        LARGE_REQUEST_BYTES, MAX_BATCH_CALLS, MAX_CALLS_PER_CONNECTION, MAX_LARGE_REQUESTS, MAX_REQUEST_BODY_BYTES,
        MAX_WEBSOCKETS, WRITE_STALL_TIMEOUT_MS,
    },
};
use serde_json::{Value, json};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// First bytes of frames: the last of a message, and the kinds.
const FIN: u8 = 0x80;
const CONTINUE: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

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
async fn a_message_in_pieces_is_one_and_questions_between_them_are_answered() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let text = request("eth_chainId", json!([])).to_string();
    let (first, rest) = text.as_bytes().split_at(7);
    socket.send_frame(TEXT, first).await.unwrap();
    socket.send_frame(FIN | PING, b"there?").await.unwrap();
    assert_eq!(socket.receive_frame().await, Some((FIN | PONG, b"there?".to_vec())));
    socket.send_frame(CONTINUE, b"").await.unwrap();
    socket.send_frame(FIN | PONG, b"unasked").await.unwrap();
    for (at, byte) in rest.iter().enumerate() {
        let head = if at + 1 == rest.len() { FIN | CONTINUE } else { CONTINUE };
        socket.send_frame(head, &[*byte]).await.unwrap();
    }
    assert_eq!(socket.receive().await.unwrap()["result"], "0x7a69");
    // Bytes are as good as text where they are JSON.
    socket.send_frame(FIN | BINARY, text.as_bytes()).await.unwrap();
    assert_eq!(socket.receive().await.unwrap()["result"], "0x7a69");

    // Pieces that are too large together are no better than one, and the connection goes on.
    let piece = vec![b' '; MAX_REQUEST_BODY_BYTES as usize / 2 + 1];
    socket.send_frame(TEXT, &piece).await.unwrap();
    socket.send_frame(CONTINUE, &piece).await.unwrap();
    socket.send_frame(FIN | CONTINUE, b"{}").await.unwrap();
    assert_eq!(socket.receive().await.unwrap()["error"]["code"], -32007);
    assert_eq!(socket.call("eth_chainId", json!([])).await, "0x7a69");

    socket.send_frame(FIN | CLOSE, &1000u16.to_be_bytes()).await.unwrap();
    assert_eq!(socket.receive_frame().await, Some((FIN | CLOSE, 1000u16.to_be_bytes().to_vec())));
    assert_eq!(socket.receive_frame().await, None);
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_so_and_hung_up_on() {
    let served = serve(TestChain::short()).await;
    let text = request("eth_chainId", json!([])).to_string();
    let unmasked = [&[FIN | TEXT, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let masked = |head: u8, length: u8| [&[head, 0x80 | length][..], &[0; 4], &vec![b'1'; length.into()]].concat();
    for (what, frames) in [
        ("a frame without a mask", unmasked),
        ("a piece of nothing", masked(FIN | CONTINUE, 1)),
        ("a message within another", [masked(TEXT, 1), masked(FIN | TEXT, 1)].concat()),
        ("a bit of no extension", masked(FIN | 0x40 | TEXT, 1)),
        ("a kind of frame that there is none of", masked(FIN | 0x3, 1)),
        ("a question in pieces", masked(PING, 1)),
        ("a long question", [&[FIN | PING, 0x80 | 126, 0, 126, 0, 0, 0, 0][..], &[b'1'; 126]].concat()),
    ] {
        let mut socket = WebSocket::open(served.server.local_addr()).await;
        socket.send_bytes(&frames).await.unwrap();
        assert_eq!(socket.receive_frame().await, Some((FIN | CLOSE, 1002u16.to_be_bytes().to_vec())), "{what}");
        assert_eq!(socket.receive_frame().await, None, "{what}");
    }
}

/// Each begins a large message and shows in between that it is alive, as often as it likes.
#[tokio::test]
async fn large_messages_that_come_in_pieces_do_not_get_past_their_number() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let small = request("eth_chainId", json!([])).to_string();
    let piece = vec![b' '; LARGE_REQUEST_BYTES + 1];
    let mut begun = Vec::new();
    for _ in 0..MAX_LARGE_REQUESTS {
        let mut socket = WebSocket::open(address).await;
        socket.send_frame(TEXT, &piece).await.unwrap();
        for _ in 0..3 {
            socket.send_frame(FIN | PING, b"").await.unwrap();
            assert_eq!(socket.receive_frame().await.unwrap().0, FIN | PONG);
        }
        begun.push(socket);
    }
    let large = [small.as_bytes(), &piece].concat();
    let over_http = async { post(address, &large).await.json()["result"].clone() };
    let mut late = WebSocket::open(address).await;
    let over_websocket = async {
        late.send(&large).await.unwrap();
        late.receive().await.unwrap()["result"].clone()
    };
    tokio::pin!(over_http, over_websocket);
    assert!(timeout(Duration::from_secs(1), &mut over_http).await.is_err(), "taken in without a turn");
    assert!(timeout(Duration::from_secs(1), &mut over_websocket).await.is_err(), "taken in without a turn");
    assert_eq!(served.call("eth_chainId", json!([])).await, "0x7a69");
    // Each that is answered makes room for one.
    begun[0].send_frame(FIN | CONTINUE, small.as_bytes()).await.unwrap();
    assert_eq!(begun[0].receive().await.unwrap()["result"], "0x7a69");
    assert_eq!(timeout(Duration::from_secs(2), over_http).await.unwrap(), "0x7a69");
    assert_eq!(timeout(Duration::from_secs(2), over_websocket).await.unwrap(), "0x7a69");
}

#[tokio::test]
async fn no_more_messages_are_taken_in_than_have_a_turn() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    served.node.anchor_delay_ms.store(500, Ordering::Relaxed);
    let rounds = 3;
    let question = request("lucid_anchorSession", json!([anchoring()])).to_string();
    for _ in 0..rounds * MAX_CALLS_PER_CONNECTION {
        socket.send(question.as_bytes()).await.unwrap();
    }
    socket.send(b"not json").await.unwrap();
    let begun = Instant::now();
    let mut refused_after = 0;
    for answered in 0..=rounds * MAX_CALLS_PER_CONNECTION {
        if socket.receive().await.unwrap()["error"]["code"] == -32700 {
            refused_after = answered;
        }
    }
    assert!(begun.elapsed() > Duration::from_millis(500) * (rounds as u32 - 1), "{:?}", begun.elapsed());
    // What is refused at once waited as well.
    assert!(refused_after > (rounds - 1) * MAX_CALLS_PER_CONNECTION, "{refused_after}");
}

/// One connection would hold the turns of all.
#[tokio::test]
async fn while_a_large_message_is_answered_its_connection_sends_no_other() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    served.node.anchor_delay_ms.store(500, Ordering::Relaxed);
    let question = request("lucid_anchorSession", json!([anchoring()])).to_string() + &" ".repeat(LARGE_REQUEST_BYTES);
    socket.send(question.as_bytes()).await.unwrap();
    socket.send(b"not json").await.unwrap();
    assert!(socket.receive().await.unwrap()["result"].is_object());
    assert_eq!(socket.receive().await.unwrap()["error"]["code"], -32700);
}

#[tokio::test]
async fn what_was_asked_before_a_stop_is_answered_and_then_the_connection_says_goodbye() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    served.node.anchor_delay_ms.store(500, Ordering::Relaxed);
    socket.send(request("lucid_anchorSession", json!([anchoring()])).to_string().as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stopping = tokio::spawn(served.server.stop());
    let answer = socket.receive().await.unwrap();
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(socket.receive_frame().await, Some((FIN | CLOSE, 1001u16.to_be_bytes().to_vec())));
    stopping.await.unwrap();
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
