//! The tree over a recording: 200 chunks of 1 MiB.

use alloy_primitives::B256;
use criterion::{Criterion, Throughput};
use lucid_node::anchoring::MerkleTree;
use lucid_types::blake3;

const CHUNK_BYTES: usize = 1 << 20;
const CHUNKS: usize = 200;

pub(crate) fn benches(criterion: &mut Criterion) {
    let recording = recording();
    let leaves = || -> Vec<B256> { recording.chunks(CHUNK_BYTES).map(|chunk| blake3([chunk])).collect() };
    let mut group = criterion.benchmark_group("anchoring::merkle");
    group.sample_size(10).throughput(Throughput::Bytes(recording.len() as u64));
    group.bench_function("leaves and tree n=200 chunk=1MiB", |bencher| {
        bencher.iter(|| MerkleTree::new(leaves()).unwrap().root());
    });
    let hashed = leaves();
    group.throughput(Throughput::Elements(CHUNKS as u64));
    group.bench_function("tree n=200", |bencher| bencher.iter(|| MerkleTree::new(hashed.clone()).unwrap().root()));
    let tree = MerkleTree::new(hashed).unwrap();
    group.throughput(Throughput::Elements(1));
    group.bench_function("path n=200", |bencher| bencher.iter(|| tree.path(137).unwrap()));
    group.finish();
}

/// Bytes without a pattern.
fn recording() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CHUNKS * CHUNK_BYTES);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while bytes.len() < CHUNKS * CHUNK_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}
