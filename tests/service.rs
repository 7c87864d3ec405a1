//! The node under a service manager: it says when it is ready and that it lives, and what ended it is known afterwards.
#![allow(clippy::unwrap_used, reason = "clippy knows that a test may panic, and not that what tests share may")]

use crate::support::{DevNode, fast_chain, lucid_node, run, text};
use serde_json::Value;
use std::{fs, os::unix::net::UnixDatagram, path::Path, time::Duration};

fn why(datadir: &Path) -> Value {
    let output = run(&["why", "--datadir", datadir.to_str().unwrap(), "--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn how_each_run_ended_is_known_to_the_next_and_to_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path();
    let at = datadir.to_str().unwrap();
    fast_chain(datadir);
    let nothing = text(&run(&["why", "--datadir", at]).stdout);
    assert!(nothing.contains("no node has run on this folder yet"), "{nothing}");
    DevNode::run_in(datadir, &[]).terminate();
    DevNode::run_in(datadir, &[]).kill();
    let node = DevNode::run_in(datadir, &[]);
    let second = lucid_node().args(["run", "--datadir", at, "--no-init", "--http-port", "0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(69));
    node.terminate();
    // Another boot of the machine, as the recorder sees one.
    DevNode::run_in(datadir, &[]).kill();
    let recorder = datadir.join("flight-recorder");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(&recorder, fs::read_to_string(&recorder).unwrap().replace(boot.trim(), "an-earlier-boot")).unwrap();
    DevNode::run_in(datadir, &[]).terminate();
    fs::write(datadir.join("lucid.redb"), "not a store").unwrap();
    let damaged = lucid_node().args(["run", "--datadir", at, "--no-init"]).output().unwrap();
    assert_eq!(damaged.status.code(), Some(65));

    let document = why(datadir);
    let expected = serde_json::json!({ "first": 1, "stopped": 3, "killed": 1, "power_cut": 1 });
    assert_eq!(document["starts"], expected, "{document:#}");
    let last = document["entries"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&"stop".into(), &65.into()));
    let told = text(&run(&["why", "--datadir", at, "-n", "1"]).stdout);
    assert!(told.contains("ended with exit code 65"), "{told}");
    assert!(told.contains("The last run has ended: it ended with an error"), "{told}");
}

#[test]
fn the_service_manager_hears_that_the_node_is_ready_lives_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    fast_chain(folder.path());
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = lucid_node();
    command.args(["run", "--datadir", folder.path().to_str().unwrap(), "--no-init", "--http-port", "0"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "500000");
    let node = DevNode::spawn(command);
    let hear = || {
        let mut buffer = [0; 512];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    };
    let until = |wanted: &str| {
        let mut heard = Vec::new();
        while !heard.last().is_some_and(|state: &String| state.starts_with(wanted)) {
            heard.push(hear());
            assert!(heard.len() < 100, "{heard:?}");
        }
        heard
    };
    let start = until("READY=1");
    assert_eq!(start[0], "STATUS=opening the store");
    until("WATCHDOG=1");
    until("STATUS=block 0");
    until("WATCHDOG=1");
    node.terminate();
    until("STOPPING=1");
}
