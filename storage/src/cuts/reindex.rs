//! What follows from rows is made anew while the power goes.

use super::model::{PATH, check_after_cut, commit_next, digest, disk_with_store, options, seeds};
use crate::{
    Direction, Options, Reader, Store, StoreError, TableId, reindex,
    testing::{PowerCut, Random},
};

const SPOILED: [TableId; 5] = [
    TableId::TransactionsByHash,
    TableId::ChunksByCiphertextSha256,
    TableId::SessionAnchoringsByStatus,
    TableId::ChunksBySequence,
    TableId::ShardRanges,
];

/// Takes entries away, and makes others up.
fn spoil(disk: &PowerCut) {
    let store = Store::open(PATH, &Options { disk: disk.disk(), ..Options::default() }).unwrap();
    let mut batch = store.begin().unwrap();
    for table in SPOILED {
        let entries: Vec<_> = batch.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap).collect();
        for (place, (key, value)) in entries.into_iter().enumerate() {
            match place % 3 {
                0 => batch.raw_remove(table, key),
                1 if table != TableId::ShardRanges => batch.raw_put(table, [&key[..], &[1]].concat(), value),
                _ => {}
            }
        }
    }
    store.commit(batch).unwrap();
    drop(store);
    disk.restore();
}

/// Whether it was cut or not, the next run ends with what a store has that nothing happened to.
#[test]
fn a_power_cut_while_indexes_are_made_anew_is_made_good_by_the_next_run() {
    const BATCHES: u64 = 40;
    let whole = disk_with_store(BATCHES);
    let ranges = |disk: &PowerCut| {
        let store = Store::open(PATH, &Options { disk: disk.disk(), ..Options::default() }).unwrap();
        let snapshot = store.snapshot().unwrap();
        let mut rows = Vec::new();
        for table in SPOILED {
            rows.extend(snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap));
        }
        rows
    };
    let wanted = ranges(&whole.copy(0));
    let base = whole.copy(0);
    spoil(&base);
    let run = |options: &Options| -> Result<bool, StoreError> {
        let store = Store::open(PATH, options)?;
        Ok(reindex(&store, &mut |_| Ok(()))?.repairs.is_empty())
    };
    let copy = base.copy(0);
    let before = copy.operations();
    assert!(!run(&options(&copy, &mut Random::new(0))).unwrap());
    let all = copy.operations() - before;
    let mut cut = 0;
    for seed in seeds(200, 2) {
        let mut random = Random::new(seed);
        let disk = base.copy(seed);
        for time in 0..2 {
            let said = format!("LUCID_CUT_SEED={seed}, cut {time}");
            disk.cut_after(random.below(all + all / 8));
            let outcome = run(&options(&disk, &mut random));
            assert!(outcome.is_ok() || disk.is_off(), "{said}: {outcome:?}");
            cut += u32::from(outcome.is_err());
            disk.restore();
        }
        let said = format!("LUCID_CUT_SEED={seed}");
        run(&options(&disk, &mut random)).unwrap();
        assert!(run(&options(&disk, &mut random)).unwrap(), "{said}: something was left");
        assert!(ranges(&disk) == wanted, "{said}");
    }
    assert!(cut > 0);
    // And a store that nothing is wrong with is left as it is.
    let disk = whole.copy(7);
    assert!(run(&options(&disk, &mut Random::new(7))).unwrap());
    disk.restore();
    let store = check_after_cut(&disk, &options(&disk, &mut Random::new(7)), BATCHES, "nothing wrong");
    let untouched = digest(&store.snapshot().unwrap());
    assert_eq!(commit_next(&store).unwrap(), BATCHES + 1);
    assert!(digest(&store.snapshot().unwrap()) != untouched);
}
