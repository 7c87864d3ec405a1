//! What the store does in a second. Run with
//! `cargo test --release -p lucid-storage --test throughput -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use alloy_primitives::{Address, B256};
use lucid_storage::{
    AccountRecord, Accounts, ChunkKey, ChunkRecord, ChunkStatus, Chunks, ChunksByCiphertextSha256, Direction, Meta,
    Options, Reader, Stats, Store,
};
use lucid_types::SessionId;
use std::time::{Duration, Instant};

const CHUNKS_PER_SESSION: u32 = 1000;

fn new_store(folder: &tempfile::TempDir) -> Store {
    let meta = Meta::new(b"{}".to_vec(), B256::ZERO);
    Store::create(folder.path().join("node.redb"), &meta, &Options::default()).unwrap()
}

/// Bytes that look random and are the same on every run.
fn scattered(n: u64) -> B256 {
    lucid_types::blake3([&n.to_be_bytes()])
}

fn chunk(session: u64, idx: u32) -> (ChunkKey, ChunkRecord) {
    let session_id = SessionId::from_random(scattered(session)[..16].try_into().unwrap());
    let record = ChunkRecord {
        local_path: Some(format!("/srv/lucid/recordings/{session_id}/chunk-{idx:05}.enc")),
        ciphertext_sha256: scattered(session << 32 | u64::from(idx)),
        size_bytes: 9_000_000 + u64::from(idx),
        status: ChunkStatus::Pending,
    };
    (ChunkKey { session_id, idx, account: Address::repeat_byte(7) }, record)
}

/// Time that this thread was on a processor: what a busy machine or a slow disk does not change.
fn cpu_time() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedstat.split(' ').next().unwrap().parse().unwrap())
}

fn report(what: &str, n: u64, time: Duration, before: Stats, after: Stats) {
    let per_second = n as f64 / time.as_secs_f64();
    let bytes = (after.bytes_written - before.bytes_written) / n;
    let syncs = after.syncs - before.syncs;
    println!("{what}: {n} in {time:.2?}, {per_second:.0}/s, {bytes} bytes written each, {syncs} syncs");
}

#[test]
#[ignore = "measures; says nothing in a debug build"]
fn chunks_by_the_thousand_and_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = new_store(&folder);
    let (sessions, singles) = (200, 2000);
    let (mut putting, mut committing) = (Duration::ZERO, Duration::ZERO);
    let (before, start) = (store.stats().unwrap(), Instant::now());
    for session in 0..sessions {
        let rows: Vec<_> = (0..CHUNKS_PER_SESSION).map(|idx| chunk(session, idx)).collect();
        let mut batch = store.begin().unwrap();
        let put = cpu_time();
        for (key, record) in &rows {
            batch.put::<Chunks>(key, record).unwrap();
        }
        putting += cpu_time() - put;
        let commit = cpu_time();
        store.commit(batch).unwrap();
        committing += cpu_time() - commit;
    }
    let n = sessions * u64::from(CHUNKS_PER_SESSION);
    report("put, 1000 per commit", n, start.elapsed(), before, store.stats().unwrap());
    println!("  CPU: {:.2?} per put and {:.2?} per commit", putting / n as u32, committing / sessions as u32);
    println!("  file: {} bytes", store.stats().unwrap().file_bytes);

    let (before, start) = (store.stats().unwrap(), Instant::now());
    for idx in 0..singles {
        let (key, record) = chunk(sessions + 1, idx);
        let mut batch = store.begin().unwrap();
        batch.put::<Chunks>(&key, &record).unwrap();
        store.commit(batch).unwrap();
    }
    report("put, 1 per commit", u64::from(singles), start.elapsed(), before, store.stats().unwrap());

    let snapshot = store.snapshot().unwrap();
    let idle = store.stats().unwrap();
    let start = Instant::now();
    for i in 0..n {
        let (key, record) = chunk(i * 7919 % sessions, (i * 104_729 % u64::from(CHUNKS_PER_SESSION)) as u32);
        assert_eq!(snapshot.get::<Chunks>(&key).unwrap().unwrap().size_bytes, record.size_bytes);
    }
    report("get", n, start.elapsed(), idle, idle);

    let start = Instant::now();
    for i in 0..n / 10 {
        let (key, record) = chunk(i * 7919 % sessions, (i % u64::from(CHUNKS_PER_SESSION)) as u32);
        let found = snapshot.first_by_index::<ChunksByCiphertextSha256>(&record.ciphertext_sha256).unwrap();
        assert_eq!(found.unwrap().0, key);
    }
    report("index lookup", n / 10, start.elapsed(), idle, idle);

    let start = Instant::now();
    for i in 0..n / 100 {
        let session_id = chunk(i * 7919 % sessions, 0).0.session_id;
        let scan = snapshot.range_prefix::<Chunks>(&session_id, Direction::Forward).unwrap();
        assert_eq!(scan.take(100).map(Result::unwrap).count(), 100);
    }
    report("scan of 100 rows", n / 100, start.elapsed(), idle, idle);
}

#[test]
#[ignore = "measures; says nothing in a debug build"]
fn two_thousand_accounts_of_a_hundred_thousand_change_with_each_block() {
    let folder = tempfile::tempdir().unwrap();
    let store = new_store(&folder);
    let account = |nonce| AccountRecord {
        nonce,
        balance: "0xde0b6b3a7640000".parse().unwrap(),
        code_hash: "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470".parse().unwrap(),
        storage_root: "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421".parse().unwrap(),
    };
    let address = |n: u64| Address::from_slice(&scattered(n)[..20]);
    let mut batch = store.begin().unwrap();
    for n in 0..100_000 {
        batch.append::<Accounts>(&address(n), &account(0)).unwrap();
    }
    store.commit(batch).unwrap();
    let (before, start, blocks) = (store.stats().unwrap(), Instant::now(), 50);
    let (mut putting, mut committing) = (Duration::ZERO, Duration::ZERO);
    for block in 1..=blocks {
        let put = cpu_time();
        let mut batch = store.begin().unwrap();
        for n in 0..2000 {
            batch.put::<Accounts>(&address((n * 48_271 + block * 7919) % 100_000), &account(block)).unwrap();
        }
        putting += cpu_time() - put;
        let commit = cpu_time();
        store.commit(batch).unwrap();
        committing += cpu_time() - commit;
    }
    report("account changed, 2000 per commit", blocks * 2000, start.elapsed(), before, store.stats().unwrap());
    println!("  CPU: {:.2?} to put and {:.2?} to commit a block", putting / blocks as u32, committing / blocks as u32);
}
