//! What goes to the store's file for a block, for a session, and for nothing: counted at the file, by the running program.
//! The table in docs/storage.md is what this prints.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, carrying, eventually, fast_chain, lucid_node, run, text, transfer};
use alloy_primitives::Address;
use lucid_node::keys::DEV_ACCOUNTS;
use lucid_rpc::{Client, DbStatsDocument, DbWritesDocument, StatusDocument};
use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Seconds from block to block: as long as it takes a slow machine to send a full one, so that all of it is in one.
const BLOCK_SECS: u64 = 12;

/// How large the file is made for the second half: above what a store with one sync for a commit has.
const LARGE_FILE_BYTES: u64 = 20 << 20;

/// Sessions for a mean.
const SESSIONS: u64 = 5;

async fn stats(client: &Client) -> DbStatsDocument {
    client.db_stats(false).await.unwrap()
}

fn show(what: &str, file_bytes: u64, writes: DbWritesDocument, number: u64) {
    let (bytes, syncs) = (writes.bytes_written / number, writes.syncs / number);
    println!("| {} MiB | {what} | {bytes} | {syncs} |", file_bytes.div_ceil(1 << 20));
}

fn difference(after: DbWritesDocument, before: DbWritesDocument) -> DbWritesDocument {
    DbWritesDocument {
        commits: after.commits - before.commits,
        bytes_written: after.bytes_written - before.bytes_written,
        syncs: after.syncs - before.syncs,
    }
}

/// Waits until a block has come: the next one is a whole interval away.
async fn next_block(client: &Client, nonce: &mut u64) {
    let head = stats(client).await.head.number;
    client.send_raw_transaction(&transfer(&DEV_ACCOUNTS[0], *nonce, Address::ZERO)).await.unwrap();
    *nonce += 1;
    eventually("a block", || async { (stats(client).await.head.number > head).then_some(()) }).await;
}

/// A block of so many transfers, and what it wrote.
async fn block_of(client: &Client, transfers: u64, nonce: &mut u64) {
    next_block(client, nonce).await;
    let before = stats(client).await;
    for at in 0..transfers {
        // To accounts of their own, as where people pay each other.
        let to = Address::left_padding_from(&(0xacc0_0000 + *nonce * 7919 + at).to_be_bytes());
        client.send_raw_transaction(&transfer(&DEV_ACCOUNTS[0], *nonce, to)).await.unwrap();
        *nonce += 1;
    }
    let after = eventually("a block", || async {
        let stats = stats(client).await;
        (stats.head.number > before.head.number).then_some(stats)
    })
    .await;
    assert_eq!(after.head.number, before.head.number + 1);
    let writes = after.writes_for.unwrap();
    let count: String =
        client.request("eth_getBlockTransactionCountByNumber", (format!("{:#x}", after.head.number),)).await.unwrap();
    assert_eq!(count, format!("{transfers:#x}"), "all of them in one block");
    show(&format!("a block of {transfers} transfers"), after.file_bytes, writes.last_block, 1);
}

fn session_folder(folder: &Path, number: u64, chunks: u64) -> PathBuf {
    let session = folder.join(format!("session-{chunks}-{number}"));
    fs::create_dir_all(&session).unwrap();
    for chunk in 0..chunks {
        fs::write(session.join(format!("chunk_{chunk:04}.bin")), format!("{number} {chunk} {chunks}")).unwrap();
    }
    session
}

/// Sessions one after the other, each from when it is handed in until all that is noted of it is on disk.
fn sessions_of(node: &DevNode, folder: &Path, chunks: u64) {
    let client = node.client();
    let before = block_on(stats(&client));
    for number in 0..SESSIONS {
        let session = session_folder(folder, before.head.number * SESSIONS + number, chunks);
        let done = run(&["session", "anchor", "--rpc", node.url(), session.to_str().unwrap()]);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    let after = block_on(eventually("all sessions", || async {
        let after = stats(&client).await;
        let anchored = |stats: &DbStatsDocument| stats.writes_for.unwrap().sessions_anchored;
        (anchored(&after) == anchored(&before) + SESSIONS).then_some(after)
    }));
    let total = |stats: &DbStatsDocument| stats.since_start.unwrap();
    let writes = difference(total(&after), total(&before));
    let blocks = after.writes_for.unwrap().blocks.commits - before.writes_for.unwrap().blocks.commits;
    assert_eq!(blocks, SESSIONS, "each session has a block of its own");
    show(&format!("a session of {chunks} chunks, its block included"), after.file_bytes, writes, SESSIONS);
}

#[test]
#[ignore = "a measurement of some minutes; docs/storage.md has what it gives"]
fn what_blocks_and_sessions_write() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let interval = BLOCK_SECS.to_string();
    let node = DevNode::start_in_with(&folder.path().join("node"), &["--block-time", &interval]);
    let client = node.client();
    let mut nonce = 0;
    println!("| file | what | bytes written | syncs |\n|---|---|---|---|");
    for round in 0..2 {
        if round == 1 {
            block_on(async {
                while stats(&client).await.file_bytes < LARGE_FILE_BYTES {
                    for _ in 0..5 {
                        let raw = carrying(&DEV_ACCOUNTS[0], nonce, 100_000);
                        client.send_raw_transaction(&raw).await.unwrap();
                        nonce += 1;
                    }
                    next_block(&client, &mut nonce).await;
                }
            });
        }
        for transfers in [1, 10, 100, 1_000] {
            block_on(block_of(&client, transfers, &mut nonce));
        }
        for chunks in [20, 200] {
            sessions_of(&node, folder.path(), chunks);
        }
    }
    let writes = block_on(stats(&client)).writes_for.unwrap().last_block;
    assert_eq!(writes.syncs, 2, "a large store makes sure of the note of pages");
}

/// Everything that the process has had written to disks, as the kernel counts it; `None` where it does not.
fn written_by(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")).and_then(|bytes| bytes.trim().parse().ok())
}

/// An idle node writes nothing: a few seconds of it with all tests, and `LUCID_IDLE_SECS` for longer.
#[test]
fn an_idle_node_writes_nothing() {
    let secs = env::var("LUCID_IDLE_SECS").map_or(5, |secs| secs.parse().unwrap());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let datadir = folder.path().join("node");
    fast_chain(&datadir);
    let socket = datadir.with_extension("sock");
    let mut command = lucid_node();
    command.args(["run", "--no-init", "--accept-clock", "--http-port", "0", "--datadir"]).arg(&datadir);
    command.env("LUCID__STATUS__SOCKET", &socket);
    let node = DevNode::spawn(command);
    let look = || -> StatusDocument {
        let said = run(&["status", "--json", "--socket", socket.to_str().unwrap()]);
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", text(&said.stderr)))
    };
    let (before, of_process) = (look().store, written_by(node.pid()));
    thread::sleep(Duration::from_secs(secs));
    let after = look().store;
    assert_eq!((after.bytes_written, after.syncs, after.commits), (before.bytes_written, before.syncs, before.commits));
    assert_eq!(written_by(node.pid()), of_process, "what else the process writes");
    println!("idle for {secs} s: 0 bytes, 0 syncs");
    assert!(node.terminate().success());
}
