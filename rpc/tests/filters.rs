//! Filters of clients that ask again and again.

use crate::support::{CONTRACT, TestChain, sender, serve, waiting_transaction};
use alloy_eips::Encodable2718;
use alloy_primitives::{B256, Bytes};
use lucid_rpc::limits::MAX_FILTERS;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_filter_of_blocks_tells_of_each_once() {
    let served = serve(TestChain::short()).await;
    let id = served.call("eth_newBlockFilter", json!([])).await;
    assert!(id.as_str().unwrap().starts_with("0x"), "{id}");
    let changes = async || served.call("eth_getFilterChanges", json!([id])).await;
    assert_eq!(changes().await, json!([]));
    let blocks = [0, 1, 2].map(|nonce| served.node.commit(nonce, &[]).hash);
    assert_eq!(changes().await, json!(blocks));
    assert_eq!(changes().await, json!([]));
    let fourth = served.node.commit(3, &[]).hash;
    assert_eq!(changes().await, json!([fourth]));
    // It has no logs.
    assert_eq!(served.fail("eth_getFilterLogs", json!([id])).await.1, "filter not found");
}

#[tokio::test]
async fn a_filter_of_logs_tells_of_new_ones_once_and_of_all_when_asked() {
    let served = serve(TestChain::short()).await;
    let [first, second] = [1, 2].map(B256::repeat_byte);
    let filter = json!({ "fromBlock": "0x0", "address": CONTRACT, "topics": [[second]] });
    let id = served.call("eth_newFilter", json!([filter])).await;
    let nothing = served.call("eth_newFilter", json!([{ "address": sender() }])).await;
    let soon_over = served.call("eth_newFilter", json!([{ "fromBlock": "0x0", "toBlock": "0x3" }])).await;
    let changes = async |id: &Value| served.call("eth_getFilterChanges", json!([id])).await;
    assert_eq!(changes(&id).await, json!([]));
    served.node.commit(0, &[first, second]);
    served.node.commit(1, &[second, second]);
    let all = served.call("eth_getLogs", json!([{ "fromBlock": "0x3" }])).await;
    assert_eq!(changes(&id).await, json!([all[1], all[2], all[3]]));
    assert_eq!(changes(&id).await, json!([]));
    assert_eq!(changes(&nothing).await, json!([]));
    assert_eq!(changes(&soon_over).await, json!([all[0], all[1]]));
    served.node.commit(2, &[second]);
    assert_eq!(changes(&id).await.as_array().unwrap().len(), 1);
    assert_eq!(changes(&soon_over).await, json!([]));
    assert_eq!(served.call("eth_getFilterLogs", json!([id])).await, served.call("eth_getLogs", json!([filter])).await);
}

#[tokio::test]
async fn a_filter_of_waiting_transactions_tells_their_hashes() {
    let served = serve(TestChain::short()).await;
    let id = served.call("eth_newPendingTransactionFilter", json!([])).await;
    let waiting = waiting_transaction();
    let sent = served.call("eth_sendRawTransaction", json!([Bytes::from(waiting.encoded_2718())])).await;
    let mut told = json!([]);
    for _ in 0..100 {
        told = served.call("eth_getFilterChanges", json!([id])).await;
        if told != json!([]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(told, json!([sent]));
    assert_eq!(served.call("eth_getFilterChanges", json!([id])).await, json!([]));
    // One that was made later knows nothing of it.
    let later = served.call("eth_newPendingTransactionFilter", json!([])).await;
    assert_eq!(served.call("eth_getFilterChanges", json!([later])).await, json!([]));
}

#[tokio::test]
async fn a_filter_that_is_gone_is_not_found() {
    let served = serve(TestChain::short()).await;
    let id = served.call("eth_newBlockFilter", json!([])).await;
    assert_eq!(served.call("eth_uninstallFilter", json!([id])).await, true);
    assert_eq!(served.call("eth_uninstallFilter", json!([id])).await, false);
    for method in ["eth_getFilterChanges", "eth_getFilterLogs"] {
        let (code, text, _) = served.fail(method, json!([id])).await;
        assert_eq!((code, text.as_str()), (-32000, "filter not found"), "{method}");
    }
    let first = served.call("eth_newBlockFilter", json!([])).await;
    for _ in 0..MAX_FILTERS {
        served.call("eth_newBlockFilter", json!([])).await;
    }
    assert_eq!(served.fail("eth_getFilterChanges", json!([first])).await.1, "filter not found");
    let block = served.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(served.fail("eth_newFilter", json!([{ "blockHash": block["hash"] }])).await.0, -32602);
}

/// A poll that would find more logs than one answer has gets them in parts, and none is lost.
#[tokio::test]
async fn many_logs_come_in_parts() {
    let served = serve(TestChain::short()).await;
    let id = served.call("eth_newFilter", json!([{ "address": CONTRACT }])).await;
    let topics = vec![B256::repeat_byte(1); 4_000];
    for nonce in 0..6 {
        served.node.commit(nonce, &topics);
    }
    let mut numbers = Vec::new();
    for _ in 0..4 {
        let part = served.call("eth_getFilterChanges", json!([id])).await;
        let part = part.as_array().unwrap();
        assert!(part.len() <= 10_000);
        numbers.extend(part.iter().map(|log| log["blockNumber"].as_str().unwrap().to_owned()));
    }
    assert_eq!(numbers.len(), 24_000);
    assert!(numbers.is_sorted() && numbers.last().unwrap() == "0x8");
}
