//! What was answered as done is there after the process was killed without a warning.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, eventually, run, send, text, transfer};
use alloy_primitives::{Address, B256, U256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use lucid_node::{
    chain,
    keys::{DEV_ACCOUNTS, NodeKeys},
};
use lucid_rpc::Client;
use lucid_storage::{Accounts, AnchoringStatus, Direction, Options, Reader, Seals, Snapshot, Store, TableId};
use serde_json::Value;
use std::{fs, ops::Bound, path::Path};

const BLOCKS: u64 = 200;

/// Hash and roots of every block up to `height`, as the node answers them.
async fn roots(client: &Client, height: u64) -> Vec<[Value; 4]> {
    let mut roots = Vec::new();
    for number in 0..=height {
        let block: Value = client
            .request("eth_getBlockByNumber", (format!("{number:#x}"), false))
            .await
            .expect("the node has the block");
        roots.push(["hash", "stateRoot", "transactionsRoot", "receiptsRoot"].map(|field| block[field].clone()));
    }
    roots
}

/// The state root that follows from the stored accounts and slots alone, without the stored tries.
fn root_of_rows(snapshot: &Snapshot) -> B256 {
    let accounts = snapshot.range::<Accounts>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    let accounts = accounts.map(|row| {
        let (address, account) = row.unwrap();
        let slots = snapshot.raw_prefix(TableId::StorageSlots, address.as_slice(), Direction::Forward).unwrap();
        let slots = slots.map(|row| {
            let (key, value) = row.unwrap();
            (B256::from_slice(&key[20..]), U256::from_be_slice(&value))
        });
        let storage_root = storage_root_unhashed(slots);
        assert_eq!(storage_root, account.storage_root, "{address}");
        let (nonce, balance, code_hash) = (account.nonce, account.balance, account.code_hash);
        (address, TrieAccount { nonce, balance, storage_root, code_hash })
    });
    state_root_unhashed(accounts)
}

fn open(datadir: &Path) -> Store {
    Store::open(datadir.join("lucid.redb"), &Options::default()).expect("the store opens by itself")
}

#[test]
fn a_chain_of_200_blocks_reopened_after_sigkill_has_the_same_roots() {
    let folder = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(folder.path());
    let before = block_on(async {
        let client = node.client();
        for nonce in 0..BLOCKS {
            let (_, height) =
                send(&client, &transfer(&DEV_ACCOUNTS[0], nonce, Address::with_last_byte(nonce as u8))).await;
            assert_eq!(height, nonce + 1);
        }
        let before = roots(&client, BLOCKS).await;
        // Under way when the kill comes: these may be lost, the blocks before them may not.
        for nonce in BLOCKS..BLOCKS + 50 {
            client.send_raw_transaction(&transfer(&DEV_ACCOUNTS[0], nonce, Address::ZERO)).await.unwrap();
        }
        before
    });
    node.kill();

    let snapshot = open(folder.path()).snapshot().unwrap();
    let head = chain::read_head(&snapshot).unwrap();
    assert!(head.number >= BLOCKS);
    assert_eq!(root_of_rows(&snapshot), head.state_root);
    let seal = snapshot.get::<Seals>(&head.number).unwrap().expect("every block has its seal");
    assert_eq!(seal.certificate.block_hash, head.hash());
    drop(snapshot);

    let node = DevNode::start_in(folder.path());
    block_on(async {
        let client = node.client();
        assert_eq!(roots(&client, BLOCKS).await, before);
        let next = client.pending_nonce(DEV_ACCOUNTS[0].address()).await.unwrap();
        send(&client, &transfer(&DEV_ACCOUNTS[0], next, Address::ZERO)).await;
    });
}

#[test]
fn an_anchoring_that_was_answered_is_sent_again_after_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, recording) = (folder.path().join("chain"), folder.path().join("recording"));
    fs::create_dir(&recording).unwrap();
    fs::write(recording.join("chunk-0"), b"ciphertext").unwrap();
    // No block for an hour: the anchoring is accepted, and its transactions wait in a pool that a kill empties.
    let node = DevNode::start_in_with(&datadir, &["--block-time", "3600"]);
    let recording = recording.to_str().unwrap();
    let anchor = run(&["session", "anchor", "--rpc", node.url(), "--no-wait", "--json", recording]);
    assert!(anchor.status.success(), "{}", text(&anchor.stderr));
    let answer: Value = serde_json::from_slice(&anchor.stdout).unwrap();
    assert_eq!(answer["block_number"], Value::Null);
    node.kill();

    let node = DevNode::start_in(&datadir);
    let session_id = answer["session_id"].as_str().unwrap().parse().unwrap();
    block_on(async {
        let client = node.client();
        let session = eventually("the anchor", || async {
            let session = client.session(session_id, None).await.unwrap().expect("the session is known");
            (session.status == AnchoringStatus::Confirmed).then_some(session)
        })
        .await;
        assert_eq!(Value::from(session.anchor_txid.unwrap().to_string()), answer["transaction_hash"]);
    });
}

#[test]
fn what_cannot_be_used_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(folder.path());
    let port = node.url().rsplit(':').next().unwrap();
    let datadir = folder.path().to_str().unwrap();
    let file = folder.path().join("lucid.redb");
    let not_a_store = tempfile::tempdir().unwrap();
    fs::write(not_a_store.path().join("lucid.redb"), b"something else").unwrap();
    NodeKeys::load_or_create(&not_a_store.path().join("keys")).unwrap();
    let without_keys = tempfile::tempdir().unwrap();
    fs::write(without_keys.path().join("lucid.redb"), b"a chain").unwrap();
    for (args, code, sentence) in [
        (vec!["dev", "--port", "0", "--datadir", datadir], 69, "in use by another process"),
        (vec!["dev", "--port", port], 69, "in use by another program"),
        (vec!["dev", "--port", "0", "--host", "0.0.0.0"], 78, "loopback interface only"),
        (vec!["dev", "--port", "0", "--datadir", file.to_str().unwrap()], 65, "is not a folder"),
        (vec!["dev", "--port", "0", "--datadir", not_a_store.path().to_str().unwrap()], 65, "is not a store"),
        (vec!["dev", "--port", "0", "--datadir", without_keys.path().to_str().unwrap()], 66, "keys"),
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(text(&output.stderr).contains(sentence), "{args:?}: {}", text(&output.stderr));
    }
    assert!(!without_keys.path().join("keys").exists(), "keys are not made anew beside a chain");
}
