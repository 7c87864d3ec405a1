//! What lies in which level, and what a commit writes for that.

use super::{
    super::{
        lay_rows,
        part::{Part, ROW_BYTES},
        state::{STATE_KEY, YOUNGEST, capacity},
    },
    support::{TABLE, all, findings, levels_of, new_store, spread, store_with_rows, unlay, write, wrong},
};
use crate::{
    ChunkKey, ChunkRecord, Chunks, Direction, Options, Reader, Store,
    samples::{address, hash, session},
};
use redb::ReadableTable;

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
