//! Keys and records as bytes.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use alloy_trie::EMPTY_ROOT_HASH;
use criterion::Criterion;
use lucid_storage::{
    AccountRecord, ChunkKey, ChunkRecord, ChunkStatus, Origin, Record, StoreKey, Stored, TransactionKey,
    TransactionRecord,
};
use lucid_types::SessionId;
use std::{fmt::Debug, hint::black_box};

pub(crate) fn benches(criterion: &mut Criterion) {
    let session_id = SessionId::from_random([3; 16]);
    let account = Address::repeat_byte(7);
    key(criterion, "chunks", &ChunkKey { session_id, idx: 137, account });
    key(criterion, "transactions", &TransactionKey { block: 70_000, index: 999 });
    key(criterion, "accounts", &account);
    key(criterion, "peers", &"f39fd6e51aad88f6f4ce6ab8827279cfffb92266".to_owned());
    record(
        criterion,
        "chunks",
        ChunkRecord {
            local_path: Some("/srv/recordings/7/chunk-00137.enc".into()),
            ciphertext_sha256: B256::repeat_byte(5),
            size_bytes: 9_000_000,
            status: ChunkStatus::Pending,
        },
    );
    record(
        criterion,
        "transactions",
        TransactionRecord { hash: B256::repeat_byte(4), sender: account, nonce: 300, raw: vec![0xab; 120] },
    );
    record(
        criterion,
        "accounts",
        AccountRecord {
            nonce: 300,
            balance: U256::from(10).pow(U256::from(18)),
            code_hash: KECCAK256_EMPTY,
            storage_root: EMPTY_ROOT_HASH,
        },
    );
}

fn key<K: StoreKey + Debug>(criterion: &mut Criterion, collection: &str, key: &K) {
    let bytes = key.to_key_bytes();
    let mut group = criterion.benchmark_group("storage::key");
    group.bench_function(format!("encode collection={collection}"), |b| b.iter(|| black_box(key).to_key_bytes()));
    group.bench_function(format!("decode collection={collection}"), |b| {
        b.iter(|| K::from_key_bytes(black_box(&bytes)).unwrap());
    });
    group.finish();
}

fn record<R: Record>(criterion: &mut Criterion, collection: &str, record: R) {
    let stored = Stored { record, origin: Origin::Chain, sequence: 70_000 };
    let bytes = stored.to_bytes().unwrap();
    let mut group = criterion.benchmark_group("storage::record");
    group.bench_function(format!("encode collection={collection}"), |b| {
        b.iter(|| black_box(&stored).to_bytes().unwrap());
    });
    group.bench_function(format!("decode collection={collection}"), |b| {
        b.iter(|| Stored::<R>::from_bytes(black_box(&bytes)).unwrap());
    });
    group.finish();
}
