//! A disk that fills up under a node: what does not fit is not written, reading goes on, and so does writing once there is
//! room. The limit that the system has on the size of a file stands in for the disk.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, eventually, lucid_node, run, send, text, transfer};
use alloy_primitives::{Address, U256};
use lucid_node::keys::DEV_ACCOUNTS;
use serde_json::Value;
use std::{fs, process::Command};

/// A node whose files cannot become larger than `bytes`, until [`lift`].
fn start_within(datadir: &str, bytes: u64) -> DevNode {
    let program = lucid_node().get_program().to_owned();
    let mut command = Command::new("sh");
    // A write beyond the limit is an error, as on a full disk, where the signal is not taken.
    command.args(["-c", "trap '' XFSZ; exec prlimit --fsize=\"$0\": -- \"$@\"", &bytes.to_string()]).arg(program);
    command.args(["dev", "--port", "0", "--datadir", datadir]).env_remove("RUST_LOG");
    DevNode::spawn(command)
}

fn lift(node: &DevNode) {
    let lifted = Command::new("prlimit").args(["--fsize=unlimited:", "--pid", &node.pid().to_string()]).status();
    assert!(lifted.unwrap().success());
}

#[test]
fn a_full_disk_stops_blocks_and_nothing_else_until_there_is_room() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        return println!("skipped: there is no prlimit here");
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let datadir = folder.path().to_str().unwrap();
    let node = DevNode::start_in(folder.path());
    block_on(send(&node.client(), &transfer(&DEV_ACCOUNTS[0], 0, Address::ZERO)));
    assert!(node.interrupt().success());
    let file = folder.path().join("lucid.redb");
    let node = start_within(datadir, fs::metadata(&file).unwrap().len() + 64 * 1024);
    let client = node.client();
    let (refused, sent) = block_on(async {
        // Blocks until the file would have to grow.
        for nonce in 1.. {
            let hash = client.send_raw_transaction(&transfer(&DEV_ACCOUNTS[0], nonce, Address::ZERO)).await.unwrap();
            let outcome = eventually("a block or a reason for none", || async {
                if client.transaction_receipt(hash).await.unwrap().is_some() {
                    return Some(None);
                }
                let info: Value = client.request("lucid_chainInfo", ()).await.unwrap();
                info["sealing_stop"].as_str().map(|why| Some(why.to_owned()))
            });
            if let Some(why) = outcome.await {
                return (why, nonce);
            }
        }
        unreachable!()
    });
    assert!(refused.contains("no room"), "{refused}");
    let next = transfer(&DEV_ACCOUNTS[0], sent + 1, Address::ZERO);
    let not_taken = block_on(client.send_raw_transaction(&next)).unwrap_err().to_string();
    assert!(not_taken.contains("disk is nearly full"), "{not_taken}");
    let received: U256 = serde_json::from_value(node.request("eth_getBalance", (Address::ZERO, "latest"))).unwrap();
    assert_eq!(received, U256::from(sent), "what was written is read on");
    lift(&node);
    block_on(async {
        eventually("the next block", || async {
            let received: U256 = client.request("eth_getBalance", (Address::ZERO, "latest")).await.unwrap();
            (received == U256::from(sent + 1)).then_some(())
        })
        .await;
        send(&client, &transfer(&DEV_ACCOUNTS[0], sent + 1, Address::ZERO)).await;
    });
    assert!(node.interrupt().success());
    let verified = run(&["db", "verify", "--datadir", datadir]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
}
