//! A node whose clock nobody vouches for.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, fast_chain, run, say_skipped, text};
use std::fs;

/// Most containers may not set the clock, and their kernels do not vouch for it. Where one does, there is nothing to see.
#[test]
fn a_node_with_an_unsynchronised_clock_serves_and_says_why_it_does_not_seal() {
    if lucid_kernel::clock_synchronised().unwrap_or(false) {
        say_skipped("an unsynchronised clock", "the clock of this machine is synchronised");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    fast_chain(&datadir);
    let node = DevNode::run_in(&datadir, &[]);
    let said = node.banner().join("\n");
    assert!(said.contains("not synchronised") && said.contains("--accept-clock"), "{said}");
    assert_eq!(node.request("eth_blockNumber", ()), "0x0");
    assert!(node.terminate().success());
    let node = DevNode::run_in(&datadir, &["--accept-clock"]);
    assert!(!node.banner().join("\n").contains("No blocks"));
    assert!(node.terminate().success());
}

/// Genesis was a moment ago, so a chain that trusts its own clock goes on without the kernel's word.
#[test]
fn a_solo_chain_may_trust_its_own_clock_for_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    fast_chain(&datadir);
    fs::write(datadir.join("lucid.toml"), "[clock]\ntrust-local = true\n").unwrap();
    let recording = folder.path().join("recording");
    fs::create_dir(&recording).unwrap();
    fs::write(recording.join("chunk"), "ciphertext").unwrap();
    let node = DevNode::run_in(&datadir, &[]);
    let (token, recording) = (datadir.join("tokens/anchor"), recording.to_str().unwrap());
    let args = ["session", "anchor", "--rpc", node.url(), "--token-file", token.to_str().unwrap(), recording];
    let anchored = run(&args);
    assert!(anchored.status.success(), "{}", text(&anchored.stderr));
    assert!(node.terminate().success());
    assert!(datadir.join("recorded-time").exists());
}
