//! Holds the levels of a table against what they have to be.

use super::{
    part::{Part, ROW_BYTES, is_below},
    read::Layers,
    state::{STATE_KEY, YOUNGEST},
};
use crate::error::StoreError;
use redb::ReadableTable;

/// What is found: the key of the row, and what is wrong.
pub(crate) type Find<'a> = dyn FnMut(&[u8], String) + 'a;

/// Checks that the parts of each level tile the space, that each has keys of its own stretch in their order and no more than
/// fit, and that there are as many as is said.
///
/// # Errors
/// The store cannot be read, or a row is damaged.
pub(crate) fn check_layers(layers: &Layers, find: &mut Find<'_>) -> Result<(), StoreError> {
    let mut counted = vec![0u64; usize::from(u8::MAX) + 1];
    // Where the part before ends, and its level.
    let mut before: Option<(u8, Vec<u8>)> = None;
    for row in layers.parts.iter().map_err(StoreError::engine)? {
        let row = row.map_err(StoreError::engine)?;
        if row.0.value() == STATE_KEY {
            continue;
        }
        let row_key = row.0.value().to_vec();
        let level = row_key.first().copied().unwrap_or_default();
        if layers.state.entries_of_any(level) == 0 {
            find(&row_key, "is of a level that is said to have no entries".to_owned());
            continue;
        }
        let part = Part::read(layers.table, row)?;
        let is_next = match before.take() {
            Some((last, end)) if last == level => !end.is_empty() && part.start() == end,
            Some((_, end)) => end.is_empty() && part.start().is_empty(),
            None => part.start().is_empty(),
        };
        if !is_next {
            find(&row_key, "does not begin where the part before it ends".to_owned());
        }
        check_part(&part, find);
        counted[usize::from(level)] += part.keys().count() as u64;
        before = Some((level, part.end().to_vec()));
    }
    if before.is_some_and(|(_, end)| !end.is_empty()) {
        find(&[], "the last part does not end with the space".to_owned());
    }
    for level in layers.state.levels() {
        let (said, found) = (layers.state.entries_of(level), counted[usize::from(level)]);
        if said != found {
            find(&STATE_KEY, format!("level {level} is said to have {said} entries, and has {found}"));
        }
    }
    debug_assert!(counted[..usize::from(YOUNGEST)].iter().all(|count| *count == 0));
    Ok(())
}

fn check_part(part: &Part<'_>, find: &mut Find<'_>) {
    let mut last: Option<&[u8]> = None;
    for key in part.keys() {
        if key < part.start() || !is_below(key, part.end()) || last.is_some_and(|last| last >= key) {
            find(part.row_key(), "has a key that is not in its place".to_owned());
        }
        last = Some(key);
    }
    if part.row_bytes() > ROW_BYTES && part.keys().nth(1).is_some() {
        find(part.row_key(), format!("is a part of {} bytes", part.row_bytes()));
    }
}
