//! The `lucid_` methods.

use crate::support::{TestChain, sender, serve, session_id};
use alloy_primitives::{Address, B256, Bytes, hex};
use lucid_rpc::{AnchorRequestDocument, SessionQuery, limits::CLIENT_MAX_REQUEST_BYTES};
use lucid_storage::AnchoringStatus;
use lucid_types::{AnchorProof, Certificate, Manifest};
use serde_json::{Value, json};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::timeout;

pub(crate) fn anchor_request(chunks: u32) -> AnchorRequestDocument {
    let manifest = Manifest {
        session_id: session_id(1),
        chunk_count: chunks,
        total_size: u64::from(chunks) * 10,
        merkle_root: B256::repeat_byte(3),
        created_at: 1_800_000_000,
        participants: None,
        codec: None,
        recorder_version: None,
        device_fingerprint: None,
        policy_hash: None,
        observers: None,
    };
    AnchorRequestDocument {
        manifest,
        leaves: vec![B256::repeat_byte(0xab); chunks as usize],
        ciphertext_sha256: vec![B256::repeat_byte(0xcd); chunks as usize],
        size_bytes: vec![10; chunks as usize],
        local_path: None,
        started_at: 1_800_000_000,
        owner: None,
        transactions: None,
        user_id: None,
    }
}

#[tokio::test]
async fn chain_info_tells_what_a_proof_is_checked_against() {
    let served = serve(TestChain::short()).await;
    let info = served.client.chain_info().await.unwrap();
    assert_eq!(info.genesis_hash, TestChain::header(0).hash_slow());
    assert_eq!(info.chain_spec_hash, served.node.spec.hash());
    assert_eq!(info.chain_spec, *served.node.spec);
    assert_eq!((info.head.number, info.head.hash), (2, TestChain::header(2).hash_slow()));
    let document = served.call("lucid_chainInfo", json!([])).await;
    assert_eq!((&document["chain_id"], &document["rules"]), (&json!(31_337), &json!("dev")));
}

#[tokio::test]
async fn the_largest_session_is_taken_and_answered_as_pending() {
    let served = serve(TestChain::short()).await;
    let mut request = anchor_request(16_384);
    request.local_path = Some((0..16_384).map(|i| format!("/srv/recordings/2026/chunk-{i:06}.bin")).collect());
    request.size_bytes.fill(16 << 20);
    request.manifest.total_size = 16_384 << 24;
    let size = serde_json::to_vec(&request).unwrap().len();
    assert!(size > 3_000_000 && size < CLIENT_MAX_REQUEST_BYTES as usize, "{size}");
    let accepted = served.client.anchor_session(&request).await.unwrap();
    assert_eq!((accepted.status, accepted.session_id), (AnchoringStatus::Pending, session_id(1)));
    assert_eq!(served.node.anchored.lock().unwrap()[0].leaves.len(), 16_384);

    let error = served.client.anchor_session(&request).await.unwrap_err();
    assert_eq!(error.fault().unwrap().lucid_code(), Some("LUCID_ERR_6006"));
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_an_anchoring_half_way() {
    let served = serve(TestChain::short()).await;
    served.node.anchor_delay_ms.store(300, Ordering::Relaxed);
    let request = anchor_request(2);
    let call = served.client.anchor_session(&request);
    assert!(timeout(Duration::from_millis(150), call).await.is_err());
    assert!(served.node.anchored.lock().unwrap().is_empty());
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(served.node.anchored.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_answer_has_the_collections_field_names() {
    let served = serve(TestChain::short()).await;
    let answer = served.call("lucid_anchorSession", json!([anchor_request(2)])).await;
    let fields: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["account", "anchoring_id", "merkle_root", "session_id", "slot", "status", "transaction_hash"];
    assert_eq!(fields, expected);
    assert_eq!(answer["status"], "pending");
}

#[tokio::test]
async fn a_request_that_contradicts_its_manifest_is_refused() {
    type Change = fn(&mut AnchorRequestDocument);
    let served = serve(TestChain::short()).await;
    let cases: [(&str, &str, Change); 7] = [
        ("LUCID_ERR_1001", "leaves has 1 entries", |r| r.leaves.truncate(1)),
        ("LUCID_ERR_1001", "ciphertext_sha256 has 3", |r| r.ciphertext_sha256.push(B256::ZERO)),
        ("LUCID_ERR_1001", "add up to 21", |r| r.size_bytes = vec![10, 11]),
        ("LUCID_ERR_1001", "size_bytes of chunk 1", |r| r.size_bytes = vec![20, 0]),
        ("LUCID_ERR_1001", "local_path has 1", |r| r.local_path = Some(vec!["a".into()])),
        ("LUCID_ERR_1001", "transactions has more", |r| r.transactions = Some(vec![Bytes::new(); 201])),
        ("LUCID_ERR_6004", "chunks", |r| r.manifest.chunk_count = 0),
    ];
    for (code, text, change) in cases {
        let mut request = anchor_request(2);
        change(&mut request);
        let error = served.client.anchor_session(&request).await.unwrap_err();
        let fault = error.fault().unwrap();
        assert_eq!((fault.code, fault.lucid_code()), (-32602, Some(code)), "{}", fault.message);
        assert!(fault.message.contains(text), "{}", fault.message);
    }
    let mut unknown = serde_json::to_value(anchor_request(2)).unwrap();
    unknown["private_key"] = json!("0x00");
    let (code, text, data) = served.fail("lucid_anchorSession", json!([unknown])).await;
    assert!(code == -32602 && text.contains("private_key"), "{text}");
    assert_eq!(data.unwrap()["code"], "LUCID_ERR_1001");
    assert!(served.node.anchored.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_session_is_found_by_id_and_by_account_where_two_have_it() {
    let chain = TestChain::short();
    chain.put_sessions(&[(1, sender()), (2, sender()), (2, Address::repeat_byte(2))]);
    let served = serve(chain).await;
    let session = served.client.session(session_id(1), None).await.unwrap().unwrap();
    assert_eq!((session.account, session.chunk_count), (sender(), 3));
    assert_eq!(served.client.session(session_id(3), None).await.unwrap(), None);
    let (code, text, data) = served.fail("lucid_getSession", json!([session_id(2)])).await;
    assert!(code == -32602 && text.starts_with("several accounts"), "{text}");
    let both = [sender(), Address::repeat_byte(2)].iter().all(|account| text.contains(&account.to_string()));
    assert!(both, "{text}");
    assert_eq!(data.unwrap()["code"], "LUCID_ERR_1001");
    let session = served.client.session(session_id(2), Some(Address::repeat_byte(2))).await.unwrap().unwrap();
    assert_eq!(session.owner_addr, Address::repeat_byte(2));
}

#[tokio::test]
async fn the_last_anchoring_of_a_session_is_told_with_its_error() {
    let chain = TestChain::short();
    let other = Address::repeat_byte(2);
    let failed = AnchoringStatus::Failed;
    chain.put_anchoring(1, 7, sender(), 100, failed);
    chain.put_anchoring(2, 7, sender(), 200, AnchoringStatus::Pending);
    chain.put_anchoring(3, 8, sender(), 100, failed);
    chain.put_anchoring(4, 8, other, 100, failed);
    let served = serve(chain).await;
    let last = served.client.anchoring(session_id(7), None).await.unwrap().unwrap();
    assert_eq!((last.created_at, last.status), (200, AnchoringStatus::Pending));
    assert_eq!(last.transactions[0].block_number, None);
    assert_eq!(served.client.anchoring(session_id(9), None).await.unwrap(), None);
    let (code, text, _) = served.fail("lucid_getAnchoring", json!([session_id(8)])).await;
    assert!(code == -32602 && text.contains(&other.to_string()), "{text}");
    let named = served.client.anchoring(session_id(8), Some(other)).await.unwrap().unwrap();
    assert_eq!((named.account, named.last_error.as_deref()), (other, Some("it failed")));
    let error = served.client.retry_anchoring(session_id(7), None).await.unwrap_err();
    assert_eq!(error.fault().unwrap().lucid_code(), Some("LUCID_ERR_6001"));
}

#[tokio::test]
async fn sessions_come_in_pages_that_miss_and_repeat_none() {
    let chain = TestChain::short();
    let other = Address::repeat_byte(2);
    let rows: Vec<_> = (1..=9).map(|id| (id, if id % 3 == 0 { other } else { sender() })).collect();
    chain.put_sessions(&rows);
    let served = serve(chain).await;
    let pending = Some(AnchoringStatus::Pending);
    for (base, expected) in [
        (SessionQuery::default(), (1..=9).collect::<Vec<u8>>()),
        (SessionQuery { owner_addr: Some(sender()), ..SessionQuery::default() }, vec![1, 2, 4, 5, 7, 8]),
        (SessionQuery { status: pending, ..SessionQuery::default() }, (1..=9).collect()),
        (SessionQuery { merkle_root: Some(B256::repeat_byte(4)), ..SessionQuery::default() }, vec![4]),
        (SessionQuery { anchor_txid: Some(B256::ZERO), ..SessionQuery::default() }, vec![]),
    ] {
        for limit in [1, 2, 3, 50] {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let query = SessionQuery { limit: Some(limit), cursor, ..base.clone() };
                let page = served.client.sessions(&query).await.unwrap();
                assert!(page.sessions.len() <= limit);
                seen.extend(page.sessions.into_iter().map(|session| session.session_id));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expected.iter().map(|id| session_id(*id)).collect::<Vec<_>>(), "{base:?} by {limit}");
        }
    }
    for bad in [json!({ "limit": 0 }), json!({ "limit": 1001 }), json!({ "cursor": "0x12" })] {
        let (code, _, data) = served.fail("lucid_listSessions", json!([bad])).await;
        assert_eq!((code, &data.unwrap()["code"]), (-32602, &json!("LUCID_ERR_1001")));
    }
    let two = json!([{ "owner_addr": sender(), "status": "pending" }]);
    assert_eq!(served.fail("lucid_listSessions", two).await.0, -32602);
}

#[tokio::test]
async fn proofs_and_trees() {
    let served = serve(TestChain::short()).await;
    let error = served.client.anchor_proof(session_id(1), &[2, 0, 2], None).await.unwrap_err();
    assert_eq!(error.fault().unwrap().lucid_code(), Some("LUCID_ERR_6001"));
    let error = served.client.anchor_proof(session_id(1), &[3, 0], None).await.unwrap_err();
    assert_eq!(error.fault().unwrap().lucid_code(), Some("LUCID_ERR_1001"));

    let mut proof = AnchorProof {
        version: 1,
        chain_spec: served.node.spec.as_ref().clone(),
        genesis_header: Bytes::new(),
        set_changes: Vec::new(),
        header: Bytes::new(),
        certificate: Certificate { height: 1, round: 0, block_hash: B256::ZERO, signatures: Vec::new() },
        transaction_index: 0,
        receipt_path: Vec::new(),
        log_index: 0,
        account: sender(),
        manifest: anchor_request(1).manifest,
        chunks: Vec::new(),
    };
    let verdict = served.client.verify_anchor_proof(&proof, Some(B256::repeat_byte(8)), None).await.unwrap();
    assert!(verdict.valid);
    assert_eq!(verdict.anchor.unwrap().genesis_hash, B256::repeat_byte(8));
    proof.version = 2;
    let verdict = served.client.verify_anchor_proof(&proof, None, None).await.unwrap();
    assert_eq!((verdict.valid, verdict.reason.as_deref()), (false, Some("the proof has version 2")));

    let leaves = [B256::repeat_byte(1), B256::repeat_byte(2)];
    let tree = served.client.build_merkle(&leaves, &[1]).await.unwrap();
    assert_eq!(tree.paths[0].siblings, [leaves[0]]);
    assert_eq!((tree.leaf_count, tree.height), (2, 1));
    let code = async |params: Value| served.fail("lucid_buildMerkle", params).await.2.unwrap()["code"].clone();
    assert_eq!(code(json!([[]])).await, "LUCID_ERR_8004");
    assert_eq!(code(json!([[leaves[0], leaves[0], leaves[0]]])).await, "LUCID_ERR_8006");
    assert_eq!(code(json!([leaves, vec![0; 2049]])).await, "LUCID_ERR_1001");
    assert_eq!(hex::encode(leaves[0]).len(), 64);
}

/// Whatever is wrong with parameters, a program finds the code where it is documented.
#[tokio::test]
async fn parameters_that_are_not_there_are_named_with_the_code_of_these_methods() {
    let served = serve(TestChain::short()).await;
    for method in ["lucid_anchorSession", "lucid_getAnchoring", "lucid_retryAnchoring", "lucid_verifyAnchorProof"] {
        for params in [json!([]), json!({"session_id": session_id(1)}), json!([null]), json!(null)] {
            let error = served.client.request::<Value>(method, &params).await.unwrap_err();
            let fault = error.fault().unwrap();
            assert_eq!(
                (fault.code, fault.lucid_code()),
                (-32602, Some("LUCID_ERR_1001")),
                "{method} {params}: {fault}"
            );
        }
    }
}

#[tokio::test]
async fn the_slot_of_now_is_told_with_its_epoch() {
    let served = serve(TestChain::short()).await;
    // The clock of the stand-in shows 100 slots of a second after the chain's first one, of 16 to an epoch.
    let document = served.call("lucid_slot", json!([])).await;
    let fields =
        ["slot", "epoch", "starts_at", "ends_at", "next_epoch_slot"].map(|name| document[name].as_u64().unwrap());
    assert_eq!(fields, [100, 6, 1_800_000_100, 1_800_000_101, 112]);
}

#[tokio::test]
async fn the_order_to_come_a_tally_and_a_seal_that_are_not_there() {
    let served = serve(TestChain::short()).await;
    let next = served.call("lucid_getLeaderSchedule", json!([])).await;
    assert_eq!((&next["slot"], &next["primary"], &next["result"]), (&json!(101), &json!(sender()), &Value::Null));
    assert_eq!(next["order"][0]["role"], "emergency_fallback");
    assert_eq!(served.call("lucid_getWorkTally", json!([])).await, Value::Null);
    assert_eq!(served.call("lucid_getWorkTally", json!([3])).await, Value::Null);
    assert_eq!(served.call("lucid_getSeal", json!(["0x9"])).await, Value::Null);
    let page = served.call("lucid_getTaskProofs", json!([{"nodeId": sender(), "from_slot": 3}])).await;
    assert_eq!(page["documents"], json!([]));
    let (_, text, data) = served.fail("lucid_getTaskProofs", json!([{"node": sender()}])).await;
    assert!(text.contains("node") && data.unwrap()["code"] == "LUCID_ERR_1001", "{text}");
}

#[tokio::test]
async fn a_task_proof_is_taken_or_refused_with_the_reason() {
    let served = serve(TestChain::short()).await;
    let record = Bytes::from(vec![4; 97]);
    let taken = served.call("lucid_submitTaskProof", json!([record])).await;
    assert_eq!(
        (&taken["nodeId"], &taken["slot"], &taken["type"]),
        (&json!(sender()), &json!(7), &json!("uptime_beacon"))
    );
    let (code, text, data) = served.fail("lucid_submitTaskProof", json!(["0x01"])).await;
    assert_eq!((code, &data.unwrap()["code"]), (-32000, &json!("LUCID_ERR_1001")), "{text}");
    assert!(text.contains("counts nothing"), "{text}");
}

#[tokio::test]
async fn how_consensus_stands_is_told_and_peers_are_behind_a_token() {
    let served = serve(TestChain::short()).await;
    let status = served.call("lucid_consensusStatus", json!([])).await;
    assert_eq!((&status["height"], &status["round"], &status["leader"]), (&json!(3), &json!(1), &json!(sender())));
    assert!(status.get("stopped").is_none(), "{status}");
    assert_eq!(served.call("lucid_consensusHistory", json!([{"limit": 3}])).await["documents"], json!([]));
    assert_eq!(served.call("lucid_peers", json!([])).await, json!([]));
    assert_eq!(served.call("admin_addPeer", json!(["/ip4/192.0.2.1/tcp/1/p2p/12D3"])).await, json!(true));
    let (_, text, _) = served.fail("admin_addPeer", json!(["example.org"])).await;
    assert!(text.contains("is no address of a peer"), "{text}");
    assert_eq!(served.call("admin_removePeer", json!(["12D3"])).await, json!(false));
    assert_eq!(served.call("admin_nodeInfo", json!([])).await["listening"], json!([]));
}
