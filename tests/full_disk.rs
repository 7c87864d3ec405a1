//! A disk that fills up under a node: what does not fit is not written, reading goes on, and so does writing once there is
//! room. The limit that the system has on the size of a file stands in for the disk.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, carrying, eventually, lucid_node, run, send, text, transfer};
use alloy_primitives::{Address, U256};
use lucid_node::keys::DEV_ACCOUNTS;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Output},
};

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

/// Runs the chain in a folder whose store may take so many MiB.
fn run_bounded(folder: &Path, max_mib: u64) -> DevNode {
    let mut command = lucid_node();
    command.args(["run", "--no-init", "--http-port", "0", "--datadir"]).arg(folder);
    command.env("LUCID__STORAGE__MAX_SIZE_MIB", max_mib.to_string());
    command.env("LUCID__STATUS__SOCKET", folder.with_extension("sock"));
    DevNode::spawn(command)
}

/// Sends transactions of 100 kB, each in a block of its own, until one is refused; gives the next nonce and the refusal.
fn fill(node: &DevNode, from: u64, most: u64) -> (u64, Option<String>) {
    let client = node.client();
    block_on(async {
        for nonce in from..from + most {
            let raw = carrying(&DEV_ACCOUNTS[0], nonce, 100_000);
            let hash = match client.send_raw_transaction(&raw).await {
                Ok(hash) => hash,
                Err(error) => return (nonce, Some(error.to_string())),
            };
            eventually("a receipt", || async { client.transaction_receipt(hash).await.unwrap() }).await;
        }
        (from + most, None)
    })
}

#[test]
fn a_store_that_has_taken_what_it_may_takes_nothing_more_in_until_it_may_take_more() {
    const MAX_MIB: u64 = 32;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let datadir = folder.path().join("node");
    let at = datadir.to_str().unwrap();
    let made = run(&["init", "--solo", "--preset", "dev", "--datadir", at]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    fs::write(datadir.join("lucid.toml"), format!("[storage]\nmax-size-mib = {MAX_MIB}\n")).unwrap();
    let taken = || fs::metadata(datadir.join("lucid.redb")).unwrap().blocks() * 512;
    let status = || -> Output { run(&["status", "--socket", datadir.with_extension("sock").to_str().unwrap()]) };

    let node = run_bounded(&datadir, MAX_MIB);
    let (sent, refused) = fill(&node, 0, 1_000);
    let refused = refused.unwrap();
    assert!(sent > 100, "{sent}: {refused}");
    for part in ["of the 32 MiB that storage.max-size-mib allows", "db compact"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(taken() <= MAX_MIB << 20, "{}", taken());
    let session = folder.path().join("session");
    fs::create_dir(&session).unwrap();
    fs::write(session.join("chunk_0000.bin"), "encrypted").unwrap();
    let anchored = || run(&["session", "anchor", "--rpc", node.url(), session.to_str().unwrap()]);
    let not_taken = text(&anchored().stderr);
    assert!(not_taken.contains("storage.max-size-mib"), "{not_taken}");
    let said = status();
    assert_eq!(said.status.code(), Some(1));
    let screen = text(&said.stdout);
    assert!(screen.contains("MAKES NO BLOCKS: the store's file takes") && screen.contains("NEARLY FULL"), "{screen}");
    assert_eq!(node.request("eth_getTransactionCount", (DEV_ACCOUNTS[0].address(), "latest")), format!("{sent:#x}"));
    assert!(node.terminate().success());
    let doctor = run(&["doctor", "--json", "--datadir", at]);
    let findings: Vec<Value> = serde_json::from_slice(&doctor.stdout).unwrap();
    assert!(findings.iter().any(|finding| finding["problem"] == "store-nearly-full"), "{findings:#?}");

    // It never takes more than it may, however often it is started.
    let mut sent = sent;
    for _ in 0..2 {
        let node = run_bounded(&datadir, MAX_MIB);
        sent = fill(&node, sent, 1_000).0;
        node.kill();
        assert!(taken() <= MAX_MIB << 20, "{}", taken());
    }
    let verified = run(&["db", "verify", "--datadir", at]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));

    let node = run_bounded(&datadir, 2 * MAX_MIB);
    let count = node.request("eth_getTransactionCount", (DEV_ACCOUNTS[0].address(), "latest"));
    let count = u64::from_str_radix(count.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    assert!(count >= sent, "{count} of {sent}: what was in a block is there");
    let (next, refused) = fill(&node, count, 20);
    assert_eq!((next, refused), (count + 20, None));
    let done = run(&["session", "anchor", "--rpc", node.url(), session.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(status().status.success());
    assert!(node.terminate().success());
    let verified = run(&["db", "verify", "--datadir", at]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
}
