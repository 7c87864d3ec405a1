//! A part that is not what it was makes no wrong answer, and `db verify` finds what no read does.

use super::{
    super::{part::push_key, state::YOUNGEST, write::Levels},
    support::{TABLE, all, findings, store_with_rows, tamper},
};
use crate::{Direction, Reader, Store, StoreError, reindex, snapshot::layers_definition};
use redb::ReadableTable;

fn row_keys(store: &Store) -> Vec<Vec<u8>> {
    let snapshot = store.snapshot().unwrap();
    let rows = snapshot.layers(TABLE).unwrap().unwrap().rows().iter().unwrap();
    rows.map(|row| row.unwrap().0.value().to_vec()).collect()
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
        keys.iter().for_each(|key| push_key(&mut bytes, key));
        levels.put_part(2, &start, &end, &bytes).unwrap();
    });
    assert!(!unordered.is_empty());
    let of_no_level = with_levels(&|levels| {
        let mut bytes = Vec::new();
        push_key(&mut bytes, b"key");
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
        push_key(&mut bytes, &oldest);
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
