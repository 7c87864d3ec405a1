//! Answers about blocks of a public test chain, field for field as the Ethereum execution API's own cases have them.
//! Chain (`chain.rlp`) and cases (`METHOD/NAME.io`) are read from the folder that `RPC_COMPAT_DIR` names; where that is
//! unset, the test says so and is skipped.

use crate::support::{TestChain, serve};
use serde_json::Value;
use std::{fs, io::Write, path::Path};

const FOLDER_VARIABLE: &str = "RPC_COMPAT_DIR";

/// The cases that need no state: the stand-in behind the interface has none.
const CASES: [&str; 8] = [
    "eth_getBlockByHash/get-block-by-hash",
    "eth_getBlockByHash/get-block-by-notfound-hash",
    "eth_getBlockByNumber/get-finalized",
    "eth_getLogs/filter-error-future-block-range",
    "eth_getLogs/filter-error-reversed-block-range",
    "eth_getTransactionByHash/get-empty-tx",
    "eth_getTransactionByHash/get-legacy-create",
    "eth_getTransactionByHash/get-setcode-tx",
];

#[tokio::test]
async fn answers_equal_the_execution_apis_own() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else {
        // Past the test runner, which keeps what a test prints.
        let _ =
            writeln!(std::io::stderr(), "skipped: answers_equal_the_execution_apis_own: {FOLDER_VARIABLE} is unset");
        return;
    };
    let folder = Path::new(&folder);
    let served = serve(TestChain::foreign(&fs::read(folder.join("chain.rlp")).unwrap())).await;
    for name in CASES {
        let case = fs::read_to_string(folder.join(name).with_extension("io")).unwrap();
        let part = |marker| case.lines().find_map(|line| line.strip_prefix(marker)).unwrap();
        let answer = crate::support::post(served.server.local_addr(), part(">> ").as_bytes()).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_same(name, "", &answer.json(), &serde_json::from_str(part("<< ")).unwrap());
    }
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
