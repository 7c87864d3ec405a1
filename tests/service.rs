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
    assert!(nothing.contains("has not run on this folder yet"), "{nothing}");
    DevNode::run_in(datadir, &[]).terminate();
    DevNode::run_in(datadir, &[]).kill();
    let node = DevNode::run_in(datadir, &[]);
    let second = lucid_node().args(["run", "--datadir", at, "--no-init", "--http-port", "0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(69));
    let runs = text(&run(&["why", "--datadir", at]).stdout);
    assert!(runs.contains("A node runs on this folder since"), "{runs}");
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
    assert!(told.ends_with("\nIts exit code means: bad data (chain spec, store, key, recording, dump).\n"), "{told}");

    // A store that went away is on record where there is one, and an empty folder stays empty.
    fs::remove_file(datadir.join("lucid.redb")).unwrap();
    let start = |at: &str| lucid_node().args(["run", "--datadir", at, "--no-init"]).output().unwrap().status.code();
    assert_eq!(start(at), Some(78));
    let told = text(&run(&["why", "--datadir", at, "-n", "1"]).stdout);
    assert!(told.contains("ended with exit code 78") && told.contains("lucid.redb"), "{told}");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(start(empty.path().to_str().unwrap()), Some(78));
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
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

#[test]
fn whoever_watches_a_node_is_told_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fast_chain(folder.path());
    let (at, socket) = (folder.path().to_str().unwrap(), folder.path().join("status.sock"));
    let parts = folder.path().join("conf.d");
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("10-watch.toml"), format!("[status]\nsocket = {socket:?}\n[memory]\nbudget-mib = 128\n"))
        .unwrap();
    fs::write(parts.join("local.conf"), "[http]\nport = 1\n").unwrap();
    let checked = run(&["config", "check", "--datadir", at]);
    assert!(text(&checked.stderr).contains("local.conf is not read"), "{}", text(&checked.stderr));
    let socket = socket.to_str().unwrap();
    let gone = lucid_node().args(["status", "--socket", socket]).output().unwrap();
    assert_eq!(gone.status.code(), Some(69), "{}", text(&gone.stderr));
    let mut command = lucid_node();
    command.args(["run", "--datadir", at, "--no-init", "--http-port", "0", "--accept-clock"]);
    let node = DevNode::spawn(command);
    node.request("eth_chainId", ());
    let screen = text(&run(&["status", "--socket", socket]).stdout);
    assert!(screen.contains("State       well\n") && screen.contains("Last block  0, of the slot"), "{screen}");
    let document: Value = serde_json::from_slice(&run(&["status", "--socket", socket, "--json"]).stdout).unwrap();
    assert_eq!(document["rpc_addr"], node.addr().to_string());
    assert_eq!(document["pid"], node.pid());
    assert_eq!(document["calls"]["eth_chainId"]["answered"], 1, "{document:#}");
    let doctor = lucid_node().args(["doctor", "--datadir", at, "--json"]).output().unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&doctor.stdout).unwrap();
    let of = |check: &str| findings.iter().find(|finding| finding["check"] == check).unwrap();
    assert_eq!(of("configuration")["problem"], "config-passed-over");
    assert!(of("node")["found"].as_str().unwrap().ends_with("at block 0"), "{findings:#?}");
    assert_eq!(of("keys")["level"], "good");
    assert_eq!(of("backup")["problem"], "no-backup");
    assert_eq!(of("store")["level"], "good");
    node.terminate();
    assert!(!Path::new(socket).exists());
}

#[test]
fn the_health_port_answers_and_one_that_is_taken_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fast_chain(folder.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let command = || {
        let mut command = lucid_node();
        command.args(["run", "--datadir", folder.path().to_str().unwrap(), "--no-init", "--http-port", "0"]);
        command.env("LUCID__HEALTH__PORT", &port);
        command
    };
    let refused = command().output().unwrap();
    assert_eq!(refused.status.code(), Some(69));
    assert!(text(&refused.stderr).contains("health.port"), "{}", text(&refused.stderr));
    drop(taken);
    let node = DevNode::spawn(command());
    let get = |path: &str| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/livez").starts_with("HTTP/1.1 200"));
    let metrics = get("/metrics");
    assert!(
        metrics.contains("\nlucid_head_number 0\n") && metrics.contains("lucid_restarts_total{reason=\"failed\"} 1"),
        "{metrics}"
    );
    node.terminate();
}
