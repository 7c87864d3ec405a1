//! Chunks of sessions into the store: a thousand rows to a commit.

use alloy_primitives::{Address, B256};
use criterion::{Criterion, Throughput};
use lucid_storage::{ChunkKey, ChunkRecord, ChunkStatus, Chunks, Meta, Options, Store};
use lucid_types::{SessionId, blake3};
use std::time::{Duration, Instant};

const CHUNKS: u32 = 1_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let meta = Meta::new(b"{}".to_vec(), B256::ZERO);
    let store = Store::create(folder.path().join("node.redb"), &meta, &Options::default()).unwrap();
    let mut sessions = 0..;
    let mut group = criterion.benchmark_group("storage::insert");
    group.sample_size(20).throughput(Throughput::Elements(u64::from(CHUNKS)));
    group.bench_function("collection=chunks n=1000", |bencher| {
        bencher.iter_custom(|times| sessions.by_ref().take(times as usize).map(|n| insert(&store, n)).sum());
    });
    group.finish();
}

/// Puts a session's chunks and commits them.
fn insert(store: &Store, session: u64) -> Duration {
    let rows: Vec<_> = (0..CHUNKS).map(|idx| chunk(session, idx)).collect();
    let start = Instant::now();
    let mut batch = store.begin().unwrap();
    for (key, record) in &rows {
        batch.put::<Chunks>(key, record).unwrap();
    }
    store.commit(batch).unwrap();
    start.elapsed()
}

fn chunk(session: u64, idx: u32) -> (ChunkKey, ChunkRecord) {
    let scattered = |n: u64| blake3([&n.to_be_bytes()]);
    let session_id = SessionId::from_random(scattered(session)[..16].try_into().unwrap());
    let record = ChunkRecord {
        local_path: Some(format!("/srv/lucid/recordings/{session_id}/chunk-{idx:05}.enc")),
        ciphertext_sha256: scattered(session << 32 | u64::from(idx)),
        size_bytes: 9_000_000 + u64::from(idx),
        status: ChunkStatus::Pending,
    };
    (ChunkKey { session_id, idx, account: Address::repeat_byte(7) }, record)
}
