//! Answers about blocks of a public test chain, field for field as the Ethereum execution API's own cases have
//! them. `data/foreign_blocks.rlp` holds blocks 1, 45 and 54 of it: a legacy creation, an EIP-7702 transaction and
//! the head.

use crate::support::{TestChain, serve};
use serde_json::Value;

/// The cases are one JSON object a line: name, request, response.
const CASES: &str = include_str!("data/foreign_cases.jsonl");
const BLOCKS: &[u8] = include_bytes!("data/foreign_blocks.rlp");

#[tokio::test]
async fn answers_equal_the_execution_apis_own() {
    let served = serve(TestChain::foreign(BLOCKS)).await;
    let mut cases = 0;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let request = case["request"].to_string();
        let answer = crate::support::post(served.server.local_addr(), request.as_bytes()).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_same(name, "", &answer.json(), &case["response"]);
        cases += 1;
    }
    assert_eq!(cases, 8);
}

/// Names the first field that differs.
fn assert_same(name: &str, path: &str, ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for key in ours.keys().chain(theirs.keys()) {
                let (ours, theirs) = (ours.get(key), theirs.get(key));
                let (Some(ours), Some(theirs)) = (ours, theirs) else {
                    panic!("{name}: {path}.{key} is {ours:?} here and {theirs:?} there");
                };
                assert_same(name, &format!("{path}.{key}"), ours, theirs);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{name}: {path}");
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                assert_same(name, &format!("{path}[{index}]"), ours, theirs);
            }
        }
        _ => assert_eq!(ours, theirs, "{name}: {path}"),
    }
}
