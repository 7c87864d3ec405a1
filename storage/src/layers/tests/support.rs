//! Stores with levels, and ways to change them below everything that keeps them in order.

use super::super::check_layers;
use crate::{
    Batch, ChunkKey, ChunkRecord, Chunks, Direction, Findings, Meta, Options, Reader, Snapshot, Store, StoreError,
    TableId, checksum,
    samples::{Sample, address, hash, session},
    snapshot::{definition, layers_definition},
};
use redb::WriteTransaction;

pub(super) const TABLE: TableId = TableId::ChunksByCiphertextSha256;

pub(super) fn new_store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
    (folder, store)
}

pub(super) fn write(store: &Store, change: impl FnOnce(&mut Batch)) {
    let mut batch = store.begin().unwrap();
    change(&mut batch);
    store.commit(batch).unwrap();
}

/// Changes the file's table below everything that keeps it in order.
pub(super) fn tamper(store: &Store, change: impl FnOnce(&WriteTransaction)) {
    let transaction = store.engine().database().begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

/// Makes of a layered table what older formats have.
pub(crate) fn unlay(store: &Store, table: TableId) {
    let snapshot = store.snapshot().unwrap();
    let entries = snapshot.raw_prefix(table, &[], Direction::Forward).unwrap();
    tamper(store, |transaction| {
        let mut rows = transaction.open_table(definition(table)).unwrap();
        let mut closed = Vec::new();
        for (key, value) in entries.map(Result::unwrap) {
            checksum::close_into(&mut closed, table, &key, &value);
            rows.insert(key.as_slice(), closed.as_slice()).unwrap();
        }
        assert!(transaction.delete_table(layers_definition(table)).unwrap());
    });
}

/// What is wrong with the levels.
pub(super) fn wrong(snapshot: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(layers) = snapshot.layers(TABLE).unwrap() {
        let checked = check_layers(layers, &mut |key, what| found.push(format!("{key:02x?} {what}")));
        found.extend(checked.err().map(|error| error.to_string()));
    }
    found
}

pub(super) fn all(reader: &impl Reader, direction: Direction) -> Result<Vec<Vec<u8>>, StoreError> {
    reader.raw_prefix(TABLE, &[], direction)?.map(|entry| entry.map(|(key, _)| key)).collect()
}

/// Keys of numbers, spread over the space.
pub(super) fn spread(n: u16) -> Vec<u8> {
    let n = n.wrapping_mul(40_503);
    [&n.to_be_bytes()[..], &[n as u8; 30]].concat()
}

/// Entries of each level.
pub(super) fn levels_of(snapshot: &Snapshot) -> Vec<u64> {
    let state = &snapshot.layers(TABLE).unwrap().unwrap().state;
    state.levels().map(|level| state.entries_of(level)).collect()
}

/// A store with rows in three levels.
pub(super) fn store_with_rows() -> (tempfile::TempDir, Store) {
    let (folder, store) = new_store();
    for n in 0..200u32 {
        write(&store, |batch| {
            let key = ChunkKey { session_id: session((n % 7) as u8), idx: n, account: address(1) };
            let record = ChunkRecord { ciphertext_sha256: hash((n * 77) as u8), ..Sample::sample() };
            batch.put::<Chunks>(&key, &record).unwrap();
        });
    }
    assert!(levels_of(&store.snapshot().unwrap()).iter().filter(|entries| **entries > 0).count() >= 3);
    (folder, store)
}

pub(super) fn findings(store: &Store) -> Vec<String> {
    let mut findings = Findings::default();
    store.snapshot().unwrap().check_rows(&mut findings, &mut |_| Ok(())).unwrap();
    findings.listed.iter().map(ToString::to_string).collect()
}
