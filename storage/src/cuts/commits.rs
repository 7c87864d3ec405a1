use super::model::{PATH, check_after_cut, check_snapshot, commit_next, disk_with_store, meta, options, seeds};
use crate::{
    Options, Reader, Store, StoreError, TableId,
    testing::{PowerCut, Random},
};
use std::{io::ErrorKind, sync::atomic::Ordering::Relaxed};

/// Cuts that each seed makes on one store, one after the other.
const CUTS_EACH: u64 = 5;
/// Writes and syncs of some batches, or of an opening after a crash.
const MAX_OPERATIONS: u64 = 60;

/// Opens and writes until the power is cut. Gives the last batch that was answered as committed. `room` is how many writes
/// find room on the disk, until somebody makes more; zero where all do.
fn write_until_cut(disk: &PowerCut, options: &Options, mut committed: u64, room: u64, said: &str) -> u64 {
    // Where it is cut while the store is opened, that is while it is repaired after the cut before.
    let store = match Store::open(PATH, options) {
        Ok(store) => store,
        Err(error) => {
            assert!(disk.is_off(), "{said}: {error}");
            return committed;
        }
    };
    let there = store.snapshot().unwrap().sequence().unwrap();
    assert!(there == committed || there == committed + 1, "{said}: {committed} committed, {there} there");
    committed = there;
    let set_room = |writes| store.engine().counters().room.store(writes, Relaxed);
    set_room(room);
    loop {
        match commit_next(&store) {
            Ok(sequence) => committed = sequence,
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::StorageFull => set_room(0),
            Err(error) => {
                assert!(disk.is_off(), "{said}: {error}");
                return committed;
            }
        }
    }
}

/// A household's power: it goes while a block is written, comes back, goes while the store is repaired, and so on.
#[test]
fn a_power_cut_while_blocks_are_committed_loses_nothing_that_was_answered() {
    let empty = disk_with_store(0);
    let some = disk_with_store(40);
    for seed in seeds(1_000, CUTS_EACH) {
        let mut random = Random::new(seed);
        let young = random.percent(30);
        let disk = if young { &empty } else { &some }.copy(seed);
        let mut committed = if young { 0 } else { 40 };
        for cut in 0..CUTS_EACH {
            let said = format!("LUCID_CUT_SEED={seed}, cut {cut}");
            // Often within a few steps of the start: there a repair is under way.
            let most = if random.percent(30) { 8 } else { MAX_OPERATIONS };
            disk.cut_after(random.below(most));
            let room = if random.percent(20) { 1 + random.below(40) } else { 0 };
            committed = write_until_cut(&disk, &options(&disk, &mut random), committed, room, &said);
            disk.restore();
            if random.percent(50) {
                let store = check_after_cut(&disk, &options(&disk, &mut random), committed, &said);
                committed = store.snapshot().unwrap().sequence().unwrap();
                for _ in 0..random.below(3) {
                    committed = commit_next(&store).unwrap();
                }
                // Half of the time it is not closed either, because the power goes again.
                if random.percent(50) {
                    disk.restore();
                }
            }
        }
        let said = format!("LUCID_CUT_SEED={seed}, at the end");
        let store = check_after_cut(&disk, &options(&disk, &mut random), committed, &said);
        commit_next(&store).unwrap();
        let sequence = commit_next(&store).unwrap();
        drop(store);
        let store = Store::open(PATH, &options(&disk, &mut random)).unwrap();
        assert_eq!(check_snapshot(&store.snapshot().unwrap(), &said), sequence);
    }
}

/// Value of a row of a large batch.
fn large_value(row: u32) -> Vec<u8> {
    vec![row as u8; 4_000 + row as usize * 7]
}

/// More than the cache holds goes to the file before the commit, and the file grows meanwhile.
#[test]
fn a_power_cut_while_a_large_batch_is_committed_leaves_all_of_it_or_none() {
    const ROWS: u32 = 300;
    let base = disk_with_store(3);
    for seed in seeds(150, 1) {
        let said = format!("LUCID_CUT_SEED={seed}");
        let mut random = Random::new(seed);
        let disk = base.copy(seed);
        let options = options(&disk, &mut random);
        let store = Store::open(PATH, &options).unwrap();
        let large = |store: &Store| {
            let mut batch = store.begin().unwrap();
            for row in 0..ROWS {
                let key = [&[9], &(row * 7919 % ROWS).to_be_bytes()[..]].concat();
                batch.raw_put(TableId::Code, key, large_value(row * 7919 % ROWS));
            }
            store.commit(batch)
        };
        // About as many operations as there are, so that some cuts come after the last.
        disk.cut_after(random.below(u64::from(ROWS) + 120));
        let answered = large(&store).is_ok();
        disk.restore();
        drop(store);
        let store = Store::open(PATH, &options).unwrap_or_else(|error| panic!("{said}: {error}"));
        let snapshot = store.snapshot().unwrap();
        let rows = snapshot.raw_prefix(TableId::Code, &[9], crate::Direction::Forward).unwrap();
        let rows = rows.map(|row| {
            let (key, value) = row.unwrap_or_else(|error| panic!("{said}: {error}"));
            value == large_value(u32::from_be_bytes(key[1..].try_into().unwrap()))
        });
        let rows: Vec<_> = rows.collect();
        assert!(!rows.contains(&false), "{said}: a row is not what was written");
        let rows = rows.len();
        let sequence = snapshot.sequence().unwrap();
        assert!((sequence, rows) == (4, ROWS as usize) || (!answered && (sequence, rows) == (3, 0)), "{said}: {rows}");
        let snapshot = if rows == 0 {
            large(&store).unwrap_or_else(|error| panic!("{said}: {error}"));
            store.snapshot().unwrap()
        } else {
            snapshot
        };
        assert_eq!(snapshot.sequence().unwrap(), 4, "{said}");
    }
}

/// Either there is no store, or there is one that opens.
#[test]
fn a_power_cut_while_a_store_is_made_leaves_none_or_a_whole_one() {
    let (mut none, mut whole) = (0, 0);
    for seed in seeds(200, 1) {
        let said = format!("LUCID_CUT_SEED={seed}");
        let mut random = Random::new(seed);
        let disk = PowerCut::new(seed);
        let options = options(&disk, &mut random);
        disk.cut_after(random.below(40));
        let made = Store::create(PATH, &meta(), &options);
        let answered = made.is_ok();
        assert!(answered || disk.is_off(), "{said}");
        disk.restore();
        drop(made);
        match Store::create(PATH, &meta(), &options) {
            Ok(store) => {
                assert!(!answered, "{said}: it was made, and is gone");
                commit_next(&store).unwrap();
                none += 1;
            }
            Err(StoreError::AlreadyExists(_)) => {
                let store = check_after_cut(&disk, &options, 0, &said);
                commit_next(&store).unwrap();
                whole += 1;
            }
            Err(error) => panic!("{said}: {error}"),
        }
    }
    assert!(none > 0 && whole > 0, "{none} and {whole}");
}

/// What failed once can be looked at again.
#[test]
fn what_is_left_after_a_cut_follows_from_the_seed() {
    let base = disk_with_store(10);
    let left = |seed| {
        let disk = base.copy(seed);
        let options = options(&disk, &mut Random::new(seed));
        disk.cut_after(25);
        let committed = write_until_cut(&disk, &options, 10, 0, "once");
        disk.restore();
        (committed, disk.content(PATH).unwrap())
    };
    let differs = (0..20).filter(|seed| left(*seed).1 != left(seed + 1).1).count();
    assert!(differs > 10 && (0..20).all(|seed| left(seed) == left(seed)), "{differs}");
}
