//! A writer is killed in the middle of its work, again and again. What it was told is committed must be there,
//! and each batch must be there whole or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use alloy_primitives::{Address, B256, U256};
use lucid_storage::{
    BlockRecord, BlockchainState, BlockchainStateRecord, Blocks, BlocksByHash, ChainParams, Current, Direction, Meta,
    Options, ParamRecord, Reader, Snapshot, Store, TableId,
};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    ops::Bound,
    path::Path,
    process::{Command, Stdio},
};

const STORE: &str = "LUCID_CRASH_TEST_STORE";
const ROUNDS: u64 = 6;

fn hash_of(height: u64) -> B256 {
    B256::left_padding_from(&height.to_be_bytes())
}

/// Not a test of its own: what the killed process does. It says each height once the block is on disk.
#[test]
#[ignore = "runs as the child process of a_killed_writer_leaves_whole_batches"]
fn writer() {
    let store = Store::open(env::var_os(STORE).expect("set by the parent"), &Options::default()).unwrap();
    let mut out = std::io::stdout();
    loop {
        let mut batch = store.begin().unwrap();
        let height = batch.sequence();
        let hash = hash_of(height);
        let block = BlockRecord {
            hash,
            timestamp: height,
            validator: Address::ZERO,
            size_bytes: 1,
            transaction_count: 0,
            header: vec![7; 600],
            withdrawals: vec![0xc0],
        };
        batch.append::<Blocks>(&height, &block).unwrap();
        for key in 0..50u64 {
            batch.raw_put(TableId::StorageSlots, key.to_be_bytes(), height.to_be_bytes());
        }
        batch.put::<ChainParams>(&"height".to_owned(), &ParamRecord { value: height.to_string() }).unwrap();
        let state = BlockchainStateRecord {
            height,
            hash,
            state_root: hash,
            timestamp: height,
            minted: U256::ZERO,
            withdrawal_count: 0,
            transaction_count: 0,
        };
        batch.put::<BlockchainState>(&Current, &state).unwrap();
        store.commit(batch).unwrap();
        writeln!(out, "committed {height}").unwrap();
        out.flush().unwrap();
    }
}

/// Runs a writer until it has committed `commits` more, kills it, and returns the last height that it said.
fn write_and_kill(path: &Path, commits: usize) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(STORE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The test harness may print before a line of ours and on it.
    let said = lines.map_while(Result::ok).filter_map(|line| line.rsplit_once("committed ")?.1.parse().ok());
    let mut said = said.fuse();
    let mut last = said.by_ref().take(commits).last().expect("the writer commits");
    child.kill().unwrap();
    last = said.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

fn check(snapshot: &Snapshot, said: u64) {
    let sequence = snapshot.sequence().unwrap();
    // The one it was at may be on disk without having been said.
    assert!(sequence == said || sequence == said + 1, "{said} commits were said and {sequence} are there");
    assert_eq!(snapshot.get::<BlockchainState>(&Current).unwrap().unwrap().height, sequence);
    let blocks = snapshot.range::<Blocks>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    let heights: Vec<_> = blocks.map(|row| row.unwrap().0).collect();
    assert_eq!(heights, (1..=sequence).collect::<Vec<_>>());
    for height in heights {
        assert_eq!(snapshot.first_by_index::<BlocksByHash>(&hash_of(height)).unwrap().unwrap().0, height);
    }
    for key in 0..50u64 {
        let slot = snapshot.raw_get(TableId::StorageSlots, &key.to_be_bytes()).unwrap().unwrap();
        assert_eq!(slot, sequence.to_be_bytes());
    }
    let param = snapshot.get_stored::<ChainParams>(&"height".to_owned()).unwrap().unwrap();
    assert_eq!((param.record.value, param.sequence), (sequence.to_string(), sequence));
    let changes = snapshot.raw_prefix(TableId::ChainParamsBySequence, &[], Direction::Forward).unwrap();
    assert_eq!(changes.count(), 1);
}

#[test]
fn a_killed_writer_leaves_whole_batches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    drop(Store::create(&path, &Meta::new(vec![], B256::ZERO), &Options::default()).unwrap());
    for round in 0..ROUNDS {
        let said = write_and_kill(&path, 1 + 7 * round as usize);
        let store = Store::open(&path, &Options::default()).unwrap();
        check(&store.snapshot().unwrap(), said);
    }
}
