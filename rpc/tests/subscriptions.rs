//! News over a WebSocket: heads, logs and waiting transactions, in order, and nobody who does not listen holds others.

use crate::support::{CONTRACT, EVENT_CAPACITY, TestChain, WebSocket, sender, serve, waiting_transaction};
use alloy_eips::Encodable2718;
use alloy_primitives::{B256, Bytes};
use lucid_rpc::limits::{MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_PER_CONNECTION};
use lucid_types::{Certificate, ChainEvent};
use serde_json::{Value, json};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// The news in the next message, which is of this subscription.
async fn news(socket: &mut WebSocket, subscription: &Value) -> Value {
    news_by(socket, "eth_subscription", subscription).await
}

/// The same of `lucid_subscribe`.
async fn lucid_news(socket: &mut WebSocket, subscription: &Value) -> Value {
    news_by(socket, "lucid_subscription", subscription).await
}

async fn news_by(socket: &mut WebSocket, method: &str, subscription: &Value) -> Value {
    let message = socket.receive().await.expect("the connection ended");
    assert_eq!((&message["method"], &message["jsonrpc"]), (&json!(method), &json!("2.0")));
    assert_eq!(&message["params"]["subscription"], subscription);
    message["params"]["result"].clone()
}

#[tokio::test]
async fn new_heads_come_once_each_and_in_order() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let id = socket.call("eth_subscribe", json!(["newHeads"])).await;
    assert!(id.as_str().unwrap().starts_with("0x"), "{id}");
    for nonce in 0..5 {
        served.node.commit(nonce, &[]);
    }
    for number in 3..8u64 {
        let head = news(&mut socket, &id).await;
        let block = served.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await;
        for field in
            ["number", "hash", "parentHash", "timestamp", "baseFeePerGas", "logsBloom", "stateRoot", "gasLimit"]
        {
            assert_eq!(head[field], block[field], "{field} of {number}");
        }
        assert!(head.get("transactions").is_none());
    }

    assert_eq!(socket.call("eth_unsubscribe", json!([id])).await, true);
    assert_eq!(socket.call("eth_unsubscribe", json!([id])).await, false);
    served.node.commit(9, &[]);
    let other = socket.call("eth_subscribe", json!(["newHeads"])).await;
    served.node.commit(10, &[]);
    assert_eq!(news(&mut socket, &other).await["number"], "0x9");
}

#[tokio::test]
async fn logs_come_as_eth_get_logs_has_them_and_only_those_that_are_wanted() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let [first, second] = [1, 2].map(B256::repeat_byte);
    let all = socket.call("eth_subscribe", json!(["logs"])).await;
    let mut other = WebSocket::open(served.server.local_addr()).await;
    let filter = json!({ "address": CONTRACT, "topics": [[second]] });
    let some = other.call("eth_subscribe", json!(["logs", filter])).await;
    let mut deaf = WebSocket::open(served.server.local_addr()).await;
    deaf.call("eth_subscribe", json!(["logs", { "address": sender() }])).await;

    served.node.commit(0, &[first, second]);
    served.node.commit(1, &[second]);
    let expected = served.call("eth_getLogs", json!([{ "fromBlock": "0x3" }])).await;
    for log in expected.as_array().unwrap() {
        assert_eq!(&news(&mut socket, &all).await, log);
    }
    for log in [&expected[1], &expected[2]] {
        assert_eq!(&news(&mut other, &some).await, log);
    }
    // What it would have been told would come before this answer.
    assert_eq!(deaf.call("eth_chainId", json!([])).await, "0x7a69");
    assert!(deaf.news().is_empty());
}

#[tokio::test]
async fn waiting_transactions_come_as_hashes_or_whole() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let hashes = socket.call("eth_subscribe", json!(["newPendingTransactions"])).await;
    let mut other = WebSocket::open(served.server.local_addr()).await;
    let whole = other.call("eth_subscribe", json!(["newPendingTransactions", true])).await;
    let waiting = waiting_transaction();
    let raw = Bytes::from(waiting.encoded_2718());
    // Sent over the connection that listens.
    let sent = socket.call("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(sent, json!(waiting.tx_hash()));
    let told = match socket.news().pop() {
        Some(message) => message["params"]["result"].clone(),
        None => news(&mut socket, &hashes).await,
    };
    assert_eq!(told, sent);
    assert_eq!(news(&mut other, &whole).await, served.call("eth_getTransactionByHash", json!([sent])).await);
}

#[tokio::test]
async fn finality_comes_with_each_block_and_names_those_who_made_it() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let id = socket.call("lucid_subscribe", json!(["finality"])).await;
    assert!(id.as_str().unwrap().starts_with("0x"), "{id}");
    for nonce in 0..3 {
        served.node.commit(nonce, &[]);
    }
    for height in 3..6u64 {
        let told = lucid_news(&mut socket, &id).await;
        let seal = served.call("lucid_getSeal", json!([format!("{height:#x}")])).await;
        for field in ["height", "block_hash"] {
            assert_eq!(told[field], seal[field], "{field} of {height}");
        }
        let seal = &seal["seal"];
        assert_eq!((&told["slot"], &told["leader"]), (&json!(height), &seal["leader"]));
        let certificate = &told["certificate"];
        assert_eq!((&certificate["round"], &certificate["validators"]), (&json!(1), &json!(1)));
        assert_eq!(certificate["voters"], json!([sender()]));
        let whole: Certificate = serde_json::from_value(seal["certificate"].clone()).unwrap();
        assert_eq!(certificate["hash"], json!(whole.hash()));
    }

    assert_eq!(socket.call("lucid_unsubscribe", json!([id])).await, true);
    assert_eq!(socket.call("lucid_unsubscribe", json!([id])).await, false);
    served.node.commit(9, &[]);
    assert_eq!(socket.call("eth_chainId", json!([])).await, "0x7a69");
    assert!(socket.news().is_empty());
}

#[tokio::test]
async fn the_schedule_comes_after_each_block_and_never_one_that_is_overtaken() {
    let served = serve(TestChain::short()).await;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let id = socket.call("lucid_subscribe", json!(["schedule"])).await;
    served.node.commit(0, &[]);
    let told = lucid_news(&mut socket, &id).await;
    assert_eq!(told, served.call("lucid_getLeaderSchedule", json!([])).await);
    assert_eq!(told["height"], 4);
    for nonce in 1..9 {
        served.node.commit(nonce, &[]);
    }
    let mut heights = vec![4];
    while heights.last() != Some(&12) {
        heights.push(lucid_news(&mut socket, &id).await["height"].as_u64().unwrap());
    }
    assert!(heights.is_sorted_by(|one, next| one < next), "{heights:?}");
    // It has heard of all of them, and says nothing twice.
    assert_eq!(socket.call("lucid_unsubscribe", json!([id])).await, true);
    assert!(socket.news().is_empty());
}

#[tokio::test]
async fn slots_come_as_the_clock_of_the_node_shows_them() {
    let served = serve(TestChain::short()).await;
    let clock = &served.node.clock_ms;
    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let id = socket.call("lucid_subscribe", json!(["slots"])).await;
    // In the middle of a slot nothing begins.
    clock.store(1_800_000_100_700, Relaxed);
    assert_eq!(socket.call("eth_chainId", json!([])).await, "0x7a69");
    clock.store(1_800_000_101_000, Relaxed);
    let told = lucid_news(&mut socket, &id).await;
    assert_eq!((&told["slot"], &told["epoch"], &told["starts_at"]), (&json!(101), &json!(6), &json!(1_800_000_101)));
    assert_eq!(told, served.call("lucid_slot", json!([])).await);
    // The clock is set: what it leaps over is no news, also backwards.
    for (clock_ms, slot) in [(1_800_000_112_300, 112), (1_800_000_050_900, 50)] {
        clock.store(clock_ms, Relaxed);
        assert_eq!(lucid_news(&mut socket, &id).await["slot"], slot);
    }
    // Before the chain's first slot there is none.
    clock.store(1_799_999_999_900, Relaxed);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(socket.call("lucid_unsubscribe", json!([id])).await, true);
    assert!(socket.news().is_empty());
}

#[tokio::test]
async fn a_subscriber_of_what_is_final_that_fell_behind_is_dropped() {
    let served = serve(TestChain::short()).await;
    let mut deaf = WebSocket::open(served.server.local_addr()).await;
    for kind in ["finality", "schedule"] {
        deaf.call("lucid_subscribe", json!([kind])).await;
    }
    // More than wait for anybody, and at once.
    let block = served.node.commit(0, &[]);
    for _ in 0..50 * EVENT_CAPACITY {
        let _ = served.node.events.send(ChainEvent::BlockCommitted(block.clone()));
    }
    while deaf.receive().await.is_some() {}
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused() {
    let served = serve(TestChain::short()).await;
    let (code, text, _) = served.fail("eth_subscribe", json!(["newHeads"])).await;
    assert!(code == -32601 && text.starts_with("notifications not supported") && text.contains("ws://"), "{text}");
    let (code, text, _) = served.fail("eth_unsubscribe", json!(["0x1"])).await;
    assert!(code == -32601 && text.starts_with("notifications not supported") && text.contains("ws://"), "{text}");

    let mut socket = WebSocket::open(served.server.local_addr()).await;
    let (code, text) = socket.fail("eth_subscribe", json!(["weather"])).await;
    assert_eq!((code, text.as_str()), (-32601, "no \"weather\" subscription in eth namespace"));
    let (code, text) = socket.fail("lucid_subscribe", json!(["newHeads"])).await;
    assert_eq!((code, text.as_str()), (-32601, "no \"newHeads\" subscription in lucid namespace"));
    let (code, text) = socket.fail("lucid_subscribe", json!([])).await;
    assert_eq!((code, text.as_str()), (-32602, "lucid_subscribe needs a parameter, kind"));
    assert_eq!(socket.fail("lucid_subscribe", json!([1])).await.0, -32602);
    assert_eq!(socket.fail("lucid_unsubscribe", json!([])).await.0, -32602);
    let (code, text, _) = served.fail("lucid_subscribe", json!(["slots"])).await;
    assert!(code == -32601 && text.starts_with("notifications not supported"), "{text}");
    assert_eq!(socket.fail("eth_subscribe", json!([])).await.0, -32602);
    assert_eq!(socket.fail("eth_subscribe", json!(["logs", { "address": "0x1" }])).await.0, -32602);
    assert_eq!(socket.fail("eth_subscribe", json!(["newPendingTransactions", "yes"])).await.0, -32602);
    let many: Vec<_> = (0..1001u64).map(|i| B256::left_padding_from(&i.to_be_bytes())).collect();
    assert_eq!(socket.fail("eth_subscribe", json!(["logs", { "topics": [many] }])).await.0, -32005);
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"] },
        { "jsonrpc": "2.0", "id": 2, "method": "eth_chainId" },
    ]);
    socket.send(batch.to_string().as_bytes()).await.unwrap();
    let answers = socket.receive().await.unwrap();
    assert_eq!((&answers[0]["error"]["code"], &answers[1]["result"]), (&json!(-32600), &json!("0x7a69")));
}

#[tokio::test]
async fn subscriptions_are_bounded_on_each_connection_and_in_all() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let mut open = Vec::new();
    for _ in 0..MAX_SUBSCRIPTIONS / MAX_SUBSCRIPTIONS_PER_CONNECTION as usize {
        let mut socket = WebSocket::open(address).await;
        for _ in 0..MAX_SUBSCRIPTIONS_PER_CONNECTION {
            socket.call("eth_subscribe", json!(["newHeads"])).await;
        }
        assert_eq!(socket.fail("eth_subscribe", json!(["newHeads"])).await.0, -32006);
        open.push(socket);
    }
    let mut late = WebSocket::open(address).await;
    assert_eq!(late.fail("eth_subscribe", json!(["newHeads"])).await.0, -32005);
    // A client that leaves gives its places back.
    open.pop();
    for _ in 0..100 {
        if late.request("eth_subscribe", json!(["newHeads"])).await["error"].is_null() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the places are not given back");
}

#[tokio::test]
async fn a_subscriber_that_fell_behind_is_dropped_and_others_hear_everything() {
    let served = serve(TestChain::short()).await;
    let address = served.server.local_addr();
    let mut deaf = WebSocket::open(address).await;
    deaf.call("eth_subscribe", json!(["logs"])).await;
    let mut listener = WebSocket::open(address).await;
    let id = listener.call("eth_subscribe", json!(["newHeads"])).await;
    // So much that no buffer on the way holds it, and it never reads.
    let topics = vec![B256::repeat_byte(1); 9_000];
    let mut blocks = 0;
    for nonce in 0..4 * EVENT_CAPACITY as u64 {
        served.node.commit(nonce, &topics);
        blocks += 1;
        assert_eq!(news(&mut listener, &id).await["number"], format!("{:#x}", 2 + blocks));
    }
    // What was on the way when it was dropped can still be read, and then nothing more.
    let mut told = 0;
    while let Some(_news) = deaf.receive().await {
        told += 1;
    }
    assert!(told < 9_000 * blocks, "{told}");
}
