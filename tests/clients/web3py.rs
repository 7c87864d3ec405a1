//! web3.py 8, the library that Python programs use. What is expected is in `web3py/`.

use crate::support::{DevNode, python, said};
use std::{path::Path, process::Command};

/// Runs a script of `web3py/` against a node of its own.
fn run(test: &str, script: &str) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let Some(python) = python(test, "python", &scripts.join("web3py/requirements.txt")) else { return };
    let node = DevNode::start();
    let mut command = Command::new(python);
    // Compiled scripts would lie in the repository.
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(scripts.join("web3py").join(script));
    said(command.arg(node.url()).arg(scripts.join("contract/Counter.json")));
}

#[test]
fn web3_py_deploys_calls_sends_waits_and_reads_logs_filters_and_reverts() {
    run("web3_py_deploys_calls_sends_waits_and_reads_logs_filters_and_reverts", "contract.py");
}

#[test]
fn web3_py_subscribes_to_heads_logs_and_waiting_transactions() {
    run("web3_py_subscribes_to_heads_logs_and_waiting_transactions", "news.py");
}
