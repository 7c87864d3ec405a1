//! A store of an older format is migrated while the power goes.

use super::model::{PATH, commit_next, meta, options, seeds};
use crate::{
    Direction, FORMAT_VERSION, Findings, Meta, Migration, Options, Reader, Snapshot, Store, StoreError, TableId,
    layers::tests::unlay,
    testing::{PowerCut, Random},
};

/// A disk with a store of format 1 without the shard ranges of its rows, and with every index in rows.
fn disk_of_format_1() -> PowerCut {
    let disk = PowerCut::new(0);
    let options = Options { disk: disk.disk(), quick_repair_from_bytes: u64::MAX, ..Options::default() };
    let store = Store::create(PATH, &Meta { format_version: 1, ..meta() }, &options).unwrap();
    for _ in 0..60 {
        commit_next(&store).unwrap();
    }
    let mut batch = store.begin().unwrap();
    let ranges: Vec<_> = batch.raw_prefix(TableId::ShardRanges, &[], Direction::Forward).unwrap().collect();
    assert!(ranges.len() > 2, "{}", ranges.len());
    for range in ranges {
        batch.raw_remove(TableId::ShardRanges, range.unwrap().0);
    }
    store.commit(batch).unwrap();
    unlay(&store, TableId::ChunksByCiphertextSha256);
    drop(store);
    disk.restore();
    disk
}

type Entry = (TableId, Vec<u8>, Vec<u8>);

/// Everything but the ranges and what the store says of itself, and how many ranges there are.
fn contents(snapshot: &Snapshot) -> (Vec<Entry>, u64) {
    let mut findings = Findings::default();
    snapshot.check_rows(&mut findings, &mut |_| Ok(())).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    let mut all = Vec::new();
    for table in TableId::ALL.into_iter().filter(|table| ![TableId::Meta, TableId::ShardRanges].contains(table)) {
        let rows = snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap);
        all.extend(rows.map(|(key, value)| (table, key, value)));
    }
    (all, snapshot.len(TableId::ShardRanges).unwrap())
}

#[test]
fn a_power_cut_while_a_store_is_migrated_is_made_good_by_the_next_run() {
    let base = disk_of_format_1();
    let options_of = |disk: &PowerCut| Options { disk: disk.disk(), ..Options::default() };
    let migrate = |disk: &PowerCut, options: &Options| -> Result<(), StoreError> {
        Migration::begin(PATH, &Options { disk: disk.disk(), ..options.clone() })?.run(&mut |_| Ok(()))
    };
    let copy = base.copy(0);
    let rows = contents(&Store::inspect(PATH, &options_of(&copy), true).unwrap().1).0;
    let before = copy.operations();
    migrate(&copy, &options_of(&copy)).unwrap();
    let all = copy.operations() - before;
    let (mut old, mut new) = (0, 0);
    for seed in seeds(300, 2) {
        let mut random = Random::new(seed);
        let disk = base.copy(seed);
        for cut in 0..2 {
            let said = format!("LUCID_CUT_SEED={seed}, cut {cut}");
            disk.cut_after(random.below(all + all / 8));
            let outcome = migrate(&disk, &options(&disk, &mut random));
            assert!(outcome.is_ok() || disk.is_off(), "{said}: {outcome:?}");
            disk.restore();
            // The old format until the last step is done, and then the new one with all that belongs to it.
            let copy = disk.copy(0);
            let (meta, snapshot) = Store::inspect(PATH, &options_of(&copy), true).unwrap();
            assert!(contents(&snapshot).0 == rows, "{said}");
            match meta.format_version {
                FORMAT_VERSION => new += 1,
                _ => {
                    assert!(outcome.is_err(), "{said}: it was answered as done");
                    old += 1;
                }
            }
        }
        let said = format!("LUCID_CUT_SEED={seed}, at the end");
        migrate(&disk, &options(&disk, &mut random)).unwrap_or_else(|error| panic!("{said}: {error}"));
        let store = Store::open(PATH, &options(&disk, &mut random)).unwrap();
        let (left, ranges) = contents(&store.snapshot().unwrap());
        assert!(left == rows && ranges > 2, "{said}: {ranges} ranges");
        commit_next(&store).unwrap();
        contents(&store.snapshot().unwrap());
    }
    assert!(old > 0 && new > 0, "{old} and {new}");
}
