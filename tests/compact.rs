//! A running node writes its store anew: blocks go on, nothing that was answered is lost, also when it is killed.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::{
    care::chain_with_holes,
    support::{DevNode, block_on, run, send, text, transfer},
};
use alloy_primitives::{Address, B256};
use lucid_node::keys::DEV_ACCOUNTS;
use lucid_rpc::Client;
use lucid_storage::{Options, Reader, Store, TransactionsByHash};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn verify(place: &[&str]) {
    let output = run(&[&["db", "verify"], place].concat());
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Sends one transfer after the other until it is told to stop or the node is gone, and notes each that has a receipt.
async fn keep_sending(client: &Client, stop: &AtomicBool, mined: &Mutex<Vec<(B256, u64)>>) -> Option<()> {
    let account = &DEV_ACCOUNTS[1];
    let mut nonce = client.pending_nonce(account.address()).await.ok()?;
    while !stop.load(Relaxed) {
        let hash = client.send_raw_transaction(&transfer(account, nonce, Address::repeat_byte(9))).await.ok()?;
        nonce += 1;
        loop {
            if let Some(receipt) = client.transaction_receipt(hash).await.ok()? {
                mined.lock().unwrap().push((hash, receipt.block_number?));
                break;
            }
        }
    }
    Some(())
}

/// Every transfer that was answered as mined is there, in its block.
fn check_mined(file: &Path, mined: &[(B256, u64)]) {
    let (_, snapshot) = Store::inspect(file, &Options::default(), true).unwrap();
    for (hash, height) in mined {
        let found = snapshot.first_by_index::<TransactionsByHash>(hash).unwrap();
        assert_eq!(found.map(|(key, _)| key.block), Some(*height), "{hash} was answered as mined");
    }
}

#[test]
fn a_running_node_compacts_its_store_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, file) = chain_with_holes(folder.path());
    let was = fs::metadata(&file).unwrap().len();
    let node = DevNode::start_in(&datadir);
    let (stop, mined) = (AtomicBool::new(false), Mutex::default());
    let compacted = thread::scope(|scope| {
        scope.spawn(|| block_on(keep_sending(&node.client(), &stop, &mined)).unwrap());
        let output = run(&["db", "compact", "--rpc", node.url(), "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let so_far = mined.lock().unwrap().len();
        while mined.lock().unwrap().len() < so_far + 3 {
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Relaxed);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    assert!(compacted["bytes_after"].as_u64().unwrap() * 3 < was, "{compacted}");
    assert!(fs::metadata(&file).unwrap().len() < was / 2);
    assert_eq!(compacted["path"], path(&file));
    assert!(!datadir.join("lucid.redb.new").exists());
    verify(&["--rpc", node.url()]);
    // A session too, and once more, with a backup in between.
    let recording = folder.path().join("recording");
    fs::create_dir(&recording).unwrap();
    fs::write(recording.join("chunk-0"), "ciphertext").unwrap();
    for command in [
        &["session", "anchor", path(&recording)][..],
        &["db", "backup"],
        &["db", "compact"],
        &["db", "reindex"],
        &["db", "stats"],
    ] {
        let output = run(&[command, &["--rpc", node.url()]].concat());
        assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    }
    block_on(async { send(&node.client(), &transfer(&DEV_ACCOUNTS[0], 3, Address::ZERO)).await });
    assert!(node.interrupt().success());
    verify(&["--datadir", path(&datadir)]);
    check_mined(&file, &mined.into_inner().unwrap());
    assert!(DevNode::start_in(&datadir).interrupt().success());
}

#[test]
fn a_node_that_is_killed_while_it_compacts_loses_nothing() {
    let rounds = std::env::var("LUCID_KILL_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (datadir, file) = chain_with_holes(folder.path());
    let with_holes = fs::metadata(&file).unwrap().len();
    let (mined, unfinished) = (Mutex::default(), datadir.join("lucid.redb.new"));
    let (mut under_way, mut done, mut whole) = (0, 0, Duration::from_millis(1_500));
    for round in 0..rounds {
        let node = DevNode::start_in(&datadir);
        assert!(!unfinished.exists(), "round {round}: what was left is cleared away");
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let client = node.client();
            scope.spawn(|| block_on(keep_sending(&node.client(), &stop, &mined)));
            block_on(client.db_compact()).unwrap();
            let begun = std::time::Instant::now();
            if round == 0 {
                // How long it takes here, to spread the moments over it and a little beyond.
                while !block_on(client.db_job()).unwrap().unwrap().has_ended() {
                    thread::sleep(Duration::from_millis(5));
                }
                whole = begun.elapsed();
            } else {
                thread::sleep(whole * (round * 7 % rounds) / rounds * 11 / 10);
            }
            // Killed in the midst of what it answers: its sender hears of no more than was on disk.
            let kill = format!("kill -KILL {}", node.pid());
            assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
            stop.store(true, Relaxed);
        });
        node.kill();
        under_way += u32::from(unfinished.exists());
        done += u32::from(fs::metadata(&file).unwrap().len() < with_holes / 2);
        verify(&["--datadir", path(&datadir)]);
        check_mined(&file, &mined.lock().unwrap());
    }
    let mined = mined.into_inner().unwrap();
    println!("{rounds} kills, {under_way} with a file that was not finished, {} transfers mined", mined.len());
    assert!(under_way > 0 && done > 0 && mined.len() > rounds as usize / 2);
    assert!(DevNode::start_in(&datadir).interrupt().success());
}
