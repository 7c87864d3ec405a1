//! Files that are written beside and named when they are whole: backups and compacted stores.

use super::model::{PATH, check_after_cut, check_snapshot, commit_next, disk_with_store, options, seeds};
use crate::{
    Compaction, Options, Store, StoreError,
    testing::{PowerCut, Random},
};
use std::{cell::Cell, ops::AddAssign, path::Path};

const BACKUP: &str = "backup.redb";

fn open(disk: &PowerCut, path: &str, random: &mut Random) -> Result<Store, StoreError> {
    Store::open(path, &options(disk, random))
}

/// How many operations something takes that is not cut.
fn operations(disk: &PowerCut, work: impl Fn(&PowerCut)) -> u64 {
    let copy = disk.copy(0);
    let before = copy.operations();
    work(&copy);
    copy.operations() - before
}

/// A backup goes to a card that is pulled out, from a store that goes on.
#[test]
fn a_power_cut_while_a_backup_is_written_leaves_none_or_a_whole_one() {
    let base = disk_with_store(30);
    let copy = |disk: &PowerCut, options: &Options| {
        let (_, snapshot) = Store::inspect(PATH, options, false)?;
        snapshot.copy_to(BACKUP, &Options { disk: disk.disk(), ..options.clone() }, &mut |_| Ok(()))
    };
    let all = operations(&base, |disk| {
        copy(disk, &options(disk, &mut Random::new(0))).unwrap();
    });
    let (mut none, mut whole) = (0, 0);
    for seed in seeds(200, 1) {
        let said = format!("LUCID_CUT_SEED={seed}");
        let mut random = Random::new(seed);
        let disk = base.copy(seed);
        disk.cut_after(random.below(all + all / 8));
        let answered = copy(&disk, &options(&disk, &mut random));
        assert!(answered.is_ok() || disk.is_off(), "{said}: {answered:?}");
        disk.restore();
        match open(&disk, BACKUP, &mut random) {
            Ok(backup) => {
                assert_eq!(check_snapshot(&backup.snapshot().unwrap(), &said), 30, "{said}");
                whole += 1;
            }
            Err(StoreError::Missing(_)) => {
                assert!(answered.is_err(), "{said}: the backup was answered as made");
                copy(&disk, &options(&disk, &mut random)).unwrap_or_else(|error| panic!("{said}: {error}"));
                none += 1;
            }
            Err(error) => panic!("{said}: {error}"),
        }
        assert_eq!(check_snapshot(&open(&disk, PATH, &mut random).unwrap().snapshot().unwrap(), &said), 30, "{said}");
        assert_eq!(disk.names(), [Path::new(BACKUP), Path::new(PATH)], "{said}");
    }
    assert!(none > 0 && whole > 0, "{none} and {whole}");
}

/// The power goes while a store is compacted, after a crash or not, and again while that is done once more.
#[test]
fn a_power_cut_while_a_store_is_compacted_loses_nothing() {
    const BATCHES: u64 = 60;
    let closed = disk_with_store(BATCHES);
    // As a cut leaves it.
    let killed = disk_with_store(BATCHES - 1);
    let options_of =
        |disk: &PowerCut| Options { disk: disk.disk(), quick_repair_from_bytes: u64::MAX, ..Options::default() };
    let store = Store::open(PATH, &options_of(&killed)).unwrap();
    commit_next(&store).unwrap();
    killed.restore();
    drop(store);
    let compact = |disk: &PowerCut, options: &Options| {
        Compaction::begin(PATH, &Options { disk: disk.disk(), ..options.clone() })?.run(&mut |_| Ok(()))
    };
    let all = operations(&closed, |disk| {
        compact(disk, &options_of(disk)).unwrap();
    });
    let (mut before, mut after) = (0, 0);
    for seed in seeds(300, 2) {
        let mut random = Random::new(seed);
        let disk = if random.percent(50) { &closed } else { &killed }.copy(seed);
        let length = disk.content(PATH).unwrap().len();
        for cut in 0..2 {
            let said = format!("LUCID_CUT_SEED={seed}, cut {cut}");
            disk.cut_after(random.below(all + all / 8));
            let answered = compact(&disk, &options(&disk, &mut random));
            assert!(answered.is_ok() || disk.is_off(), "{said}: {answered:?}");
            disk.restore();
            let is_smaller = disk.content(PATH).unwrap().len() < length;
            assert!(is_smaller || answered.is_err(), "{said}: it was answered as compacted");
            (if is_smaller { &mut after } else { &mut before }).add_assign(1);
        }
        let said = format!("LUCID_CUT_SEED={seed}, at the end");
        let store = check_after_cut(&disk, &options(&disk, &mut random), BATCHES, &said);
        assert_eq!(commit_next(&store).unwrap(), BATCHES + 1, "{said}");
        drop(store);
        compact(&disk, &options(&disk, &mut random)).unwrap();
        assert_eq!(check_snapshot(&open(&disk, PATH, &mut random).unwrap().snapshot().unwrap(), &said), BATCHES + 1);
    }
    assert!(before > 0 && after > 0, "{before} and {after}");
}

/// The power goes while a store is compacted that is written to: as the copy is made, as it is caught up with, as it takes
/// the place of the old file, and just after.
#[test]
fn a_power_cut_while_a_store_is_compacted_that_is_written_to_loses_nothing_that_was_answered() {
    const BATCHES: u64 = 40;
    let base = disk_with_store(BATCHES);
    /// Opens, compacts while batches are committed, and commits some more. Gives the last batch that was answered, and whether
    /// the store was answered as compacted.
    fn run(disk: &PowerCut, options: &Options, committed: &Cell<u64>) -> Result<bool, StoreError> {
        let store = Store::open(PATH, options)?;
        committed.set(store.snapshot()?.sequence()?);
        let commit = || commit_next(&store).map(|sequence| committed.set(sequence));
        let copy = store.begin_compaction(&mut |_| (0..3).try_for_each(|_| commit()))?;
        commit()?;
        copy.finish()?;
        (0..3).try_for_each(|_| commit())?;
        Ok(disk.names() == [Path::new(PATH)])
    }
    let all = operations(&base, |disk| {
        assert!(run(disk, &options(disk, &mut Random::new(0)), &Cell::new(0)).unwrap());
    });
    let (mut whole, mut cut) = (0, 0);
    for seed in seeds(200, 2) {
        let mut random = Random::new(seed);
        let disk = base.copy(seed);
        let committed = Cell::new(BATCHES);
        for time in 0..2 {
            let said = format!("LUCID_CUT_SEED={seed}, cut {time}");
            disk.cut_after(random.below(all + all / 8));
            let before = committed.get();
            let outcome = run(&disk, &options(&disk, &mut random), &committed);
            assert!(outcome.is_ok() || disk.is_off(), "{said}: {outcome:?}");
            assert!(committed.get() >= before, "{said}");
            (if outcome.is_ok() { &mut whole } else { &mut cut }).add_assign(1);
            disk.restore();
            let store = check_after_cut(&disk, &options(&disk, &mut random), committed.get(), &said);
            committed.set(commit_next(&store).unwrap());
        }
    }
    assert!(whole > 0 && cut > 0, "{whole} and {cut}");
}
