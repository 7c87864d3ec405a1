//! What is written under cuts, and what must be there after one.

use crate::{
    AccountRecord, Accounts, AnchoringStatus, BlockRecord, BlockchainState, BlockchainStateRecord, Blocks, ChunkKey,
    ChunkRecord, Chunks, Current, Findings, Meta, Options, SessionAnchoringRecord, SessionAnchorings, Snapshot, Store,
    StoreError, TableId, TransactionKey, TransactionRecord, Transactions,
    samples::{Sample, address, anchoring, hash, session},
    testing::{PowerCut, Random},
};
use std::{env, path::Path, sync::OnceLock};

pub(super) const PATH: &str = "node.redb";

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Seeds for so many cuts as are asked for, or `otherwise`, where each seed makes `each`.
pub(super) fn seeds(otherwise: u64, each: u64) -> std::ops::Range<u64> {
    let first = number("LUCID_CUT_SEED").unwrap_or(0);
    first..first + number("LUCID_CUTS").unwrap_or(otherwise).div_ceil(each)
}

pub(super) fn meta() -> Meta {
    Meta::new(br#"{"chainId":31337}"#.to_vec(), hash(0xaa))
}

/// How stores are opened: with all kinds of caches, and with and without a note of the pages in use in each commit, which
/// may change from one opening to the next.
pub(super) fn options(disk: &PowerCut, random: &mut Random) -> Options {
    let cache_bytes = [0, 128 << 10, 4 << 20][random.below(3) as usize];
    let quick_repair_from_bytes = [0, 0, 1 << 20, u64::MAX][random.below(4) as usize];
    Options { cache_bytes, quick_repair_from_bytes, max_file_bytes: None, disk: disk.disk() }
}

/// Commits what the batch after `sequence` is: rows in collections of every order with their indexes, rows that change,
/// stay and go, and internal tables. Every batch is another one, and the same one whenever it is written.
pub(super) fn commit_next(store: &Store) -> Result<u64, StoreError> {
    let mut batch = store.begin()?;
    let n = batch.sequence();
    let mut random = Random::new(n);
    let mut byte = |below: u64| random.below(below) as u8;
    let block = BlockRecord { hash: hash(n as u8), timestamp: n, ..Sample::sample() };
    batch.append::<Blocks>(&n, &block)?;
    for index in 0..u32::from(byte(20)) {
        let record =
            TransactionRecord { nonce: n, sender: address(byte(5)), hash: hash(byte(255)), ..Sample::sample() };
        batch.append::<Transactions>(&TransactionKey { block: n, index }, &record)?;
        batch.put::<Accounts>(&address(byte(40)), &AccountRecord { nonce: n, ..Sample::sample() })?;
    }
    for _ in 0..byte(6) {
        let status = AnchoringStatus::ALL[usize::from(byte(5))];
        let user_id = (byte(3) > 0).then(|| "ann".repeat(usize::from(byte(40))));
        let session_id = session(byte(200));
        let record = SessionAnchoringRecord { session_id, status, user_id, ..Sample::sample() };
        batch.put::<SessionAnchorings>(&anchoring(byte(50)), &record)?;
        batch.remove::<SessionAnchorings>(&anchoring(byte(50)))?;
    }
    for idx in 0..u32::from(byte(15)) {
        let key = ChunkKey { session_id: session(byte(20)), idx, account: address(1) };
        let record = ChunkRecord { size_bytes: n, ciphertext_sha256: hash(byte(255)), ..Sample::sample() };
        batch.put::<Chunks>(&key, &record)?;
    }
    for key in 0..50u64 {
        batch.raw_put(TableId::StorageSlots, key.to_be_bytes(), n.to_be_bytes());
    }
    // Now and then a value of many pages, which takes the place of another.
    let code_bytes = [0, 300, 5_000, 70_000][usize::from(byte(4))];
    batch.raw_put(TableId::Code, [byte(6)], vec![n as u8; code_bytes]);
    let state = BlockchainStateRecord { height: n, ..Sample::sample() };
    batch.put::<BlockchainState>(&Current, &state)?;
    Ok(store.commit(batch)?.sequence)
}

/// Batches that a test may come to.
const MAX_SEQUENCE: u64 = 400;

/// Digest of all tables after each batch, of a store that nothing happened to.
fn expected(sequence: u64) -> [u8; 32] {
    static DIGESTS: OnceLock<Vec<[u8; 32]>> = OnceLock::new();
    let digests = DIGESTS.get_or_init(|| {
        let disk = PowerCut::new(0);
        let options = Options { disk: disk.disk(), ..Options::default() };
        let store = Store::create(PATH, &meta(), &options).unwrap();
        let digest = || digest(&store.snapshot().unwrap());
        let mut digests = vec![digest()];
        for _ in 0..MAX_SEQUENCE {
            commit_next(&store).unwrap();
            digests.push(digest());
        }
        digests
    });
    digests[sequence as usize]
}

pub(super) fn digest(snapshot: &Snapshot) -> [u8; 32] {
    snapshot.contents_digest().unwrap()
}

/// Holds a store against what it has to be after the batch of its sequence, whole. Gives that sequence.
pub(super) fn check_snapshot(snapshot: &Snapshot, said: &str) -> u64 {
    let sequence = snapshot.sequence().unwrap();
    let mut findings = Findings::default();
    snapshot.check_rows(&mut findings, &mut |_| Ok(())).unwrap();
    assert!(findings.is_empty(), "{said}: {findings:?}");
    assert!(digest(snapshot) == expected(sequence), "{said}: not what was written up to batch {sequence}");
    sequence
}

/// Opens the store after a cut, and holds it against what was answered as committed before.
pub(super) fn check_after_cut(disk: &PowerCut, options: &Options, committed: u64, said: &str) -> Store {
    let sequence = {
        // Page by page, on another disk, as this one has to open without that.
        let copy = disk.copy(0);
        let options = Options { disk: copy.disk(), ..options.clone() };
        let (_, snapshot) = Store::inspect(PATH, &options, true).unwrap_or_else(|error| panic!("{said}: {error}"));
        check_snapshot(&snapshot, said)
    };
    let store = Store::open(PATH, options).unwrap_or_else(|error| panic!("{said}: {error}"));
    assert!(sequence == committed || sequence == committed + 1, "{said}: {committed} committed, {sequence} there");
    assert_eq!(check_snapshot(&store.snapshot().unwrap(), said), sequence, "{said}");
    assert_eq!(disk.names(), [Path::new(PATH)], "{said}");
    store
}

/// A disk with a store of so many batches, closed in order.
pub(super) fn disk_with_store(batches: u64) -> PowerCut {
    let disk = PowerCut::new(0);
    let options = Options { disk: disk.disk(), quick_repair_from_bytes: u64::MAX, ..Options::default() };
    let store = Store::create(PATH, &meta(), &options).unwrap();
    for _ in 0..batches {
        commit_next(&store).unwrap();
    }
    drop(store);
    disk.restore();
    disk
}
