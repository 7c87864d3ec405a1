//! What follows from the rows is lost or spoiled, `db verify` finds it, and `db reindex` makes it anew: on a folder, through
//! a running node, and when it is killed.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, lucid_node, run, send, text, transfer};
use alloy_primitives::Address;
use lucid_node::keys::DEV_ACCOUNTS;
use lucid_storage::{Direction, Options, PeerRecord, Peers, Reader, Store, TableId};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Rows of `peers` with two entries each: the work of a second or so for a test build.
const PEERS: u64 = 6_000;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn reindex(place: &[&str]) -> Value {
    let output = run(&[&["db", "reindex", "--json"], place].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn verify(place: &[&str]) -> (Option<i32>, String) {
    let output = run(&[&["db", "verify"], place].concat());
    (output.status.code(), text(&output.stdout))
}

/// Tables whose entries follow from rows here, with how many of each were taken away or made up.
type Spoiled = BTreeMap<TableId, u64>;

/// A folder with a dev chain on which a session was anchored, and with many peers.
fn chain(folder: &Path) -> (PathBuf, PathBuf) {
    let (datadir, recording) = (folder.join("chain"), folder.join("recording"));
    fs::create_dir(&recording).unwrap();
    for index in 0..5 {
        fs::write(recording.join(format!("chunk-{index}")), format!("ciphertext {index}")).unwrap();
    }
    let node = DevNode::start_in(&datadir);
    let anchored = run(&["session", "anchor", "--rpc", node.url(), path(&recording)]);
    assert!(anchored.status.success(), "{}", text(&anchored.stderr));
    assert!(node.interrupt().success());
    let file = datadir.join("lucid.redb");
    let store = Store::open(&file, &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    for n in 0..PEERS {
        let record = PeerRecord {
            addresses: vec![n.to_string()],
            last_seen: n * 7 % 1_000,
            score: 1,
            banned_until: None,
            ban_reason: None,
        };
        batch.put::<Peers>(&format!("peer {n}"), &record).unwrap();
    }
    store.commit(batch).unwrap();
    (datadir, file)
}

/// Takes every second entry of some tables away, puts others there, and changes the numbers of a shard range.
fn spoil(file: &Path) -> Spoiled {
    let store = Store::open(file, &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    let mut spoiled = Spoiled::new();
    let tables = [
        TableId::TransactionsByHash,
        TableId::ChunksByCiphertextSha256,
        TableId::PeersByLastSeen,
        TableId::PeersBySequence,
        TableId::AccountsBySequence,
    ];
    for table in tables {
        let entries: Vec<_> = batch.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap).collect();
        for (key, _) in entries.into_iter().step_by(2) {
            *spoiled.entry(table).or_default() += 1;
            batch.raw_remove(table, key);
        }
    }
    for n in 0..100u8 {
        batch.raw_put(TableId::PeersByLastSeen, [1, 0, 0, 0, 0, 0, 0, n, b'x', 0, 1], []);
    }
    let (range, _) = batch.raw_prefix(TableId::ShardRanges, &[], Direction::Forward).unwrap().next().unwrap().unwrap();
    batch.raw_put(TableId::ShardRanges, range, [7; 16]);
    store.commit(batch).unwrap();
    spoiled
}

/// Everything but the journal, which may lead to its rows in other parts, and what the store says of itself.
fn contents(file: &Path) -> BTreeMap<(TableId, Vec<u8>), Vec<u8>> {
    let (_, snapshot) = Store::inspect(file, &Options::default(), true).unwrap();
    let tables = TableId::ALL.into_iter().filter(|table| ![TableId::Meta, TableId::AccountsBySequence].contains(table));
    let rows = |table| snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap);
    tables.flat_map(|table| rows(table).map(move |(key, value)| ((table, key), value))).collect()
}

fn check_report(report: &Value, spoiled: &Spoiled) {
    let of = |table: TableId| {
        let tables = report["tables"].as_array().unwrap();
        let found = tables.iter().find(|found| found["name"] == table.name()).unwrap_or_else(|| panic!("{report}"));
        ["missing", "wrong", "superfluous"].map(|kind| found[kind].as_u64().unwrap())
    };
    for (table, count) in spoiled.iter().filter(|(table, _)| **table != TableId::AccountsBySequence) {
        let superfluous = if *table == TableId::PeersByLastSeen { 100 } else { 0 };
        assert_eq!(of(*table), [*count, 0, superfluous], "{}: {report}", table.name());
    }
    assert!(of(TableId::AccountsBySequence)[0] > 0, "{report}");
    assert_eq!(of(TableId::ShardRanges), [0, 1, 0]);
    assert_eq!(report["finding_count"], 0);
}

#[test]
fn a_spoiled_folder_is_mended_and_one_that_is_whole_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, file) = chain(folder.path());
    let place = ["--datadir", path(&datadir)];
    let before = contents(&file);
    assert_eq!(reindex(&place)["tables"], serde_json::json!([]));
    let sequence = || Store::inspect(&file, &Options::default(), true).unwrap().1.sequence().unwrap();
    let was = sequence();
    let said = run(&[&["db", "reindex"], &place[..]].concat());
    assert!(text(&said.stdout).contains("nothing was written"), "{}", text(&said.stdout));
    assert_eq!(sequence(), was);

    let spoiled = spoil(&file);
    let (code, found) = verify(&place);
    assert!(code == Some(1) && found.contains("peers.by_last_seen") && found.contains("a range of chunks"), "{found}");
    check_report(&reindex(&place), &spoiled);
    assert!(contents(&file) == before);
    assert_eq!(verify(&place).0, Some(0));

    // Damage in a row is told, with code 1, and the row stays.
    let store = Store::open(&file, &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    let (key, mut row) = batch.raw_prefix(TableId::Peers, &[], Direction::Forward).unwrap().next().unwrap().unwrap();
    row[0] = 99;
    batch.raw_put(TableId::Peers, key, row);
    store.commit(batch).unwrap();
    drop(store);
    let said = run(&[&["db", "reindex"], &place[..]].concat());
    assert_eq!(said.status.code(), Some(1), "{}", text(&said.stderr));
    assert!(text(&said.stdout).contains("version 99") && text(&said.stderr).contains("db restore"));
    let none = folder.path().join("none");
    let refused = run(&["db", "reindex", "--datadir", path(&none)]);
    assert_eq!(refused.status.code(), Some(66), "{}", text(&refused.stderr));
}

#[test]
fn a_running_node_mends_its_store_while_it_makes_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, file) = chain(folder.path());
    let spoiled = spoil(&file);
    let node = DevNode::start_in(&datadir);
    let stop = AtomicBool::new(false);
    let report = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            block_on(async {
                let client = node.client();
                let mut nonce = 0;
                while !stop.load(Relaxed) {
                    send(&client, &transfer(&DEV_ACCOUNTS[1], nonce, Address::with_last_byte(7))).await;
                    nonce += 1;
                }
                nonce
            })
        });
        let report = reindex(&["--rpc", node.url()]);
        stop.store(true, Relaxed);
        assert!(sender.join().unwrap() > 0);
        report
    });
    check_report(&report, &spoiled);
    assert_eq!(verify(&["--rpc", node.url()]).0, Some(0));
    let again = reindex(&["--rpc", node.url()]);
    assert_eq!(again["tables"], serde_json::json!([]), "{again}");
    assert!(node.interrupt().success());
    assert_eq!(verify(&["--datadir", path(&datadir)]).0, Some(0));
}

/// The command, or the node that does it, is killed at any moment: the next run finishes it.
#[test]
fn a_killed_reindex_is_finished_by_the_next() {
    let rounds = std::env::var("LUCID_KILL_ROUNDS").map_or(10, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (datadir, file) = chain(folder.path());
    let before = contents(&file);
    spoil(&file);
    let spoiled = folder.path().join("spoiled");
    fs::copy(&file, &spoiled).unwrap();
    let command = || {
        let mut command = lucid_node();
        command.args(["db", "reindex", "--datadir", path(&datadir)]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let begun = Instant::now();
    assert!(command().wait().unwrap().success());
    let whole = begun.elapsed();
    let mut half = 0;
    for round in 0..rounds {
        fs::copy(&spoiled, &file).unwrap();
        let moment = whole * (round * 7 % rounds + 1) / rounds;
        if round % 2 == 0 {
            let mut child = command();
            thread::sleep(moment);
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            let node = DevNode::start_in(&datadir);
            block_on(node.client().db_reindex()).unwrap();
            thread::sleep(moment.min(Duration::from_millis(700)));
            node.kill();
        }
        // What a kill left opens by itself, and it may have been done.
        let left = contents(&file);
        half += u32::from(left != before && left != contents(&spoiled));
        reindex(&["--datadir", path(&datadir)]);
        assert!(contents(&file) == before, "round {round}");
        assert_eq!(verify(&["--datadir", path(&datadir)]).0, Some(0), "round {round}");
    }
    println!("{rounds} kills, {half} with a part of the work done");
    assert!(half > 0, "it was over before it was killed, or had not begun");
}
