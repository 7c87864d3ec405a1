//! The collections go out into files: of a folder, and through the node that has it.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, run, send, text, transfer};
use alloy_primitives::Address;
use lucid_node::keys::DEV_ACCOUNTS;
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

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
    let (code, _, said) = export(&["bson", "--database", "a/b", "--out", &out("x"), "--datadir", at]);
    assert_eq!((code, said.contains("letters, digits")), (Some(2), true), "{said}");
    assert!(!Path::new(&out("x")).exists());
}
