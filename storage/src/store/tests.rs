use super::*;
use crate::{
    AccountRecord, Accounts, BlockRecord, Blocks, BlocksByHash, ChunkKey, Chunks, Direction, Reader, Seals,
    samples::{Sample, address, hash},
};
use lucid_types::Seal;
use redb::TableDefinition;
use std::{
    fs::{self, OpenOptions},
    ops::Bound,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
};

fn meta() -> Meta {
    Meta::new(br#"{"chainId":31337}"#.to_vec(), hash(0xaa))
}

fn new_store() -> (tempfile::TempDir, PathBuf, Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::create(&path, &meta(), &Options::default()).unwrap();
    (folder, path, store)
}

fn block(byte: u8) -> BlockRecord {
    BlockRecord { hash: hash(byte), ..Sample::sample() }
}

#[test]
fn a_store_and_what_is_open_on_it_go_from_thread_to_thread() {
    fn shared<T: Send + Sync>() {}
    shared::<Store>();
    shared::<Snapshot>();
    shared::<Batch>();
}

#[test]
fn what_was_committed_is_there_after_a_reopen() {
    let (_folder, path, store) = new_store();
    let mut batch = store.begin().unwrap();
    batch.append::<Blocks>(&1, &block(1)).unwrap();
    batch.append::<Seals>(&1, &Seal::sample()).unwrap();
    batch.put::<Accounts>(&address(5), &AccountRecord::sample()).unwrap();
    batch.raw_put(TableId::Code, *hash(9), b"code".to_vec());
    assert_eq!(store.commit(batch).unwrap(), Committed { sequence: 1 });
    drop(store);

    let store = Store::open(&path, &Options::default()).unwrap();
    assert_eq!(*store.meta(), meta());
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.sequence().unwrap(), 1);
    assert_eq!(snapshot.get::<Blocks>(&1).unwrap(), Some(block(1)));
    assert_eq!(snapshot.first_by_index::<BlocksByHash>(&hash(1)).unwrap(), Some((1, block(1))));
    assert_eq!(snapshot.get::<Seals>(&1).unwrap(), Some(Seal::sample()));
    assert_eq!(snapshot.get_stored::<Accounts>(&address(5)).unwrap().unwrap().sequence, 1);
    assert_eq!(snapshot.raw_get(TableId::Code, hash(9).as_slice()).unwrap(), Some(b"code".to_vec()));
}

#[test]
fn a_batch_sees_its_own_writes_and_nobody_else_does_before_the_commit() {
    let (_folder, _, store) = new_store();
    let mut batch = store.begin().unwrap();
    batch.append::<Blocks>(&1, &block(1)).unwrap();
    assert_eq!(batch.get::<Blocks>(&1).unwrap(), Some(block(1)));
    assert_eq!(batch.first_by_index::<BlocksByHash>(&hash(1)).unwrap(), Some((1, block(1))));
    let before = store.snapshot().unwrap();
    assert_eq!(before.get::<Blocks>(&1).unwrap(), None);
    store.commit(batch).unwrap();
    assert_eq!(before.get::<Blocks>(&1).unwrap(), None);
    assert!(store.snapshot().unwrap().contains::<Blocks>(&1).unwrap());
}

#[test]
fn a_dropped_batch_leaves_nothing_and_an_empty_one_writes_nothing() {
    let (_folder, _, store) = new_store();
    let mut batch = store.begin().unwrap();
    batch.append::<Blocks>(&1, &block(1)).unwrap();
    drop(batch);
    let written = store.stats().unwrap();
    assert_eq!(store.commit(store.begin().unwrap()).unwrap().sequence, 0);
    assert_eq!(store.stats().unwrap(), written);
    assert!(!store.snapshot().unwrap().contains::<Blocks>(&1).unwrap());
}

#[test]
fn of_two_batches_begun_together_only_the_first_commits() {
    let (_folder, _, store) = new_store();
    let (mut first, mut second) = (store.begin().unwrap(), store.begin().unwrap());
    first.append::<Blocks>(&1, &block(1)).unwrap();
    second.append::<Blocks>(&1, &block(2)).unwrap();
    store.commit(first).unwrap();
    assert!(matches!(store.commit(second), Err(StoreError::StaleBatch { began: 0, current: 1 })));
    assert_eq!(store.snapshot().unwrap().get::<Blocks>(&1).unwrap(), Some(block(1)));
}

#[test]
fn commits_bytes_and_syncs_are_counted() {
    let (_folder, _, store) = new_store();
    let before = store.stats().unwrap();
    let mut batch = store.begin().unwrap();
    batch.append::<Blocks>(&1, &block(1)).unwrap();
    store.commit(batch).unwrap();
    let after = store.stats().unwrap();
    assert_eq!(after.commits, before.commits + 1);
    assert!(after.bytes_written >= before.bytes_written + 1000);
    assert!(after.syncs > before.syncs);
}

#[test]
fn a_row_of_a_dyn_reader_is_read_through_a_reference() {
    let (_folder, _, store) = new_store();
    let snapshot = store.snapshot().unwrap();
    let reader: &dyn Reader = &snapshot;
    assert_eq!((&reader).get::<Blocks>(&1).unwrap(), None);
    let all = (&reader).range::<Blocks>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap().count();
    assert_eq!(all, 0);
}

#[test]
fn a_file_that_is_no_store_is_refused_by_name_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let open = || Store::open(&path, &Options::default()).map(drop);
    assert!(matches!(open(), Err(StoreError::Missing(_))));
    for contents in [&b""[..], b"short", &[7; 5000]] {
        fs::write(&path, contents).unwrap();
        assert!(matches!(open(), Err(StoreError::NotAStore(_))), "{} bytes", contents.len());
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
}

fn files(path: &Path) -> (Vec<u8>, usize) {
    (fs::read(path).unwrap(), fs::read_dir(path.parent().unwrap()).unwrap().count())
}

#[test]
fn a_look_at_a_store_changes_nothing_and_keeps_others_out() {
    let (_folder, path, store) = new_store();
    let mut batch = store.begin().unwrap();
    batch.append::<Blocks>(&1, &block(1)).unwrap();
    store.commit(batch).unwrap();
    let look = |check_pages| Store::inspect(&path, &Options::default(), check_pages);
    assert!(matches!(look(true).map(drop), Err(StoreError::Locked(_))));
    // As a kill leaves it, with something to repair.
    let killed = path.with_file_name("killed.redb");
    fs::copy(&path, &killed).unwrap();
    drop(store);
    for path in [path, killed] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        let before = files(&path);
        for check_pages in [true, false] {
            let (found, snapshot) = Store::inspect(&path, &Options::default(), check_pages).unwrap();
            assert_eq!(found, meta());
            assert_eq!(snapshot.get::<Blocks>(&1).unwrap(), Some(block(1)));
        }
        assert!(files(&path) == before);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let look = Store::inspect(&path, &Options::default(), true).unwrap();
        assert!(matches!(Store::open(&path, &Options::default()), Err(StoreError::Locked(_))));
        drop(look);
        Store::open(&path, &Options::default()).unwrap();
    }
}

/// Bits that are flipped one after the other, each in another part of the file.
const FLIPS: usize = 150;

/// A worn SD card gives back other bits than were written to it, and a copy that was cut short lacks some.
#[test]
fn a_damaged_file_is_told_from_a_good_one() {
    let (_folder, path, store) = new_store();
    for n in 0..20 {
        let mut batch = store.begin().unwrap();
        for m in 0..50 {
            batch.raw_put(TableId::Code, [n, m], vec![m; 1_000]);
        }
        store.commit(batch).unwrap();
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let look = || Store::inspect(&path, &Options::default(), true).map(drop);
    look().unwrap();
    for length in [40, 100, 5_000].into_iter().chain((1..8).map(|part| whole.len() * part / 8)) {
        fs::write(&path, &whole[..length]).unwrap();
        let cut = look().unwrap_err();
        assert!(matches!(cut, StoreError::Damaged { .. }), "{length}: {cut}");
    }
    let bytes = whole.windows(900).position(|bytes| bytes == [7; 900]).unwrap();
    let mut flipped = whole.clone();
    flipped[bytes + 450] ^= 4;
    fs::write(&path, flipped).unwrap();
    let flipped = look().unwrap_err();
    assert!(matches!(flipped, StoreError::Damaged { .. }), "{flipped}");
    // Anywhere else: in a page that counts it is told, and in one that nothing leads to it does no harm.
    let mut harmless = 0;
    for n in 0..FLIPS {
        let mut flipped = whole.clone();
        flipped[whole.len() / FLIPS * n + n] ^= 1 << (n % 8);
        fs::write(&path, flipped).unwrap();
        match Store::inspect(&path, &Options::default(), true) {
            Ok((found, snapshot)) => {
                assert_eq!((found, snapshot.entries().unwrap()), (meta(), 1_004), "flip {n}");
                harmless += 1;
            }
            Err(StoreError::Damaged { .. } | StoreError::NotAStore(_) | StoreError::Engine(_)) => {}
            Err(other) => panic!("flip {n}: {other}"),
        }
    }
    assert!(harmless < FLIPS, "some were found");
}

#[test]
fn a_new_store_is_its_owners_alone() {
    let (_folder, path, _store) = new_store();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_store_that_was_being_made_in_a_crash_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    fs::write(folder.path().join("node.redb.new"), [7; 100]).unwrap();
    drop(Store::create(&path, &meta(), &Options::default()).unwrap());
    Store::open(&path, &Options::default()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.redb");
    for other in ["other", "meta"] {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TableDefinition::<u64, &str>::new(other)).unwrap().insert(1, "x").unwrap();
        transaction.commit().unwrap();
        drop(database);
        assert!(matches!(Store::open(&path, &Options::default()), Err(StoreError::ForeignFile(_))), "{other}");
    }
}

#[test]
fn a_store_of_a_newer_format_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let (unfinished, database) = begin(&path, &Options::default()).unwrap();
    let transaction = database.database().begin_write().unwrap();
    let newer = entry(meta::FORMAT, &(FORMAT_VERSION + 1).to_be_bytes());
    write_table(&transaction, TableId::Meta, newer, crate::range::Puts::Any).unwrap();
    transaction.commit().unwrap();
    drop(database);
    fs::rename(unfinished, &path).unwrap();
    let refused = Store::open(&path, &Options::default()).map(drop);
    let both = |found, known| (found, known) == (FORMAT_VERSION + 1, FORMAT_VERSION);
    assert!(matches!(refused, Err(StoreError::NewerFormat { found, known }) if both(found, known)), "{refused:?}");
}

#[test]
fn a_store_is_open_once_and_made_once() {
    let (_folder, path, store) = new_store();
    assert!(matches!(Store::open(&path, &Options::default()), Err(StoreError::Locked(_))));
    let again = Store::create(&path, &meta(), &Options::default());
    assert!(matches!(again, Err(StoreError::AlreadyExists(_))));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    // A snapshot keeps the file open, so that its reads never fail under it.
    let snapshot = store.snapshot().unwrap();
    drop(store);
    assert!(matches!(Store::open(&path, &Options::default()), Err(StoreError::Locked(_))));
    drop(snapshot);
    Store::open(&path, &Options::default()).unwrap();
}

const BATCH_ROWS: u8 = 10;

/// What a batch writes, one for each round.
fn big_batch(store: &Store, round: u8) -> Batch {
    let mut batch = store.begin().unwrap();
    for n in 0..BATCH_ROWS {
        batch.raw_put(TableId::Code, [n, round], vec![round; 3_000]);
    }
    batch
}

fn reads(store: &Store, rounds: u8) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.sequence().unwrap(), u64::from(rounds));
    let rows = snapshot.raw_range(TableId::Code, Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    let rows: Vec<_> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), usize::from(BATCH_ROWS) * usize::from(rounds));
    assert!(rows.iter().all(|(key, value)| *value == vec![key[1]; 3_000]));
}

#[test]
fn a_disk_without_room_stops_writes_and_nothing_else() {
    stop_writes(&Options::default());
}

#[test]
fn a_disk_without_room_for_the_note_of_pages_in_use_stops_writes_and_nothing_else() {
    stop_writes(&Options { quick_repair_from_bytes: 0, ..Options::default() });
}

/// As on a full disk, at a size that was said; what is free inside the file is used all the same, and a file that is larger
/// already can be opened and read.
#[test]
fn a_file_that_may_not_grow_any_more_stops_writes_and_nothing_else() {
    const MAX_BYTES: u64 = 2 << 20;
    let (_folder, path, store) = new_store();
    drop(store);
    let bounded = Options { max_file_bytes: Some(MAX_BYTES), quick_repair_from_bytes: 0, ..Options::default() };
    let store = Store::open(&path, &bounded).unwrap();
    let mut rounds = 0;
    let refused = loop {
        match store.commit(big_batch(&store, rounds + 1)) {
            Ok(_) => rounds += 1,
            Err(error) => break error,
        }
        assert!(rounds < 100, "it grows and grows");
    };
    assert!(
        matches!(&refused, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::QuotaExceeded),
        "{refused}"
    );
    assert!(rounds > 20, "{rounds}");
    reads(&store, rounds);
    let taken = || fs::metadata(&path).unwrap().blocks() * 512;
    assert!(taken() <= MAX_BYTES, "{}", taken());
    // Rows go one by one, and others take their place.
    let keys = |store: &Store| -> Vec<Vec<u8>> {
        let snapshot = store.snapshot().unwrap();
        snapshot.raw_prefix(TableId::Code, &[], Direction::Forward).unwrap().map(|row| row.unwrap().0).collect()
    };
    let half: Vec<_> = keys(&store).into_iter().step_by(2).collect();
    for value in [None, Some(vec![9; 3_000])] {
        for key in &half {
            let mut batch = store.begin().unwrap();
            match &value {
                Some(value) => batch.raw_put(TableId::Code, key.clone(), value.clone()),
                None => batch.raw_remove(TableId::Code, key.clone()),
            }
            store.commit(batch).unwrap();
        }
    }
    assert_eq!(keys(&store).len(), usize::from(BATCH_ROWS) * usize::from(rounds));
    assert!(taken() <= MAX_BYTES, "{}", taken());
    drop(store);
    let smaller = Options { max_file_bytes: Some(taken() / 2), ..bounded };
    let store = Store::open(&path, &smaller).unwrap();
    assert_eq!(keys(&store).len(), usize::from(BATCH_ROWS) * usize::from(rounds));
    drop(store);
    let store = Store::open(&path, &Options::default()).unwrap();
    store.commit(big_batch(&store, rounds + 1)).unwrap();
}

/// Room ends at the first write of a commit, at the second, and so on.
fn stop_writes(options: &Options) {
    let (_folder, path, store) = new_store();
    drop(store);
    let store = Store::open(&path, options).unwrap();
    let room = |writes: u64| store.engine().counters().room.store(writes, Relaxed);
    let (mut rounds, mut refusals) = (0, 0);
    for writes in 1.. {
        room(writes);
        let before = store.snapshot().unwrap();
        match store.commit(big_batch(&store, rounds + 1)) {
            Ok(_) => rounds += 1,
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                refusals += 1;
                reads(&store, rounds);
                let again = store.commit(big_batch(&store, rounds + 1)).unwrap_err();
                assert!(matches!(again, StoreError::Io { .. }), "{again}");
                reads(&store, rounds);
                let other = Store::open(&path, &Options::default()).map(drop);
                assert!(matches!(other, Err(StoreError::Locked(_))), "nobody came in between: {other:?}");
                room(0);
                store.commit(big_batch(&store, rounds + 1)).unwrap();
                rounds += 1;
            }
            Err(error) => panic!("{writes}: {error}"),
        }
        drop(before);
        reads(&store, rounds);
        if rounds > refusals {
            break;
        }
    }
    room(0);
    assert!(refusals > 10, "{refusals}");
    drop(store);
    let (_, snapshot) = Store::inspect(&path, &Options::default(), true).unwrap();
    assert_eq!(snapshot.len(TableId::Code).unwrap(), u64::from(BATCH_ROWS) * u64::from(rounds));
    drop(snapshot);
    reads(&Store::open(&path, &Options::default()).unwrap(), rounds);
}

/// A page number that was changed leads to another page of the same table, and so does a key in a branch: each row that is
/// read there is what was written, and others are passed by.
#[test]
fn rows_that_a_changed_branch_leads_past_are_not_taken_for_absent() {
    const PAGE: usize = 4096;
    let (_folder, path, store) = new_store();
    let keys: Vec<_> = (0..1_500u32).map(|n| alloy_primitives::keccak256(n.to_be_bytes())).collect();
    let mut batch = store.begin().unwrap();
    for key in &keys {
        batch.raw_put(TableId::Code, **key, b"code");
    }
    store.commit(batch).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    // A branch: 2 (1), nothing (1), number of keys (2), nothing (4), checksums of children (16 each), their numbers (8 each).
    let branches = whole.chunks_exact(PAGE).map(|page| (page[0], u16::from_le_bytes([page[2], page[3]])));
    let branches: Vec<_> = branches.enumerate().filter(|(_, (kind, keys))| *kind == 2 && *keys > 15).collect();
    let mut missed = 0;
    for (page, (_, branch_keys)) in branches {
        let children = usize::from(branch_keys) + 1;
        let number = |child| page * PAGE + 8 + 16 * children + 8 * child;
        let numbers = [(3, 4), (4, 3), (5, 15), (15, 5), (0, children - 1), (children - 1, 0)];
        let numbers = numbers.map(|(child, instead)| (number(child), whole[number(instead)..][..8].to_vec()));
        // Behind them the ends of the keys (4 each) and the keys: bits of the first byte of each.
        let first_key = number(children) + 4 * (children - 1);
        let keys_changed = (0..children - 1).flat_map(|key| [0x80, 0x02].map(|bit| (first_key + 32 * key, bit)));
        let keys_changed = keys_changed.map(|(at, bit)| (at, vec![whole[at] ^ bit]));
        for (at, bytes) in numbers.into_iter().chain(keys_changed) {
            fs::write(&path, &whole).unwrap();
            // Under an open store without a cache: where it is opened, a debug build of the engine looks at every number.
            let (_, snapshot) =
                Store::inspect(&path, &Options { cache_bytes: 0, ..Options::default() }, false).unwrap();
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&bytes, at as u64).unwrap();
            for key in &keys {
                match snapshot.raw_get(TableId::Code, key.as_slice()) {
                    Ok(found) => assert!(found.is_some(), "{at}: {key}"),
                    Err(error) => missed += u32::from(error.is_damage()),
                }
                let prefix = snapshot.raw_prefix(TableId::Code, &key[..8], Direction::Forward);
                let first = prefix.and_then(|mut rows| rows.next().transpose());
                assert!(!matches!(first, Ok(None)), "{at}: {key}");
            }
            let walked = snapshot.raw_range(TableId::Code, Bound::Unbounded, Bound::Unbounded, Direction::Reverse);
            assert!(at >= first_key || walked.unwrap().any(|row| row.is_err()), "{at}");
        }
    }
    assert!(missed > 100, "{missed}");
}

/// Keys stand in the pages above the rows too, and a byte there leads a search, or the end of a range, to another place.
#[test]
fn no_flipped_byte_of_a_key_lets_a_walk_end_early() {
    let (_folder, path, store) = new_store();
    let session_id = |n: u8| lucid_types::SessionId::from_bytes([n; 16]).unwrap();
    let mut batch = store.begin().unwrap();
    for session in 1..=3u8 {
        for idx in 0..150 {
            let key = ChunkKey { session_id: session_id(session), idx, account: address(1) };
            batch.append::<Chunks>(&key, &Sample::sample()).unwrap();
        }
    }
    store.commit(batch).unwrap();
    drop(store);
    let content = fs::read(&path).unwrap();
    let key = [&[1][..], &[2; 16]].concat();
    let places = content.windows(key.len()).enumerate().filter(|(_, bytes)| *bytes == key);
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(places.len() > 300, "{}", places.len());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut met = 0;
    for place in places {
        for at in [place, place + 1, place + 16, place + 20] {
            file.write_all_at(&[content[at] ^ 0xa1], at as u64).unwrap();
            if let Ok((_, snapshot)) = Store::inspect(&path, &Options::default(), false) {
                for direction in [Direction::Forward, Direction::Reverse] {
                    let of_session = snapshot.range_prefix::<Chunks>(&session_id(2), direction);
                    let all = snapshot.range::<Chunks>(Bound::Unbounded, Bound::Unbounded, direction);
                    for (rows, wanted) in [(of_session, 150), (all, 450)] {
                        match rows.and_then(|rows| rows.collect::<Result<Vec<_>, _>>()) {
                            Ok(rows) => assert_eq!(rows.len(), wanted, "byte {at}, {direction:?}"),
                            Err(error) => met += usize::from(error.is_damage()),
                        }
                    }
                }
            }
            file.write_all_at(&content[at..=at], at as u64).unwrap();
        }
    }
    assert!(met > 300, "{met}");
}
