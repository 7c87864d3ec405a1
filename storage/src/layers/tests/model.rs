//! Puts, removals and commits in any mixture leave what a plain set of keys has.

use super::{
    super::{
        part::place_between,
        state::{Level, State, YOUNGEST},
    },
    support::{TABLE, new_store, spread, wrong},
};
use crate::{Batch, Direction, Reader};
use proptest::prelude::*;
use std::{collections::BTreeSet, ops::Bound};

/// Keys that are near each other and of any length, among which there is one for each number, spread over the space.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => prop::collection::vec(0u8..4, 0..5),
        5 => (0u16..600).prop_map(spread),
        1 => (0u16..40, 100usize..300).prop_map(|(n, length)| [&spread(n)[..], &vec![7; length]].concat()),
    ]
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
            *state.level_mut(level) = Level { entries, cursor };
        }
        prop_assert_eq!(State::decode(&state.encode()), Some(state));
    }
}
