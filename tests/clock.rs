//! A node whose clock nobody vouches for.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, fast_chain, run, say_skipped, text};
use lucid_node::{keys::NodeKeys, node::solo_chain_spec};
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

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

/// A clock that was most of a day ahead when the chain was made, and is right now.
#[test]
fn a_chain_that_begins_in_the_future_is_never_called_well() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, spec_file) = (folder.path().join("node"), folder.path().join("spec.json"));
    let (at, socket) = (datadir.to_str().unwrap(), folder.path().join("sock"));
    assert!(run(&["key", "new", "--datadir", at]).status.success());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let spec = solo_chain_spec(&NodeKeys::load(&datadir.join("keys")).unwrap(), now + 75_000).unwrap();
    fs::write(&spec_file, spec.to_canonical_json()).unwrap();
    assert!(run(&["init", "--datadir", at, "--chain", spec_file.to_str().unwrap()]).status.success());
    fs::write(datadir.join("lucid.toml"), format!("[status]\nsocket = {socket:?}\n")).unwrap();
    let status = || run(&["status", "--datadir", at]);

    let node = DevNode::run_in(&datadir, &[]);
    let said = node.banner().join("\n");
    assert!(said.contains("No blocks: the chain begins 7") && said.contains("make it anew"), "{said}");
    assert_eq!(status().status.code(), Some(1));
    assert!(node.terminate().success());
    let node = DevNode::run_in(&datadir, &["--accept-clock"]);
    assert!(node.banner().join("\n").contains("Ahead     the slot of the last block begins 7"), "{:?}", node.banner());
    let screen = text(&status().stdout);
    assert!(screen.starts_with("State       AHEAD OF THE CLOCK") && screen.contains("make the chain anew"), "{screen}");
    let found = text(&run(&["doctor", "--datadir", at, "--json"]).stdout);
    assert!(found.contains("ahead-of-clock"), "{found}");
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
