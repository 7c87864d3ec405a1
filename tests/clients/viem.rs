//! viem, the library behind wagmi and most newer web pages. What is expected is in `viem/`.

use crate::support::{DevNode, npm_folder, said};
use std::process::Command;

/// Runs a script of `viem/` against a node of its own, over each transport.
fn run(test: &str, script: &str) {
    let Some(folder) = npm_folder(test) else { return };
    for transport in ["http", "ws"] {
        let node = DevNode::start();
        let script = folder.join("viem").join(script);
        said(Command::new("node").arg(script).arg(node.url()).arg(folder.join("contract/Counter.json")).arg(transport));
    }
}

#[test]
fn viem_deploys_calls_sends_waits_and_reads_logs_proofs_and_reverts() {
    run("viem_deploys_calls_sends_waits_and_reads_logs_proofs_and_reverts", "contract.mjs");
}

#[test]
fn viem_watches_blocks_events_and_waiting_transactions() {
    run("viem_watches_blocks_events_and_waiting_transactions", "watch.mjs");
}
