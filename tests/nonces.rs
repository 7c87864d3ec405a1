//! What becomes of an anchoring when other transactions of its account use its nonces.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, eventually, run, text, transfer_at};
use alloy_primitives::Address;
use lucid_node::keys::{ACCOUNT_KEY_FILE, DEV_ACCOUNTS, SecretKey, create_key_file, read_key_file};
use lucid_storage::AnchoringStatus;
use lucid_types::SessionId;
use serde_json::Value;
use std::{fs, path::Path};

/// Pays more than any anchoring does, so that it takes the place of what waits.
const TIP_WEI: u128 = 100_000_000_000;

/// A node whose blocks come slowly enough that what waits can be replaced.
fn slow_node(folder: &Path) -> DevNode {
    DevNode::start_in_with(&folder.join("chain"), &["--block-time", "3"])
}

/// Has a session anchored without waiting for it.
fn anchor(node: &DevNode, folder: &Path, more: &[&str]) -> SessionId {
    let recording = folder.join("recording");
    fs::create_dir_all(&recording).unwrap();
    fs::write(recording.join("chunk-0"), b"ciphertext").unwrap();
    let mut args = vec!["session", "anchor", "--rpc", node.url(), "--no-wait", "--json"];
    args.extend(more);
    args.push(recording.to_str().unwrap());
    let answer = run(&args);
    assert!(answer.status.success(), "{}", text(&answer.stderr));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    answer["session_id"].as_str().unwrap().parse().unwrap()
}

/// Uses nonces of an account for something else, and gives how the session ends.
fn end_after(node: &DevNode, key: &SecretKey, nonces: u64, session: SessionId) -> AnchoringStatus {
    block_on(async {
        let client = node.client();
        for nonce in 0..nonces {
            client.send_raw_transaction(&transfer_at(TIP_WEI, key, nonce, Address::ZERO)).await.unwrap();
        }
        eventually("the session's end", || async {
            let status = client.session(session, Some(key.address())).await.unwrap().unwrap().status;
            (!matches!(status, AnchoringStatus::Pending | AnchoringStatus::Processing)).then_some(status)
        })
        .await
    })
}

#[test]
fn an_anchoring_that_lost_its_nonces_does_not_wait_for_a_week() {
    let folder = tempfile::tempdir().unwrap();
    let (key, key_file) = (DEV_ACCOUNTS[2].secret_key(), folder.path().join("own.key"));
    create_key_file(&key_file, &key).unwrap();
    let node = slow_node(folder.path());
    let own_key = ["--key", key_file.to_str().unwrap()];
    let session = anchor(&node, folder.path(), &own_key);
    assert_eq!(end_after(&node, &key, 2, session), AnchoringStatus::Failed);
    let id = session.to_string();
    let status = text(&run(&["session", "status", "--rpc", node.url(), &id]).stdout);
    assert!(status.contains("was used by another transaction") && status.contains("anchor --key"), "{status}");
    let retry = run(&["session", "retry", "--rpc", node.url(), &id]);
    assert!(text(&retry.stderr).contains("not the node's account"), "{}", text(&retry.stderr));
    // Its account can go on: the session is not taken for one that is under way.
    let session = anchor(&node, folder.path(), &own_key);
    assert_eq!(end_after(&node, &key, 0, session), AnchoringStatus::Confirmed);
}

#[test]
fn chunks_that_came_before_a_registration_that_lost_its_nonce_come_again_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = slow_node(folder.path());
    let key = read_key_file(&folder.path().join("chain/keys").join(ACCOUNT_KEY_FILE)).unwrap();
    let session = anchor(&node, folder.path(), &[]);
    // The second transaction keeps its nonce, and its contract refuses chunks of a session that it does not know.
    assert_eq!(end_after(&node, &key, 1, session), AnchoringStatus::Confirmed);
}
