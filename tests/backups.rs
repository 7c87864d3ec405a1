//! A node that is told to makes backups by itself, which come back elsewhere.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, eventually, lucid_node, run, send, text, transfer};
use alloy_primitives::Address;
use lucid_node::keys::DEV_ACCOUNTS;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Names in the folder of backups, sorted.
fn backups(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
    // While one is made it ends otherwise.
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "redb")).collect();
    files.sort();
    files
}

#[test]
fn a_node_without_a_timer_makes_backups_by_itself_and_keeps_the_newest() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let datadir = folder.path().join("node");
    let at = datadir.to_str().unwrap();
    let made = run(&["init", "--solo", "--preset", "dev", "--datadir", at]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let start = || {
        let mut command = lucid_node();
        command.args(["run", "--no-init", "--http-port", "0", "--datadir", at]);
        command.env("LUCID__BACKUP__INTERVAL_HOURS", "1").env("LUCID__BACKUP__KEEP", "2");
        DevNode::spawn(command)
    };
    let kept = datadir.join("backups");
    let old = ["lucid-00000007-100.redb", "lucid-00000003-200.redb"].map(|name| kept.join(name));
    fs::create_dir(&kept).unwrap();
    old.iter().for_each(|path| fs::write(path, "of long ago").unwrap());

    let node = start();
    block_on(eventually("a backup", || async { (!old[0].exists()).then_some(()) }));
    block_on(send(&node.client(), &transfer(&DEV_ACCOUNTS[0], 0, Address::ZERO)));
    assert!(node.terminate().success());
    let names = backups(&kept);
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(old[1].exists(), "of the old ones the newer stays: {names:?}");

    // The last one is not an hour old, whoever made it.
    let node = start();
    node.request("eth_chainId", ());
    thread::sleep(Duration::from_secs(2));
    assert!(node.terminate().success());
    assert_eq!(backups(&kept), names);

    let backup = names.iter().find(|name| **name != old[1]).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    let restored = run(&["db", "restore", "--datadir", elsewhere.to_str().unwrap(), backup.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    let verified = run(&["db", "verify", "--datadir", elsewhere.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
}
