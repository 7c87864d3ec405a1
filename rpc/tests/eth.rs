//! Shapes of the `eth_`, `net_` and `web3_` answers.

use crate::support::{CONTRACT, LIAR, REVERTING, TestChain, one_of_each_type, sender, serve, waiting_transaction};
use alloy_eips::Encodable2718;
use alloy_primitives::{B256, Bytes, U256};
use lucid_rpc::SyncProgress;
use serde_json::json;

#[tokio::test]
async fn what_the_node_is() {
    let served = serve(TestChain::short()).await;
    assert_eq!(served.call("web3_clientVersion", json!([])).await, "lucid-node/v0.1.0/test");
    assert_eq!(served.call("net_version", json!([])).await, "31337");
    assert_eq!(served.call("net_listening", json!([])).await, true);
    assert_eq!(served.call("net_peerCount", json!([])).await, "0x11");
    assert_eq!(served.call("eth_chainId", json!([])).await, "0x7a69");
    assert_eq!(served.call("eth_blockNumber", json!([])).await, "0x2");
    assert_eq!(served.call("eth_accounts", json!([])).await, json!([sender()]));
    assert_eq!(served.call("eth_gasPrice", json!([])).await, "0x3b9aca05");
    assert_eq!(served.call("eth_maxPriorityFeePerGas", json!([])).await, "0x5");
    assert_eq!(served.call("eth_syncing", json!([])).await, false);
    *served.node.syncing.lock().unwrap() = Some(SyncProgress { starting_block: 1, current_block: 2, highest_block: 9 });
    assert_eq!(served.call("eth_syncing", json!([])).await["highestBlock"], "0x9");
}

#[tokio::test]
async fn every_tag_is_a_block_and_an_unknown_one_is_null_or_an_error() {
    let served = serve(TestChain::short()).await;
    for tag in ["latest", "safe", "finalized", "pending", "0x2"] {
        assert_eq!(served.call("eth_getBlockByNumber", json!([tag, false])).await["number"], "0x2", "{tag}");
        assert_eq!(served.call("eth_getBalance", json!([sender(), tag])).await, "0x3ea", "{tag}");
    }
    let genesis = served.call("eth_getBlockByNumber", json!(["earliest", false])).await;
    assert_eq!(genesis["number"], "0x0");
    assert_eq!(served.call("eth_getBalance", json!([sender(), "earliest"])).await, "0x3e8");
    assert_eq!(served.call("eth_getBalance", json!([sender()])).await, "0x3ea");
    let by_hash = json!([sender(), { "blockHash": genesis["hash"] }]);
    assert_eq!(served.call("eth_getBalance", by_hash).await, "0x3e8");

    assert!(served.call("eth_getBlockByNumber", json!(["0x3", false])).await.is_null());
    assert!(served.call("eth_getBlockByHash", json!([B256::ZERO, true])).await.is_null());
    assert!(served.call("eth_getBlockTransactionCountByNumber", json!(["0x3"])).await.is_null());
    let (code, text, _) = served.fail("eth_getBalance", json!([sender(), "0x3"])).await;
    assert_eq!((code, text.as_str()), (-32000, "header not found"));
    let (code, text, _) = served.fail("eth_call", json!([{}, { "blockHash": B256::ZERO }])).await;
    assert_eq!((code, text.as_str()), (-32000, "header for hash not found"));
}

#[tokio::test]
async fn state_is_read_at_its_block() {
    let served = serve(TestChain::short()).await;
    assert_eq!(served.call("eth_getTransactionCount", json!([sender(), "latest"])).await, "0x4");
    assert_eq!(served.call("eth_getTransactionCount", json!([sender(), "pending"])).await, "0x9");
    assert_eq!(served.call("eth_getCode", json!([CONTRACT, "latest"])).await, "0x6001");
    let slot = served.call("eth_getStorageAt", json!([CONTRACT, "0x5", "latest"])).await;
    assert_eq!(slot, json!(B256::with_last_byte(5)));
    let slot = served.call("eth_getStorageAt", json!([CONTRACT, B256::repeat_byte(9), "latest"])).await;
    assert_eq!(slot, json!(B256::repeat_byte(9)));
    let (code, text, _) = served.fail("eth_getStorageAt", json!([CONTRACT, "0x5", "earliest"])).await;
    assert!(code == -32000 && text.contains("no longer kept"), "{text}");
    let (code, text, data) = served.fail("eth_getCode", json!([LIAR, "latest"])).await;
    assert_eq!((code, text.as_str(), data), (-32603, "internal error", None));
}

#[tokio::test]
async fn a_block_has_its_transactions_or_their_hashes() {
    let served = serve(TestChain::short()).await;
    let block = served.call("eth_getBlockByNumber", json!(["0x1", true])).await;
    let transactions = block["transactions"].as_array().unwrap();
    for (index, (ours, signed)) in transactions.iter().zip(one_of_each_type()).enumerate() {
        assert_eq!(ours["hash"], json!(signed.tx_hash()));
        assert_eq!(ours["from"], json!(sender()));
        assert_eq!(ours["type"], format!("{:#x}", signed.tx_type() as u8));
        assert_eq!(ours["transactionIndex"], format!("{index:#x}"));
        assert_eq!(ours["blockTimestamp"], block["timestamp"]);
        assert_eq!(ours["blockHash"], block["hash"]);
    }
    assert_eq!(transactions[0]["gasPrice"], "0x77359400");
    assert_eq!(transactions[1]["accessList"][0]["address"], json!(CONTRACT));
    assert_eq!(
        (&transactions[2]["gasPrice"], &transactions[2]["maxFeePerGas"]),
        (&json!("0x3b9aca07"), &json!("0xb2d05e00"))
    );
    assert_eq!(transactions[3]["authorizationList"][0]["address"], json!(CONTRACT));
    assert_eq!(block["size"], "0x309");
    assert_eq!(block["uncles"], json!([]));
    assert_eq!(block["withdrawals"][0]["amount"], "0x5");

    let by_hash = served.call("eth_getBlockByHash", json!([block["hash"], false])).await;
    let hashes: Vec<_> = transactions.iter().map(|transaction| transaction["hash"].clone()).collect();
    assert_eq!(by_hash["transactions"], json!(hashes));
    assert_eq!(served.call("eth_getBlockTransactionCountByNumber", json!(["0x1"])).await, "0x4");
    assert_eq!(served.call("eth_getBlockTransactionCountByHash", json!([block["hash"]])).await, "0x4");
    let second = served.call("eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0x1"])).await;
    assert_eq!(second, transactions[1]);
    let third = served.call("eth_getTransactionByBlockHashAndIndex", json!([block["hash"], "0x2"])).await;
    assert_eq!(third, transactions[2]);
    assert!(served.call("eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0x4"])).await.is_null());
    assert_eq!(served.call("eth_getTransactionByHash", json!([hashes[3]])).await, transactions[3]);
}

#[tokio::test]
async fn a_receipt_has_what_was_paid_and_where_its_logs_stand() {
    let served = serve(TestChain::short()).await;
    let signed = one_of_each_type();
    let mut receipts = Vec::new();
    for transaction in &signed {
        receipts.push(served.call("eth_getTransactionReceipt", json!([transaction.tx_hash()])).await);
    }
    let prices: Vec<_> = receipts.iter().map(|receipt| receipt["effectiveGasPrice"].as_str().unwrap()).collect();
    assert_eq!(prices, ["0x77359400", "0x77359400", "0x3b9aca07", "0x3b9aca09"]);
    let types: Vec<_> = receipts.iter().map(|receipt| receipt["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["0x0", "0x1", "0x2", "0x4"]);
    assert!(receipts[0]["to"].is_null());
    assert_eq!(receipts[0]["contractAddress"], json!(sender().create(0)));
    assert!(receipts[1]["contractAddress"].is_null());
    assert_eq!((&receipts[1]["to"], &receipts[1]["status"]), (&json!(CONTRACT), &json!("0x1")));
    assert_eq!((&receipts[1]["gasUsed"], &receipts[1]["cumulativeGasUsed"]), (&json!("0x5208"), &json!("0xa410")));
    let log_indexes: Vec<_> = receipts.iter().flat_map(|receipt| receipt["logs"].as_array().unwrap()).collect();
    let log_indexes: Vec<_> = log_indexes.iter().map(|log| log["logIndex"].as_str().unwrap()).collect();
    assert_eq!(log_indexes, ["0x0", "0x1", "0x2"]);
    assert_eq!(receipts[2]["logs"][0]["transactionIndex"], "0x2");
    assert!(served.call("eth_getTransactionReceipt", json!([B256::ZERO])).await.is_null());
}

#[tokio::test]
async fn the_receipts_of_a_block_come_together() {
    let served = serve(TestChain::short()).await;
    let block = served.call("eth_getBlockByNumber", json!(["0x1", false])).await;
    let mut receipts = Vec::new();
    for hash in block["transactions"].as_array().unwrap() {
        receipts.push(served.call("eth_getTransactionReceipt", json!([hash])).await);
    }
    for id in [json!("0x1"), block["hash"].clone(), json!({ "blockHash": block["hash"] })] {
        assert_eq!(served.call("eth_getBlockReceipts", json!([id])).await, json!(receipts), "{id}");
    }
    assert_eq!(served.call("eth_getBlockReceipts", json!(["latest"])).await, json!([]));
    assert!(served.call("eth_getBlockReceipts", json!(["0x3"])).await.is_null());
    assert!(served.call("eth_getBlockReceipts", json!([B256::ZERO])).await.is_null());
}

#[tokio::test]
async fn a_proof_repeats_its_slots_as_they_were_named() {
    let served = serve(TestChain::short()).await;
    let full = B256::with_last_byte(7);
    let proof = served.call("eth_getProof", json!([sender(), ["0x05", full], "latest"])).await;
    assert_eq!((&proof["address"], &proof["balance"]), (&json!(sender()), &json!("0x3ea")));
    assert_eq!((&proof["nonce"], &proof["storageHash"]), (&json!("0x4"), &json!(B256::repeat_byte(0x5a))));
    assert_eq!(proof["accountProof"].as_array().unwrap().len(), 1);
    assert_eq!(proof["storageProof"][0], json!({ "key": "0x5", "value": "0x5", "proof": ["0x05"] }));
    assert_eq!(proof["storageProof"][1], json!({ "key": full, "value": "0x7", "proof": ["0x07"] }));
    assert_eq!(served.call("eth_getProof", json!([sender(), []])).await["storageProof"], json!([]));

    let (code, text, _) = served.fail("eth_getProof", json!([sender(), [], "0x1"])).await;
    assert!(code == -32000 && text.contains("only the last block, 2,"), "{text}");
    let many: Vec<_> = (0..1025u64).map(|i| format!("{i:#x}")).collect();
    assert_eq!(served.fail("eth_getProof", json!([sender(), many])).await.0, -32005);
}

#[tokio::test]
async fn the_pool_says_how_many_wait() {
    let served = serve(TestChain::short()).await;
    served.client.send_raw_transaction(&waiting_transaction().encoded_2718().into()).await.unwrap();
    assert_eq!(served.call("txpool_status", json!([])).await, json!({ "pending": "0x1", "queued": "0x11" }));
}

#[tokio::test]
async fn a_sent_transaction_is_pending_until_it_is_in_a_block() {
    let served = serve(TestChain::short()).await;
    let mut raw = one_of_each_type()[2].encoded_2718();
    let known = served.call("eth_sendRawTransaction", json!([Bytes::from(raw.clone())])).await;
    // It lies in a block of this chain as well, and what is in a block is not pending.
    assert_eq!(served.call("eth_getTransactionByHash", json!([known])).await["blockNumber"], "0x1");
    let (code, text, _) = served.fail("eth_sendRawTransaction", json!([Bytes::from(raw.clone())])).await;
    assert_eq!((code, text.as_str()), (-32000, "already known"));
    raw.truncate(20);
    let (code, text, _) = served.fail("eth_sendRawTransaction", json!([Bytes::from(raw)])).await;
    assert!(code == -32000 && text.starts_with("transaction could not be decoded"), "{text}");

    let waiting = waiting_transaction();
    let hash = served.client.send_raw_transaction(&waiting.encoded_2718().into()).await.unwrap();
    assert_eq!(hash, *waiting.tx_hash());
    let pending = served.call("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&pending["from"], &pending["nonce"]), (&json!(sender()), &json!("0x4")));
    for field in ["blockHash", "blockNumber", "transactionIndex"] {
        assert!(pending[field].is_null() && pending.as_object().unwrap().contains_key(field), "{field}");
    }
    assert!(served.call("eth_getTransactionReceipt", json!([hash])).await.is_null());
}

#[tokio::test]
async fn a_call_reaches_the_node_within_its_bounds() {
    let served = serve(TestChain::short()).await;
    let call = json!({ "to": CONTRACT, "data": "0x1234" });
    let state =
        json!({ CONTRACT.to_string(): { "balance": "0x5", "stateDiff": { B256::ZERO.to_string(): B256::ZERO } } });
    assert_eq!(served.call("eth_call", json!([call, "0x1", state])).await, "0x1234");
    assert_eq!(served.call("eth_estimateGas", json!([call])).await, "0x5208");
    {
        let calls = served.node.calls.lock().unwrap();
        assert_eq!((calls[0].block, calls[1].block), (1, 2));
        assert_eq!(calls[0].gas_cap, lucid_rpc::limits::CALL_GAS_CAP_GAS);
        assert_eq!(calls[0].overrides[&CONTRACT].balance, Some(U256::from(5)));
    }
    let (code, text, data) = served.fail("eth_call", json!([{ "to": REVERTING }, "latest"])).await;
    assert_eq!((code, text.as_str()), (3, "execution reverted: too late"));
    assert!(data.unwrap().as_str().unwrap().starts_with("0x08c379a0"));
    assert_eq!(served.fail("eth_estimateGas", json!([{ "to": REVERTING }])).await.0, 3);

    let both = json!([{ "gasPrice": "0x1", "maxFeePerGas": "0x1" }]);
    assert!(served.fail("eth_call", both).await.1.starts_with("both gasPrice and"));
    let many: serde_json::Map<_, _> = (0..257u64)
        .map(|i| (alloy_primitives::Address::left_padding_from(&i.to_be_bytes()).to_string(), json!({})))
        .collect();
    assert_eq!(served.fail("eth_call", json!([call, "latest", many])).await.0, -32005);
}

#[tokio::test]
async fn logs_are_found_by_address_topic_block_and_by_nothing_at_all() {
    let served = serve(TestChain::short()).await;
    let indexes = async |filter: serde_json::Value| {
        let logs = served.call("eth_getLogs", json!([filter])).await;
        let index = |log: &serde_json::Value| log["logIndex"].as_str().unwrap().to_owned();
        logs.as_array().unwrap().iter().map(index).collect::<Vec<_>>()
    };
    let (first, second) = (B256::repeat_byte(0xa1), B256::repeat_byte(0xa2));
    assert_eq!(indexes(json!({ "fromBlock": "0x0", "toBlock": "latest" })).await, ["0x0", "0x1", "0x2"]);
    assert!(served.node.log_queries.lock().unwrap().is_empty());
    assert_eq!(indexes(json!({ "fromBlock": "earliest", "topics": [first] })).await, ["0x0", "0x2"]);
    assert_eq!(indexes(json!({ "fromBlock": "0x1", "topics": [[second, B256::ZERO]] })).await, ["0x1"]);
    assert_eq!(indexes(json!({ "fromBlock": "0x1", "address": CONTRACT, "topics": [null] })).await.len(), 3);
    assert!(indexes(json!({ "fromBlock": "0x1", "address": sender() })).await.is_empty());
    // Where no range is named it is the last block alone.
    assert!(indexes(json!({ "address": CONTRACT })).await.is_empty());
    let query = served.node.log_queries.lock().unwrap()[1].clone();
    assert_eq!((query.from_block, query.to_block), (1, 2));
    assert_eq!(query.topics[0], [B256::ZERO, second]);
    let block = served.call("eth_getBlockByNumber", json!(["0x1", false])).await;
    assert_eq!(indexes(json!({ "blockHash": block["hash"] })).await.len(), 3);

    let (code, text, _) = served.fail("eth_getLogs", json!([{ "blockHash": B256::ZERO }])).await;
    assert_eq!((code, text.as_str()), (-32000, "unknown block"));
    let many: Vec<_> = (0..1001u64).map(|i| B256::from(U256::from(i))).collect();
    assert_eq!(served.fail("eth_getLogs", json!([{ "topics": [many] }])).await.0, -32005);
}

#[tokio::test]
async fn logs_have_a_bound_in_blocks_and_one_in_results() {
    let chain = TestChain::short();
    chain.set_head(20_000);
    let served = serve(chain).await;
    let range = |to: u64| json!([{ "fromBlock": "0x1", "toBlock": format!("{to:#x}"), "address": CONTRACT }]);
    assert_eq!(served.call("eth_getLogs", range(10_000)).await.as_array().unwrap().len(), 3);
    let (code, text, _) = served.fail("eth_getLogs", range(10_001)).await;
    assert_eq!((code, text.as_str()), (-32005, "query exceeds max block range 10000"));

    for filter in [json!([{}]), json!([{ "address": CONTRACT }])] {
        let served = serve(TestChain::with_logs(10_000)).await;
        assert_eq!(served.call("eth_getLogs", filter.clone()).await.as_array().unwrap().len(), 10_000);
        let served = serve(TestChain::with_logs(10_001)).await;
        let (code, text, _) = served.fail("eth_getLogs", filter).await;
        assert!(code == -32005 && text.starts_with("query returned more than 10000 results"), "{text}");
    }
}

#[tokio::test]
async fn fee_history_has_one_base_fee_more_than_blocks() {
    let served = serve(TestChain::short()).await;
    let history = served.call("eth_feeHistory", json!(["0x2", "latest", [0, 50, 100]])).await;
    assert_eq!(history["oldestBlock"], "0x1");
    assert_eq!(history["baseFeePerGas"].as_array().unwrap().len(), 3);
    assert_eq!(history["gasUsedRatio"], json!([0.0028, 0.0]));
    // Tips of the four: 1 gwei twice, 7 and 9 wei. The empty block has none.
    assert_eq!(history["reward"], json!([["0x7", "0x9", "0x3b9aca00"], ["0x0", "0x0", "0x0"]]));
    let all = served.call("eth_feeHistory", json!(["0x400", "latest"])).await;
    assert_eq!((&all["oldestBlock"], all["gasUsedRatio"].as_array().unwrap().len()), (&json!("0x0"), 3));
    assert!(all.get("reward").is_none());
    assert_eq!(served.fail("eth_feeHistory", json!(["0x1", "0x9"])).await.0, -32000);
    assert_eq!(served.fail("eth_feeHistory", json!(["0x1", "latest", [50, 10]])).await.0, -32602);
    assert_eq!(served.fail("eth_feeHistory", json!(["0x1", "latest", [101]])).await.0, -32602);
}
