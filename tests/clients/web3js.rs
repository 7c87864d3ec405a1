//! web3.js 4, which many older programs are written with. What is expected is in `web3js/`.

use crate::support::{DevNode, npm_folder, said};
use std::process::Command;

/// Runs a script of `web3js/` against a node of its own, over each transport.
fn run(test: &str, script: &str) {
    let Some(folder) = npm_folder(test) else { return };
    for transport in ["http", "ws"] {
        let node = DevNode::start();
        let script = folder.join("web3js").join(script);
        said(Command::new("node").arg(script).arg(node.url()).arg(folder.join("contract/Counter.json")).arg(transport));
    }
}

#[test]
fn web3_js_deploys_calls_sends_waits_and_reads_logs_and_reverts() {
    run("web3_js_deploys_calls_sends_waits_and_reads_logs_and_reverts", "contract.mjs");
}

#[test]
fn web3_js_hears_of_blocks_events_and_waiting_transactions() {
    run("web3_js_hears_of_blocks_events_and_waiting_transactions", "news.mjs");
}
