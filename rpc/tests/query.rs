//! Questions to collections.

use crate::{
    access::{bearer, exposed, tokens},
    support::{Served, TestChain, post_with, request, sender, serve, serve_with, session_id},
};
use alloy_primitives::B256;
use lucid_rpc::{Namespace, Scope};
use lucid_storage::{ChunkKey, ChunkRecord, ChunkStatus, Chunks};
use serde_json::{Value, json};

/// The transactions of a page, by their places, and the cursor.
async fn page(served: &Served, filter: Value, options: Value) -> (Vec<u64>, Value) {
    let found = served.call("lucid_find", json!(["transactions", filter, options])).await;
    let indexes = found["documents"].as_array().unwrap().iter().map(|document| document["index"].as_u64().unwrap());
    (indexes.collect(), found["cursor"].clone())
}

#[tokio::test]
async fn documents_are_found_in_pages_counted_and_put_together() {
    let served = serve(TestChain::short()).await;
    let by_sender = json!({ "sender": sender() });
    let (first, cursor) = page(&served, by_sender.clone(), json!({ "sort": { "nonce": -1 }, "limit": 3 })).await;
    assert_eq!(first, [3, 2, 1]);
    let next = json!({ "sort": { "nonce": -1 }, "limit": 3, "cursor": cursor });
    assert_eq!(page(&served, by_sender.clone(), next).await, (vec![0], Value::Null));

    let options = json!({ "projection": { "nonce": 1 }, "explain": true });
    let found = served.call("lucid_find", json!(["transactions", { "_id": "1:2" }, options])).await;
    assert_eq!(found["documents"], json!([{ "_id": "1:2", "nonce": 2 }]));
    assert_eq!(found["explain"]["way"]["by"], "key");
    assert_eq!(found["explain"]["documents_examined"], 1);

    let first = served.call("lucid_findOne", json!(["blocks", {}, { "sort": { "height": -1 } }])).await;
    assert_eq!(first["height"], 2);
    assert_eq!(first["hash"], json!(TestChain::header(2).hash_slow()));
    assert_eq!(served.call("lucid_findOne", json!(["blocks", { "height": 9 }])).await, Value::Null);
    assert_eq!(served.call("lucid_count", json!(["blocks"])).await, 3);
    assert_eq!(served.call("lucid_count", json!(["transactions", { "nonce": { "$gte": 2 } }])).await, 2);
    assert_eq!(
        served.call("lucid_distinct", json!(["transactions", "nonce", { "index": { "$ne": 1 } }])).await,
        json!([0, 2, 3])
    );
    let pipeline = json!([{ "$group": { "_id": "$sender", "last": { "$max": "$nonce" }, "n": { "$count": {} } } }]);
    let groups = served.call("lucid_aggregate", json!(["transactions", pipeline])).await;
    assert_eq!(groups, json!([{ "_id": sender(), "last": 3, "n": 4 }]));
}

/// Two fields of a sort are in the order in which they were written, which is not that of their names.
#[tokio::test]
async fn the_first_field_of_a_sort_is_the_first_that_was_written() {
    let served = serve(TestChain::short()).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"lucid_find","params":["transactions",{},{"sort":{"sender":1,"index":-1}}]}"#;
    let answer = post_with(served.server.local_addr(), "", body.as_bytes()).await.json();
    let ids: Vec<_> = answer["result"]["documents"].as_array().unwrap().iter().map(|d| d["_id"].clone()).collect();
    assert_eq!(ids, ["1:3", "1:2", "1:1", "1:0"]);
}

#[tokio::test]
async fn the_shard_map_counts_what_lies_in_each_range() {
    let served = serve(TestChain::short()).await;
    let mut batch = served.node.chain.store.begin().unwrap();
    let record = ChunkRecord {
        local_path: None,
        ciphertext_sha256: B256::repeat_byte(1),
        size_bytes: 5,
        status: ChunkStatus::Stored,
    };
    for idx in 0..40_000 {
        let key = ChunkKey { session_id: session_id(7), idx, account: sender() };
        batch.append::<Chunks>(&key, &record).unwrap();
    }
    served.node.chain.store.commit(batch).unwrap();
    let maps = served.call("lucid_getShardMap", json!([])).await;
    let names: Vec<_> = maps.as_array().unwrap().iter().map(|map| map["collection"].clone()).collect();
    assert_eq!(names, ["chunks", "task_proofs"]);
    assert_eq!(maps[0]["shard_key"], json!(["session_id", "idx"]));
    let ranges = maps[0]["ranges"].as_array().unwrap();
    assert_eq!(ranges[0]["from"], Value::Null);
    assert_eq!(ranges[1]["from"]["session_id"], json!(session_id(7)));
    assert_eq!(ranges[1]["from"]["idx"], ranges[0]["documents"]);
    assert_eq!(ranges.iter().map(|range| range["documents"].as_u64().unwrap()).sum::<u64>(), 40_000);
    assert_eq!(served.call("lucid_count", json!(["chunks", { "size_bytes": 5 }])).await, 40_000);
    assert_eq!(served.call("lucid_getShardMap", json!(["task_proofs"])).await[0]["ranges"], json!([]));
    assert_eq!(served.call("lucid_getShardMap", json!(["blocks"])).await, json!([]));
    assert!(served.fail("lucid_getShardMap", json!(["chunk"])).await.1.contains("did you mean chunks?"));
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said() {
    let served = serve(TestChain::short()).await;
    for (method, params, text) in [
        ("lucid_find", json!([]), "lucid_find needs a parameter, collection"),
        ("lucid_find", json!(["block"]), "there is no collection block; did you mean blocks?"),
        ("lucid_find", json!(["blocks", { "hieght": 1 }]), "did you mean height?"),
        ("lucid_find", json!(["blocks", []]), "the filter is []"),
        ("lucid_find", json!(["blocks", {}, { "limit": 0 }]), "limit is 0, and lies between 1 and 1000"),
        ("lucid_find", json!(["blocks", {}, { "skip": 1 }]), "unknown field `skip`"),
        ("lucid_find", json!(["blocks", {}, { "sort": { "height": 2 } }]), "sort by height is 2, and must be 1 or -1"),
        ("lucid_find", json!(["blocks", {}, { "cursor": "0x00" }]), "the cursor is none that a query"),
        ("lucid_find", json!([7]), "invalid parameter"),
        ("lucid_findOne", json!(["blocks", {}, { "limit": 2 }]), "lucid_findOne takes projection, sort and source"),
        ("lucid_count", json!(["meta"]), "there is no collection meta"),
        ("lucid_distinct", json!(["blocks", "weight"]), "have no field weight"),
        ("lucid_aggregate", json!(["blocks", [{ "$lookup": {} }]]), "$lookup is no word of a pipeline"),
    ] {
        let (code, said, data) = served.fail(method, params.clone()).await;
        assert_eq!((code, &data.unwrap()["code"]), (-32602, &json!("LUCID_ERR_1001")), "{method} {params}: {said}");
        assert!(said.contains(text), "{method} {params}: {said}");
    }
}

#[tokio::test]
async fn payouts_and_peers_are_for_those_with_a_token() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let address = served.server.local_addr();
    for method in ["lucid_find", "lucid_findOne", "lucid_count", "lucid_distinct", "lucid_aggregate"] {
        for (collection, field, scopes) in [
            ("payouts", "status", &[Scope::Payout, Scope::Admin][..]),
            ("peers", "peer_id", &Scope::ALL),
            ("blocks", "height", &[]),
        ] {
            let more = match method {
                "lucid_distinct" => json!(field),
                "lucid_aggregate" => json!([]),
                _ => json!({}),
            };
            let body = request(method, json!([collection, more])).to_string();
            let bare = post_with(address, "", body.as_bytes()).await.json();
            let is_open = scopes.is_empty();
            assert_eq!(bare["error"]["data"]["code"] == "LUCID_ERR_2001", !is_open, "{method} {collection}: {bare}");
            for scope in Scope::ALL {
                let answer = post_with(address, &bearer(scope), body.as_bytes()).await.json();
                let is_answered = is_open || scopes.contains(&scope);
                assert_eq!(answer.get("result").is_some(), is_answered, "{method} {collection} {scope}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn questions_are_off_where_others_reach_the_node_unless_they_are_named() {
    let body = request("lucid_count", json!(["blocks"])).to_string();
    let (_server, address) = exposed(tokens()).await;
    let answer = post_with(address, &bearer(Scope::Read), body.as_bytes()).await;
    assert_eq!(answer.code(), -32601);
    let mut named = tokens();
    named.namespaces.insert("lucid_find".parse::<Namespace>().unwrap());
    let (_server, address) = exposed(named).await;
    assert_eq!(post_with(address, &bearer(Scope::Read), body.as_bytes()).await.json()["result"], 3);
    assert_eq!(post_with(address, "", body.as_bytes()).await.status, 401);
}

#[tokio::test]
async fn only_who_pays_writes_payouts() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let address = served.server.local_addr();
    let payout = json!({
        "id": "p-1", "session_id": session_id(3), "to_addr": "TXYZ", "usdt_amount": 1_500_000, "router": "PayoutRouterV0",
        "reason": "relay", "status": "pending", "created_at": 1_800_000_000,
    });
    let send = async |scope: Option<Scope>, payout: &Value| {
        let body = request("lucid_recordPayout", json!([payout])).to_string();
        post_with(address, &scope.map(bearer).unwrap_or_default(), body.as_bytes()).await.json()
    };
    assert_eq!(send(None, &payout).await["error"]["data"]["code"], "LUCID_ERR_2001");
    for scope in [Scope::Read, Scope::Anchor] {
        assert_eq!(send(Some(scope), &payout).await["error"]["data"]["code"], "LUCID_ERR_2004");
    }
    assert_eq!(send(Some(Scope::Payout), &payout).await["result"], "p-1");
    let body = request("lucid_find", json!(["payouts", { "status": "pending" }])).to_string();
    let found = post_with(address, &bearer(Scope::Payout), body.as_bytes()).await.json();
    let document = &found["result"]["documents"][0];
    assert_eq!((&document["_id"], &document["usdt_amount"]), (&json!("p-1"), &json!(1_500_000)));

    let long = "x".repeat(4_097);
    for (field, value, text) in [
        ("to_addr", json!(""), "to_addr is empty"),
        ("reason", json!(long), "reason has 4097 bytes, and at most 4096 are taken"),
        ("created_at", json!(1_796_014_932_000_u64), "created_at is 1796014932000, which is no time in Unix seconds"),
        ("usdt_amount", json!(-1), "invalid parameter"),
        ("usdt_amount", json!(1.5), "invalid parameter"),
        ("router_fee", json!(1), "unknown field `router_fee`"),
        ("usdt_amount", json!(0), "the payout p-1 is written already with another usdt_amount"),
    ] {
        let mut wrong = payout.clone();
        wrong[field] = value;
        let answer = send(Some(Scope::Payout), &wrong).await;
        assert_eq!(answer["error"]["data"]["code"], "LUCID_ERR_1001", "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(text), "{answer}");
    }
}
