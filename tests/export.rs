//! The collections go out into files: of a folder, and through the node that has it.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, lucid_node, run, send, text, transfer};
use alloy_primitives::Address;
use lucid_node::keys::DEV_ACCOUNTS;
use serde_json::Value;
use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long an export may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

fn export(args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(&[&["export"], args].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Every file below a folder, by its name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_node_and_its_folder_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("chain");
    let node = DevNode::start_in(&datadir);
    let recording = folder.path().join("recording");
    fs::create_dir(&recording).unwrap();
    for index in 0..3 {
        fs::write(recording.join(format!("chunk-{index}")), format!("ciphertext {index}")).unwrap();
    }
    assert!(run(&["session", "anchor", "--rpc", node.url(), recording.to_str().unwrap()]).status.success());
    block_on(async {
        for nonce in 0..4 {
            send(&node.client(), &transfer(&DEV_ACCOUNTS[0], nonce, Address::with_last_byte(9))).await;
        }
    });
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (kind, one, inner) in [("bson", "b1", "lucid"), ("jsonl", "j1", "")] {
        let (code, said, error) = export(&[kind, "--out", &out(one), "--rpc", node.url(), "--json"]);
        assert_eq!(code, Some(0), "{error}");
        let said: Value = serde_json::from_str(&said).unwrap();
        let of = |name: &str| {
            let mut collections = said["collections"].as_array().unwrap().iter();
            collections.find(|collection| collection["collection"] == name).unwrap()["documents"].clone()
        };
        assert_eq!((of("sessions"), of("chunks")), (1.into(), 3.into()));
        assert!(!files(&Path::new(&out(one)).join(inner)).is_empty());
    }
    assert!(node.interrupt().success());
    let at = datadir.to_str().unwrap();
    for (kind, one, other, inner) in [("bson", "b1", "b2", "lucid"), ("jsonl", "j1", "j2", "")] {
        let (code, _, error) = export(&[kind, "--out", &out(other), "--datadir", at]);
        assert_eq!(code, Some(0), "{error}");
        let (one, other) = (files(&Path::new(&out(one)).join(inner)), files(&Path::new(&out(other)).join(inner)));
        assert_eq!(one.len(), other.len());
        for ((name, one), (_, other)) in one.iter().zip(&other) {
            assert_eq!(one, other, "{kind}: {name}");
        }
    }
    let (code, _, said) = export(&["jsonl", "--out", &out("j1"), "--datadir", at]);
    assert_eq!((code, said.contains("is not empty")), (Some(73), true), "{said}");
    let (code, _, said) = export(&["jsonl", "--out", &out("x"), "--collection", "block", "--datadir", at]);
    assert_eq!((code, said.contains("did you mean blocks?")), (Some(2), true), "{said}");
    let named = ["--collection", "blocks", "--collection", "blocks"];
    let (code, _, said) = export(&[&["jsonl", "--out", &out("once"), "--datadir", at][..], &named].concat());
    assert_eq!(code, Some(0), "{said}");
    for (name, words) in [("a/b", "digits, - and _"), ("", "1 to 63 letters"), ("admin", "keeps the database admin")] {
        let (code, _, said) = export(&["bson", "--database", name, "--out", &out("x"), "--datadir", at]);
        assert_eq!((code, said.contains(words)), (Some(2), true), "{said}");
    }
    assert!(!Path::new(&out("x")).exists() && !Path::new(&out("x.new")).exists());
}

/// Begins an export from a node that does not answer, and waits until it asks: then its folder is there, and is its own.
fn begin(out: &Path, node: &TcpListener) -> (Child, TcpStream) {
    let url = format!("http://{}", node.local_addr().unwrap());
    let args = ["export", "bson", "--out", out.to_str().unwrap(), "--rpc", &url];
    let export = lucid_node().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    node.set_nonblocking(true).unwrap();
    loop {
        match node.accept() {
            Ok((asking, _)) => return (export, asking),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        assert!(begun.elapsed() < PATIENCE, "the export does not begin");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_export_that_was_killed_is_taken_over_and_nobody_elses_files_are_touched() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("chain");
    assert!(DevNode::start_in(&datadir).interrupt().success());
    let (out, unfinished) = (folder.path().join("dump"), folder.path().join("dump.new"));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let whole = || export(&["jsonl", "--out", out.to_str().unwrap(), "--datadir", datadir.to_str().unwrap()]);

    // Who runs this in the background of a shell has it ignore SIGINT, which a process inherits.
    for signal in ["-KILL", "-TERM"] {
        let (mut export, _asking) = begin(&out, &silent);
        let (code, _, said) = whole();
        assert_eq!((code, said.contains("under way")), (Some(69), true), "{said}");
        assert!(Command::new("kill").args([signal, &export.id().to_string()]).status().unwrap().success());
        assert!(!export.wait().unwrap().success());
        assert!(!out.exists() && unfinished.exists());
    }
    // Something that is not an export's came there meanwhile.
    let letter = unfinished.join("content/letter");
    fs::write(&letter, "mine").unwrap();
    let (code, _, said) = whole();
    assert_eq!((code, said.contains("letter is in it")), (Some(73), true), "{said}");
    assert_eq!(fs::read(&letter).unwrap(), b"mine");
    fs::remove_file(&letter).unwrap();

    let (code, _, said) = whole();
    assert_eq!(code, Some(0), "{said}");
    assert!(out.join("blocks.jsonl").exists() && !unfinished.exists());
    assert!(files(&out).iter().all(|(name, _)| name.ends_with(".jsonl")), "of the form that was asked for last");
}

#[test]
fn an_export_whose_node_goes_away_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("dump");
    let leaving = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", leaving.local_addr().unwrap());
    thread::spawn(move || leaving.incoming().for_each(drop));
    for _ in 0..2 {
        let (code, _, said) = export(&["bson", "--out", out.to_str().unwrap(), "--rpc", &url]);
        assert_eq!(code, Some(1), "{said}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}
