//! `lucid-node dev` as a newcomer meets it: what it prints, where it listens, and what is left when it ends.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, lucid_node};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Keys that everybody knows are printed so that they can be pasted, under a warning.
#[test]
fn the_banner_has_ten_accounts_with_keys_and_a_warning() {
    let node = DevNode::start();
    let accounts = node.request("eth_accounts", ());
    let accounts: Vec<&str> = accounts.as_array().unwrap().iter().map(|account| account.as_str().unwrap()).collect();
    let lines: Vec<Vec<&str>> = node.banner().iter().map(|line| line.split_whitespace().collect()).collect();
    for (index, account) in accounts.iter().enumerate() {
        let place = format!("({index})");
        let line = lines.iter().find(|words| words.first() == Some(&place.as_str())).unwrap();
        assert!(line[1].eq_ignore_ascii_case(account), "{line:?}");
        let digits = line[2].strip_prefix("0x").unwrap();
        assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line:?}");
    }
    assert_eq!(accounts.len(), 10);
    assert!(lines.iter().any(|words| words.contains(&"WARNING:")), "{:?}", node.banner());
}

/// The folder that the banner names.
fn data_folder(node: &DevNode) -> PathBuf {
    let line = node.banner().iter().find(|line| line.starts_with("Data ")).unwrap();
    PathBuf::from(line.split_whitespace().nth(1).unwrap())
}

#[test]
fn a_temporary_chain_leaves_nothing_after_ctrl_c() {
    let node = DevNode::start();
    let folder = data_folder(&node);
    assert!(fs::read_dir(&folder).unwrap().next().is_some(), "{} is empty", folder.display());
    assert!(node.interrupt().success());
    assert!(!folder.exists(), "{} is still there", folder.display());
}

#[test]
fn a_kept_chain_is_the_same_chain_after_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(folder.path());
    let genesis: Value = node.request("eth_getBlockByNumber", ("0x0", false));
    assert!(node.interrupt().success());
    let node = DevNode::start_in(folder.path());
    assert_eq!(node.request("eth_getBlockByNumber", ("0x0", false)), genesis);
    assert_eq!(node.request("eth_chainId", ()), json!("0x7a69"));
}

/// Two programs on one file would each write what the other does not know.
#[test]
fn a_second_node_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _node = DevNode::start_in(folder.path());
    let second = lucid_node().args(["dev", "--port", "0", "--datadir"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(69), "{said}");
    assert!(said.contains("error: ") && said.contains("A node runs on this folder"), "{said}");
}

/// Everybody knows the keys, so nobody else may reach them.
#[test]
fn dev_does_not_listen_beyond_this_machine() {
    for address in ["0.0.0.0", "::", "192.0.2.1"] {
        let output = lucid_node().args(["dev", "--port", "0", "--host", address]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{address}: {said}");
        for words in ["loopback", "everybody knows", "http.allow-remote"] {
            assert!(said.contains(words), "{address}: {said}");
        }
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_the_way_to_another() {
    let node = DevNode::start();
    let port = node.addr().port().to_string();
    let output = lucid_node().args(["dev", "--port", &port]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(69) && said.contains(&port) && said.contains("--port N"), "{said}");
}

/// Whoever names the wrong folder finds no keys among his files.
#[test]
fn a_folder_with_other_files_is_refused_as_init_does() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    let said = |subcommand: &[&str]| {
        let output = lucid_node().args(subcommand).arg("--datadir").arg(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(73), "{subcommand:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let dev = said(&["dev", "--port", "0"]);
    assert!(dev.contains("it holds thesis.tex"), "{dev}");
    assert_eq!(dev, said(&["init"]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is made");
}
