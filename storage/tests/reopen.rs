//! How long a large store takes to open after its process was killed, with and without a note of the pages in use in each
//! commit, and what that note costs a commit. Results are in docs/storage.md. Run with
//! `cargo test --release -p lucid-storage --test reopen -- --ignored --nocapture --exact reopening_and_what_it_costs`.
//!
//! `LUCID_REOPEN_MIB` is the size of the file (2048), `LUCID_REOPEN_DIR` where it lies: on a disk, not in memory. A file
//! that lies there already is used again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use alloy_primitives::{Address, B256, U256};
use lucid_storage::{
    AccountRecord, Accounts, BlockRecord, BlockchainState, BlockchainStateRecord, Blocks, Compaction, Current, Meta,
    Options, ReceiptRecord, Receipts, Stats, Store, TableId, TransactionKey, TransactionRecord, Transactions,
};
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const STORE: &str = "LUCID_REOPEN_TEST_STORE";
const QUICK: &str = "LUCID_REOPEN_TEST_QUICK";
const RUNS: usize = 5;
const KILL_AFTER_COMMITS: usize = 20;
const ACCOUNTS: u64 = 200_000;

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

fn folder() -> PathBuf {
    let folder = env::var_os("LUCID_REOPEN_DIR").map_or(env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn options(quick: bool) -> Options {
    Options { quick_repair_from_bytes: if quick { 0 } else { u64::MAX }, ..Options::default() }
}

/// Bytes that look random and are the same on every run.
fn scattered(kind: u64, n: u64) -> B256 {
    lucid_types::blake3([&kind.to_be_bytes(), &n.to_be_bytes()])
}

fn address(n: u64) -> Address {
    Address::from_slice(&scattered(1, n)[..20])
}

/// What a block of `transactions` transfers and calls changes: its rows and indexes, twice as many accounts of many, and
/// the trie's nodes above them.
fn commit_block(store: &Store, transactions: u32) {
    let mut batch = store.begin().unwrap();
    let height = batch.sequence();
    let hash = scattered(2, height);
    let block = BlockRecord {
        hash,
        timestamp: height,
        validator: Address::ZERO,
        size_bytes: 1,
        transaction_count: transactions,
        header: vec![7; 600],
        withdrawals: vec![0xc0],
    };
    batch.append::<Blocks>(&height, &block).unwrap();
    for index in 0..transactions {
        let n = height << 16 | u64::from(index);
        let key = TransactionKey { block: height, index };
        let raw = scattered(3, n).repeat(5);
        let transaction = TransactionRecord { hash: scattered(4, n), sender: address(n % ACCOUNTS), nonce: n, raw };
        batch.append::<Transactions>(&key, &transaction).unwrap();
        let raw = vec![1; 300];
        let receipt = ReceiptRecord { raw, gas_used: 21_000, first_log_index: 0, contract_address: None };
        batch.append::<Receipts>(&key, &receipt).unwrap();
        for changed in [n * 48_271 % ACCOUNTS, n * 69_621 % ACCOUNTS] {
            let account = AccountRecord { nonce: height, balance: U256::from(n), code_hash: hash, storage_root: hash };
            batch.put::<Accounts>(&address(changed), &account).unwrap();
            let node = scattered(5, changed % (ACCOUNTS / 4));
            batch.raw_put(TableId::AccountTrie, node.to_vec(), scattered(6, n).repeat(16));
        }
    }
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
}

/// A store of at least so many MiB, as blocks make it.
fn large_store(path: &Path, mib: u64) {
    let store = match path.exists() {
        true => Store::open(path, &options(false)).unwrap(),
        false => Store::create(path, &Meta::new(vec![], B256::ZERO), &options(false)).unwrap(),
    };
    // The length doubles when more is needed; what was written to it takes room on the disk.
    let on_disk = || fs::metadata(path).unwrap().blocks() * 512;
    while on_disk() < mib << 20 {
        commit_block(&store, 2_000);
    }
    drop(store);
    println!("a file of {} MiB on the disk", on_disk() >> 20);
}

/// Not a test of its own: what the killed process does.
#[test]
#[ignore = "runs as the child process of reopening_and_what_it_costs"]
fn writer() {
    let quick = env::var(QUICK).expect("set by the parent") == "1";
    let store = Store::open(env::var_os(STORE).expect("set by the parent"), &options(quick)).unwrap();
    let mut out = std::io::stdout();
    loop {
        commit_block(&store, 50);
        writeln!(out, "committed").unwrap();
        out.flush().unwrap();
    }
}

fn write_and_kill(path: &Path, quick: bool) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(STORE, path)
        .env(QUICK, if quick { "1" } else { "0" })
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.filter(|line| line.contains("committed")).take(KILL_AFTER_COMMITS).count(), KILL_AFTER_COMMITS);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// As after a power cut: what the kernel has of the file in memory is let go of.
fn forget(path: &Path) {
    let of = |what: &str| format!("{what}={}", path.display());
    let synced = Command::new("sync").arg(path).status().unwrap();
    let dropped = Command::new("dd").args([&of("if"), "iflag=nocache", "count=0", "status=none"]).status().unwrap();
    assert!(synced.success() && dropped.success());
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Time that this thread was on a processor: what a busy machine or a slow disk does not change.
fn cpu_time() -> Duration {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedstat.split(' ').next().unwrap().parse().unwrap())
}

#[derive(Default)]
struct Costs {
    time: Vec<Duration>,
    cpu: Vec<Duration>,
    bytes: Vec<u64>,
    syncs: Vec<u64>,
}

impl Costs {
    fn add(&mut self, store: &Store, transactions: u32) {
        let (before, cpu, start): (Stats, _, _) = (store.stats().unwrap(), cpu_time(), Instant::now());
        commit_block(store, transactions);
        self.time.push(start.elapsed());
        self.cpu.push(cpu_time() - cpu);
        let after = store.stats().unwrap();
        self.bytes.push(after.bytes_written - before.bytes_written);
        self.syncs.push(after.syncs - before.syncs);
    }

    fn print(self, what: &str) {
        let (time, cpu, bytes, syncs) = (median(self.time), median(self.cpu), median(self.bytes), median(self.syncs));
        println!("  {what:7} {bytes:>9} bytes, {syncs} syncs, {cpu:>9.2?} CPU, {time:>9.2?}");
    }
}

#[test]
#[ignore = "measures on a disk; says nothing in a debug build"]
fn reopening_and_what_it_costs() {
    let path = folder().join("reopen.redb");
    large_store(&path, number("LUCID_REOPEN_MIB", 2048));
    for cold in [true, false] {
        let mut times = [vec![], vec![]];
        for _ in 0..RUNS {
            for quick in [false, true] {
                write_and_kill(&path, quick);
                if cold {
                    forget(&path);
                }
                let start = Instant::now();
                let store = Store::open(&path, &Options::default()).unwrap();
                times[usize::from(quick)].push(start.elapsed());
                drop(store);
            }
        }
        let [walked, quick] = times.map(median);
        let kernel = if cold { "nothing of it in memory" } else { "as a kill leaves it" };
        println!("opened after a kill, {kernel}: {walked:.2?} by a walk, {quick:.2?} with the note");
    }
    for transactions in [1, 50, 1_000] {
        println!("a block of {transactions} transactions, per commit:");
        let mut costs = [Costs::default(), Costs::default()];
        for _ in 0..RUNS {
            for quick in [false, true] {
                let store = Store::open(&path, &options(quick)).unwrap();
                for n in 0..8 {
                    // The first ones read into memory what the others find there.
                    if n < 2 {
                        commit_block(&store, transactions);
                    } else {
                        costs[usize::from(quick)].add(&store, transactions);
                    }
                }
            }
        }
        let [plain, noted] = costs;
        plain.print("without");
        noted.print("with");
    }
}

/// Bytes that this process handed to the kernel.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

/// Takes the transactions of every other block out, which leaves holes everywhere.
fn prune(path: &Path) {
    let store = Store::open(path, &Options::default()).unwrap();
    let last = store.snapshot().unwrap().sequence().unwrap();
    for height in (1..=last).step_by(2) {
        let mut batch = store.begin().unwrap();
        for index in 0.. {
            let key = TransactionKey { block: height, index };
            if !batch.remove::<Transactions>(&key).unwrap() {
                break;
            }
            batch.remove::<Receipts>(&key).unwrap();
        }
        store.commit(batch).unwrap();
    }
}

#[test]
#[ignore = "measures on a disk; says nothing in a debug build"]
fn compacting_beside_and_in_place() {
    let from = folder().join("reopen.redb");
    large_store(&from, number("LUCID_REOPEN_MIB", 2048));
    let pruned = folder().join("pruned.redb");
    fs::copy(&from, &pruned).unwrap();
    prune(&pruned);
    let path = folder().join("compact.redb");
    let on_disk = |path: &Path| (fs::metadata(path).unwrap().blocks() * 512) >> 20;
    for (what, from) in [("as blocks made it", &from), ("every other block pruned", &pruned)] {
        for in_place in [false, true, false, true, false, true] {
            fs::copy(from, &path).unwrap();
            forget(&path);
            let (before, bytes, cpu, start) = (on_disk(&path), written(), cpu_time(), Instant::now());
            if in_place {
                let mut builder = redb::Database::builder();
                builder.set_cache_size(Options::default().cache_bytes).set_check_integrity_on_open(true);
                let mut database = builder.open(&path).unwrap();
                database.compact().unwrap();
            } else {
                Compaction::begin(&path, &Options::default()).unwrap().run(&mut |_| Ok(())).unwrap();
            }
            let (time, cpu, bytes) = (start.elapsed(), cpu_time() - cpu, (written() - bytes) >> 20);
            let how = if in_place { "in place" } else { "beside" };
            let after = on_disk(&path);
            println!("{what}, {how}: {before} to {after} MiB, {bytes} MiB written, {time:.1?}, {cpu:.1?} CPU");
            Store::inspect(&path, &Options::default(), true).unwrap();
        }
    }
    for path in [pruned, path] {
        fs::remove_file(path).unwrap();
    }
}
