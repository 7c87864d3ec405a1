//! A layered table is a set of keys like any other, whatever lies in which level; and what is damaged in it is found.

use super::{
    part::{Part, ROW_BYTES, place_between},
    state::{STATE_KEY, State, YOUNGEST, capacity},
    write::Levels,
    *,
};
use crate::{
    Batch, ChunkKey, ChunkRecord, Chunks, Direction, Findings, Meta, Options, Reader, Snapshot, Store, StoreError,
    TableId, checksum, reindex,
    samples::{Sample, address, hash, session},
    snapshot::{definition, layers_definition},
};
use proptest::prelude::*;
use redb::{ReadableTable, WriteTransaction};
use std::{collections::BTreeSet, ops::Bound};

const TABLE: TableId = TableId::ChunksByCiphertextSha256;

fn new_store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
    (folder, store)
}

fn write(store: &Store, change: impl FnOnce(&mut Batch)) {
    let mut batch = store.begin().unwrap();
    change(&mut batch);
    store.commit(batch).unwrap();
}

/// Changes the file's table below everything that keeps it in order.
fn tamper(store: &Store, change: impl FnOnce(&WriteTransaction)) {
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
fn wrong(snapshot: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(layers) = snapshot.layers(TABLE).unwrap() {
        let checked = check_layers(layers, &mut |key, what| found.push(format!("{key:02x?} {what}")));
        found.extend(checked.err().map(|error| error.to_string()));
    }
    found
}

fn all(reader: &impl Reader, direction: Direction) -> Result<Vec<Vec<u8>>, StoreError> {
    reader.raw_prefix(TABLE, &[], direction)?.map(|entry| entry.map(|(key, _)| key)).collect()
}

/// Keys that are near each other and of any length, among which there is one for each number, spread over the space.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => prop::collection::vec(0u8..4, 0..5),
        5 => (0u16..600).prop_map(spread),
        1 => (0u16..40, 100usize..300).prop_map(|(n, length)| [&spread(n)[..], &vec![7; length]].concat()),
    ]
}

fn spread(n: u16) -> Vec<u8> {
    let n = n.wrapping_mul(40_503);
    [&n.to_be_bytes()[..], &[n as u8; 30]].concat()
}

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<u8>),
    /// Those of so many numbers in a row, however often.
    Run(u16, u16),
    Remove(Vec<u8>),
    RemoveRun(u16, u16),
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => key().prop_map(Step::Put),
        3 => (0u16..600, 1u16..120).prop_map(|(first, count)| Step::Run(first, count)),
        2 => key().prop_map(Step::Remove),
        1 => (0u16..600, 1u16..200).prop_map(|(first, count)| Step::RemoveRun(first, count)),
        4 => Just(Step::Commit),
    ]
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

fn holds(reader: &impl Reader, model: &BTreeSet<Vec<u8>>, bounds: &[Bounds]) -> Result<(), TestCaseError> {
    let everything = [(Bound::Unbounded, Bound::Unbounded)];
    for (lower, upper) in everything.iter().chain(bounds) {
        let (lower, upper) = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
        let is_within = |key: &&Vec<u8>| std::ops::RangeBounds::<[u8]>::contains(&(lower, upper), key.as_slice());
        let mut wanted: Vec<_> = model.iter().filter(is_within).cloned().collect();
        for direction in [Direction::Forward, Direction::Reverse] {
            let found = reader.raw_range(TABLE, lower, upper, direction).unwrap();
            let found: Vec<_> = found.map(|entry| entry.unwrap().0).collect();
            prop_assert_eq!(&found, &wanted);
            wanted.reverse();
        }
        if let Bound::Included(key) = lower {
            prop_assert_eq!(reader.view(TABLE, key).unwrap().is_some(), model.contains(key));
            let first = model.iter().find(|found| found.starts_with(key));
            prop_assert_eq!(reader.raw_first_key(TABLE, key).unwrap(), first.cloned());
        }
    }
    Ok(())
}

fn apply(batch: &mut Batch, model: &mut BTreeSet<Vec<u8>>, step: Step) {
    match step {
        Step::Put(key) => {
            batch.raw_put(TABLE, key.clone(), []);
            model.insert(key);
        }
        Step::Run(first, count) => {
            for key in (first..first + count).map(spread) {
                // As an index is written to: only what is new is put.
                if model.insert(key.clone()) {
                    batch.put_new_entry(TABLE, key);
                }
            }
        }
        Step::Remove(key) => {
            model.remove(&key);
            batch.raw_remove(TABLE, key);
        }
        Step::RemoveRun(first, count) => {
            for key in (first..first + count).map(spread) {
                if model.remove(&key) {
                    batch.raw_remove(TABLE, key);
                }
            }
        }
        Step::Commit => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_layered_table_is_a_set_of_keys(
        steps in prop::collection::vec(step(), 1..80), bounds in prop::collection::vec((bound(), bound()), 1..8)
    ) {
        let (_folder, store) = new_store();
        let mut model = BTreeSet::new();
        let mut batch = store.begin().unwrap();
        for step in steps {
            let is_commit = matches!(step, Step::Commit);
            apply(&mut batch, &mut model, step);
            holds(&batch, &model, &bounds[..1])?;
            if is_commit {
                store.commit(batch).unwrap();
                let snapshot = store.snapshot().unwrap();
                holds(&snapshot, &model, &bounds)?;
                prop_assert_eq!(wrong(&snapshot), [""; 0]);
                prop_assert_eq!(snapshot.len(TABLE).unwrap(), model.len() as u64);
                batch = store.begin().unwrap();
            }
        }
    }

    #[test]
    fn a_place_lies_between_two_keys(mut one: Vec<u8>, mut next: Vec<u8>) {
        prop_assume!(one != next);
        if one > next {
            std::mem::swap(&mut one, &mut next);
        }
        let place = place_between(&one, &next);
        prop_assert!(*one < *place && *place <= *next);
    }

    #[test]
    fn what_levels_have_is_read_as_it_was_written(levels in prop::collection::vec((any::<u64>(), any::<Vec<u8>>()), 0..9)) {
        let mut state = State::default();
        for (level, (entries, cursor)) in (YOUNGEST..).zip(levels) {
            *state.level_mut(level) = super::state::Level { entries, cursor };
        }
        prop_assert_eq!(State::decode(&state.encode()), Some(state));
    }
}

/// Entries of each level.
fn levels_of(snapshot: &Snapshot) -> Vec<u64> {
    let state = &snapshot.layers(TABLE).unwrap().unwrap().state;
    state.levels().map(|level| state.entries_of(level)).collect()
}

#[test]
fn each_level_keeps_to_its_capacity_and_older_entries_are_in_older_levels() {
    let (_folder, store) = new_store();
    for n in 0..600 {
        write(&store, |batch| batch.put_new_entry(TABLE, spread(n)));
        let levels = levels_of(&store.snapshot().unwrap());
        assert!((YOUNGEST..).zip(&levels).all(|(level, entries)| *entries <= capacity(level)), "{levels:?}");
    }
    let levels = levels_of(&store.snapshot().unwrap());
    assert_eq!((levels.len(), levels.iter().sum::<u64>()), (4, 600), "{levels:?}");
    assert!(levels[..3].iter().zip(YOUNGEST..).all(|(entries, level)| entries * 3 > capacity(level)), "{levels:?}");
}

/// The key of each number.
type Order = fn(u16) -> Vec<u8>;

/// In whatever order keys come, and however few at once: a commit writes some pages for each level, and not a level.
#[test]
fn no_commit_writes_more_than_a_few_parts_of_each_level() {
    let orders: [(&str, Order); 4] = [
        ("spread", spread),
        ("rising", |n| [&[1; 30][..], &n.to_be_bytes()].concat()),
        ("falling", |n| [&[1; 30][..], &(u16::MAX - n).to_be_bytes()].concat()),
        ("now here, now there", |n| [&[(n % 2) as u8 * 255][..], &spread(n)].concat()),
    ];
    const KEYS: u16 = 3_000;
    for (order, key) in orders {
        let (_folder, store) = new_store();
        let (mut most, mut levels, mut before) = (0, 0, store.stats().unwrap().bytes_written);
        for n in 0..KEYS {
            write(&store, |batch| batch.put_new_entry(TABLE, key(n)));
            let after = store.stats().unwrap().bytes_written;
            // What the engine writes when it makes the file larger is no work of ours.
            most = most.max((after - before) / 4_096);
            before = after;
        }
        let snapshot = store.snapshot().unwrap();
        levels = levels.max(levels_of(&snapshot).len());
        assert_eq!(wrong(&snapshot), [""; 0], "{order}");
        assert_eq!(snapshot.len(TABLE).unwrap(), u64::from(KEYS));
        // One part has some ten keys here, so a level takes in ten at most and changes as many parts.
        assert!(most < 12 * levels as u64 + 24, "{order}: a commit of one key wrote {most} pages, {levels} levels");
    }
}

#[test]
fn parts_are_full_where_many_keys_come() {
    let (_folder, store) = new_store();
    for first in (0..9_000).step_by(300) {
        write(&store, |batch| (first..first + 300).for_each(|n| batch.put_new_entry(TABLE, spread(n))));
    }
    let snapshot = store.snapshot().unwrap();
    let layers = snapshot.layers(TABLE).unwrap().unwrap();
    let (mut bytes, mut parts) = (0, 0);
    for row in layers.rows().iter().unwrap().map(Result::unwrap).filter(|row| row.0.value() != STATE_KEY) {
        bytes += Part::read(TABLE, row).unwrap().row_bytes();
        parts += 1;
    }
    assert!(bytes * 10 > parts * ROW_BYTES * 8, "{parts} parts have {bytes} bytes");
}

/// A copy has all entries in one level, and goes on.
#[test]
fn a_copy_lies_in_one_level() {
    let (folder, store) = new_store();
    for n in 0..400 {
        write(&store, |batch| batch.put_new_entry(TABLE, spread(n)));
    }
    let copy = folder.path().join("copy");
    store.snapshot().unwrap().copy_to(&copy, &Options::default(), &mut |_| Ok(())).unwrap();
    let copy = Store::open(&copy, &Options::default()).unwrap();
    let snapshot = copy.snapshot().unwrap();
    assert_eq!(levels_of(&snapshot), [0, 0, 0, 400]);
    assert_eq!(wrong(&snapshot), [""; 0]);
    assert!(
        all(&snapshot, Direction::Forward).unwrap() == all(&store.snapshot().unwrap(), Direction::Forward).unwrap()
    );
    for n in 400..800 {
        write(&copy, |batch| batch.put_new_entry(TABLE, spread(n)));
    }
    assert_eq!(wrong(&copy.snapshot().unwrap()), [""; 0]);
    assert_eq!(copy.snapshot().unwrap().len(TABLE).unwrap(), 800);
}

#[test]
fn entries_in_rows_of_an_older_format_come_into_levels_as_they_were() {
    let (folder, store) = new_store();
    write(&store, |batch| (0..500).for_each(|n| batch.put_new_entry(TABLE, spread(n))));
    let before = all(&store.snapshot().unwrap(), Direction::Forward).unwrap();
    unlay(&store, TABLE);
    let snapshot = store.snapshot().unwrap();
    assert!(snapshot.layers(TABLE).unwrap().is_none() && snapshot.len(TABLE).unwrap() == 500);
    assert!(all(&snapshot, Direction::Forward).unwrap() == before, "it is read as it is");
    let copy = folder.path().join("copy");
    snapshot.copy_to(&copy, &Options::default(), &mut |_| Ok(())).unwrap();
    let copy = Store::open(&copy, &Options::default()).unwrap().snapshot().unwrap();
    assert!(copy.layers(TABLE).unwrap().is_none() && copy.len(TABLE).unwrap() == 500, "a copy is as its original");
    drop(snapshot);
    let mut steps = 0;
    lay_rows(&store, TABLE, &mut |_| {
        steps += 1;
        Ok(())
    })
    .unwrap();
    let snapshot = store.snapshot().unwrap();
    assert!(steps > 0 && snapshot.layers(TABLE).unwrap().is_some());
    assert!(all(&snapshot, Direction::Forward).unwrap() == before);
    assert_eq!(wrong(&snapshot), [""; 0]);
}

/// A store with rows in three levels.
fn store_with_rows() -> (tempfile::TempDir, Store) {
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

fn row_keys(store: &Store) -> Vec<Vec<u8>> {
    let snapshot = store.snapshot().unwrap();
    let rows = snapshot.layers(TABLE).unwrap().unwrap().rows().iter().unwrap();
    rows.map(|row| row.unwrap().0.value().to_vec()).collect()
}

fn findings(store: &Store) -> Vec<String> {
    let mut findings = Findings::default();
    store.snapshot().unwrap().check_rows(&mut findings, &mut |_| Ok(())).unwrap();
    findings.listed.iter().map(ToString::to_string).collect()
}

/// Each answer is right or an error, and `db verify` finds something.
fn hold_damaged(store: &Store, truth: &[Vec<u8>], what: &str) {
    let is_damage = |error: StoreError| assert!(error.is_damage(), "{what}: {error}");
    let snapshot = store.snapshot().unwrap();
    let mut reversed = truth.to_vec();
    reversed.reverse();
    for (direction, truth) in [(Direction::Forward, truth), (Direction::Reverse, &reversed[..])] {
        match snapshot.raw_prefix(TABLE, &[], direction) {
            Err(error) => is_damage(error),
            Ok(walk) => {
                let mut truth = truth.iter();
                let met = walk.take_while(|entry| match entry {
                    Ok((key, _)) => truth.next() == Some(key) || panic!("{what}: a wrong entry"),
                    Err(_) => false,
                });
                let met = met.count();
                assert!(met < reversed.len(), "{what}: the walk did not meet it");
            }
        }
    }
    let mut errors = 0;
    for key in truth {
        let mut other = key.clone();
        *other.last_mut().unwrap() ^= 1;
        for (key, is_there) in [(key, true), (&other, false)] {
            match snapshot.raw_get(TABLE, key) {
                Ok(found) => assert_eq!(found.is_some(), is_there, "{what}"),
                Err(error) => {
                    is_damage(error);
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 0, "{what}: nothing was found by its key");
    assert!(!findings(store).is_empty(), "{what}");
}

#[test]
fn a_part_that_is_lost_or_changed_makes_errors_and_no_wrong_answers() {
    let (_folder, store) = store_with_rows();
    let truth = all(&store.snapshot().unwrap(), Direction::Forward).unwrap();
    assert_eq!(findings(&store), [""; 0]);
    for (place, row_key) in row_keys(&store).into_iter().enumerate() {
        let mut old = Vec::new();
        tamper(&store, |transaction| {
            let mut rows = transaction.open_table(layers_definition(TABLE)).unwrap();
            old = rows.remove(row_key.as_slice()).unwrap().unwrap().value().to_vec();
        });
        hold_damaged(&store, &truth, &format!("without {row_key:02x?}"));
        let mut changed = old.clone();
        let at = place * 7 % changed.len();
        changed[at] ^= 4;
        let put = |value: &[u8]| {
            tamper(&store, |transaction| {
                let mut rows = transaction.open_table(layers_definition(TABLE)).unwrap();
                rows.insert(row_key.as_slice(), value).unwrap();
            });
        };
        put(&changed);
        hold_damaged(&store, &truth, &format!("{row_key:02x?} changed at {at}"));
        put(&old);
        assert_eq!(findings(&store), [""; 0]);
    }
}

#[test]
fn verify_finds_parts_and_counts_that_are_well_formed_and_wrong() {
    let (_folder, store) = store_with_rows();
    let with_levels = |change: &dyn Fn(&mut Levels<'_>)| {
        let (folder, store) = store_with_rows();
        tamper(&store, |transaction| {
            let mut levels = Levels::open(transaction, TABLE).unwrap();
            change(&mut levels);
            levels.close().unwrap();
        });
        let found = findings(&store);
        drop(folder);
        found
    };
    assert_eq!(with_levels(&|_| {}), [""; 0]);
    let miscounted = with_levels(&|levels| levels.state.level_mut(2).entries += 1);
    assert!(miscounted.iter().any(|found| found.contains("level 2 is said to have")), "{miscounted:?}");
    let unordered = with_levels(&|levels| {
        let part = levels.part_at(2, &[]).unwrap();
        let (start, end) = (part.start().to_vec(), part.end().to_vec());
        let mut keys: Vec<_> = part.keys().map(<[u8]>::to_vec).collect();
        drop(part);
        keys.swap(0, 1);
        let mut bytes = Vec::new();
        keys.iter().for_each(|key| super::part::push_key(&mut bytes, key));
        levels.put_part(2, &start, &end, &bytes).unwrap();
    });
    assert!(!unordered.is_empty());
    let of_no_level = with_levels(&|levels| {
        let mut bytes = Vec::new();
        super::part::push_key(&mut bytes, b"key");
        levels.put_part(9, &[], &[], &bytes).unwrap();
    });
    assert!(of_no_level.iter().any(|found| found.contains("of a level that is said to have no")), "{of_no_level:?}");
    drop(store);
}

/// Where an index was damaged, what is put may be there already. It is met once, found, and mended.
#[test]
fn an_entry_that_lies_in_two_levels_is_met_once_and_mended() {
    let (_folder, store) = store_with_rows();
    let truth = all(&store.snapshot().unwrap(), Direction::Forward).unwrap();
    let oldest = {
        let snapshot = store.snapshot().unwrap();
        let layers = snapshot.layers(TABLE).unwrap().unwrap();
        let last = layers.state.filled().last().unwrap();
        layers.part_at(last, &truth[100]).unwrap().keys().next().unwrap().to_vec()
    };
    tamper(&store, |transaction| {
        let mut levels = Levels::open(transaction, TABLE).unwrap();
        let mut bytes = Vec::new();
        super::part::push_key(&mut bytes, &oldest);
        levels.merge(YOUNGEST, &bytes).unwrap();
        levels.close().unwrap();
    });
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.len(TABLE).unwrap(), truth.len() as u64 + 1);
    for direction in [Direction::Forward, Direction::Reverse] {
        assert_eq!(all(&snapshot, direction).unwrap().len(), truth.len());
    }
    let found = findings(&store);
    assert!(found.len() == 1 && found[0].contains("its levels have 201 entries, of which 200 differ"), "{found:?}");
    reindex(&store, &mut |_| Ok(())).unwrap();
    assert_eq!(findings(&store), [""; 0]);
    assert!(all(&store.snapshot().unwrap(), Direction::Forward).unwrap() == truth);
    assert!(reindex(&store, &mut |_| Ok(())).unwrap().repairs.is_empty());
}

#[test]
fn an_entry_that_goes_and_comes_in_one_batch_is_there_once() {
    let (_folder, store) = store_with_rows();
    let key = ChunkKey { session_id: session(1), idx: 1, account: address(1) };
    let record = store.snapshot().unwrap().get::<Chunks>(&key).unwrap().unwrap();
    let other = ChunkRecord { ciphertext_sha256: hash(250), ..record.clone() };
    write(&store, |batch| {
        batch.put::<Chunks>(&key, &other).unwrap();
        batch.put::<Chunks>(&key, &record).unwrap();
    });
    write(&store, |batch| {
        assert!(batch.remove::<Chunks>(&key).unwrap());
        batch.put::<Chunks>(&key, &record).unwrap();
    });
    assert_eq!(findings(&store), [""; 0]);
    assert_eq!(store.snapshot().unwrap().len(TABLE).unwrap(), 200);
}
