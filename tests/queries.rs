//! The store is asked: through the node that has it, and on its file.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, run, send, text, transfer};
use alloy_primitives::Address;
use lucid_node::keys::DEV_ACCOUNTS;
use serde_json::{Value, value::RawValue};
use std::{fs, path::Path};

fn db(args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(&[&["db"], args].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_node_and_its_file_give_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("chain");
    let node = DevNode::start_in(&datadir);
    block_on(async {
        for nonce in 0..5 {
            send(&node.client(), &transfer(&DEV_ACCOUNTS[0], nonce, Address::with_last_byte(9))).await;
        }
    });
    let questions: [&[&str]; 7] = [
        &["shards", "--json"],
        &["find", "transactions", "{\"nonce\": {\"$gte\": 1}}", "--sort", "{\"nonce\": -1}", "--limit", "3"],
        &["find", "blocks", "--projection", "{\"hash\": 1}", "--all"],
        &["find", "blocks", "{\"height\": 3}", "--json", "--explain"],
        &["find", "params"],
        &["count", "transactions", "{\"block\": {\"$lt\": 3}}"],
        &["count", "transactions", "--json"],
    ];
    let ask = |place: [&str; 2]| questions.map(|question| db(&[question, &place].concat()));
    let from_node = ask(["--rpc", node.url()]);
    assert!(node.interrupt().success());
    assert_eq!(ask(["--datadir", datadir.to_str().unwrap()]), from_node);

    let [shards, sorted, blocks, explained, params, counted, counted_as_json] = from_node;
    assert_eq!(lines(&sorted.1).iter().map(|document| document["nonce"].clone()).collect::<Vec<_>>(), [4, 3, 2]);
    assert!(sorted.2.contains("there are more; the next page: --cursor 0x"), "{}", sorted.2);
    assert_eq!((lines(&blocks.1).len(), blocks.0), (6, Some(0)));
    let explained: Value = serde_json::from_str(&explained.1).unwrap();
    assert_eq!((&explained["explain"]["way"]["by"], &explained["cursor"]), (&"key".into(), &Value::Null));
    assert!(lines(&params.1).iter().any(|param| param["key"] == "slotDurationSecs"), "{}", params.1);
    assert_eq!((&*counted.1, &*counted_as_json.1), ("2\n", "{\"count\":5}\n"));
    assert_eq!(serde_json::from_str::<Value>(&shards.1).unwrap()[0]["collection"], "chunks");
}

#[test]
fn a_question_that_is_wrong_ends_with_a_code_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("chain");
    assert!(DevNode::start_in(&datadir).interrupt().success());
    let at = datadir.to_str().unwrap();
    for (args, code, sentence) in [
        (&["find", "block"][..], 2, "there is no collection block; did you mean blocks?"),
        (&["find", "blocks", "{"], 2, "not JSON"),
        (&["find", "blocks", "{\"hieght\": 1}"], 2, "did you mean height?"),
        (&["find", "blocks", "--limit", "0"], 2, "0 is not in 1..=1000"),
        (&["find", "blocks", "--sort", "1"], 2, "an object of fields with 1 or -1"),
        (&["count", "blocks", "{\"$where\": 1}"], 2, "$where is no word of a filter"),
        (&["count", "blocks", "{\"height\": 1, \"height\": 2}"], 2, "\"height\" is there twice"),
        (&["find", "blocks", "--sort", "{\"height\": 1, \"height\": -1}"], 2, "\"height\" is there twice"),
        (&["find", "blocks", "--projection", "{\"hash\": 1, \"hash\": 0}"], 2, "\"hash\" is there twice"),
    ] {
        let (found, _, said) = db(&[args, &["--datadir", at]].concat());
        assert_eq!(found, Some(code), "{args:?}: {said}");
        assert!(said.contains(sentence), "{args:?}: {said}");
    }
    let (code, _, said) = db(&["find", "blocks"]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn a_name_that_a_caller_gives_twice_is_refused_and_not_chosen_from() {
    let node = DevNode::start();
    for (method, parameters) in [
        ("lucid_find", r#"["blocks", {"height": 1, "height": 2}]"#),
        ("lucid_findOne", r#"["blocks", {"$or": [{"height": {"$gt": 1, "$gt": 2}}]}]"#),
        ("lucid_count", r#"["blocks", {"height": 1, "height": 1}]"#),
        ("lucid_distinct", r#"["blocks", "height", {"height": 1, "height": 2}]"#),
        ("lucid_find", r#"["blocks", {}, {"projection": {"hash": 1, "hash": 0}}]"#),
        ("lucid_find", r#"["blocks", {}, {"sort": {"height": 1, "height": -1}}]"#),
        ("lucid_aggregate", r#"["blocks", [{"$match": {"height": 1, "height": 2}}]]"#),
    ] {
        let parameters: Box<RawValue> = serde_json::from_str(parameters).unwrap();
        let refused = block_on(node.client().request::<Value>(method, &parameters)).unwrap_err();
        let fault = refused.fault().unwrap();
        assert_eq!((fault.code, fault.lucid_code()), (-32602, Some("LUCID_ERR_1001")), "{method}: {fault}");
        assert!(fault.message.contains("is there twice"), "{method}: {fault}");
    }
}

/// Changes a bit of a row of the store, whose content no checksum of a page guards while it is read by itself.
fn damage(file: &Path, content: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let places: Vec<_> =
        bytes.windows(content.len()).enumerate().filter(|(_, window)| *window == content).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the row is not in the file");
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(file, bytes).unwrap();
}

#[test]
fn damage_is_the_same_to_who_asks_the_node_and_to_who_reads_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("chain");
    let node = DevNode::start_in(&datadir);
    let raw = transfer(&DEV_ACCOUNTS[0], 0, Address::with_last_byte(9));
    block_on(async {
        send(&node.client(), &raw).await;
        for nonce in 1..20 {
            send(&node.client(), &transfer(&DEV_ACCOUNTS[0], nonce, Address::with_last_byte(9))).await;
        }
    });
    assert!(node.interrupt().success());
    damage(&datadir.join("lucid.redb"), &raw);
    let (at, out) = (datadir.to_str().unwrap(), folder.path().join("out"));
    let question = ["find", "transactions", "{\"block\": 1}"];
    let (code, _, said) = db(&[&question[..], &["--datadir", at]].concat());
    assert_eq!(code, Some(65), "{said}");

    let node = DevNode::start_in(&datadir);
    let (code, _, said) = db(&[&question[..], &["--rpc", node.url()]].concat());
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains("the node's store is damaged") && said.contains("LUCID_ERR_3002"), "{said}");
    assert!(!said.contains("lucid.redb") && !said.contains(at), "{said}");
    let exported = run(&["export", "jsonl", "--out", out.to_str().unwrap(), "--rpc", node.url()]);
    assert_eq!((exported.status.code(), out.exists()), (Some(65), false), "{}", text(&exported.stderr));
    let refused = block_on(node.client().request::<Value>("lucid_find", ("transactions",))).unwrap_err();
    assert_eq!(refused.fault().unwrap().code, -32012);
    // What is whole is answered.
    assert_eq!(db(&["count", "blocks", "--rpc", node.url()]).0, Some(0));
}
