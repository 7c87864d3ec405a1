//! Which way a query takes: one index, or the keys themselves, in a few ranges.
//!
//! Every way gives the same documents, since each row is held against the whole filter. The one is taken that meets the
//! fewest rows, which is counted, up to a bound.

use super::{
    constraint::{Constraint, constraint, is_covered},
    filter::Filter,
    limits::{DIVE_ENTRIES, MAX_RANGES},
    order::Order,
    path::FieldPath,
};
use crate::{
    error::StoreError,
    key::{StoreKey, successor},
    range::Direction,
    reader::Reader,
    schema::{FieldType, Schema, append_key_part, key_part_bytes},
    space::RowSpace,
    tables::TableId,
};
use lucid_types::Value;
use std::ops::Bound;

/// Bytes from the first on, and up to the second without it.
pub(super) type KeyRange = (Vec<u8>, Vec<u8>);

/// A way to meet rows.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Number of the index among the collection's, from 1; 0 for the keys themselves.
    pub(super) number: u8,
    /// The table that is walked.
    pub(super) table: TableId,
    /// Its fields, with `+` between them.
    pub(super) fields: String,
    /// What is walked of it, in order; none where nothing can be what is asked for.
    pub(super) ranges: Vec<KeyRange>,
    /// Fields that the ranges were made from.
    pub(super) narrowed: usize,
    pub(super) direction: Direction,
    /// Whether rows come in the order that is asked for.
    pub(super) in_order: bool,
    /// Whether it meets exactly the rows that are asked for.
    pub(super) covered: bool,
    /// Rows that it meets, counted up to a bound; `None` where they were not counted.
    pub(super) entries: Option<u64>,
}

impl Way {
    /// Whether the keys themselves are walked.
    pub(super) fn is_by_key(&self) -> bool {
        self.number == 0
    }
}

/// All ways that a query could take, the best first. `limit` is how many documents are asked for.
pub(super) fn ways(
    reader: &dyn Reader,
    schema: &Schema,
    filter: &Filter,
    order: &Order,
    limit: u64,
) -> Result<Vec<Way>, StoreError> {
    let mut ways = possible(reader.space(), schema, filter, order);
    if ways.len() == 1 {
        return Ok(ways);
    }
    for way in &mut ways {
        if way.narrowed > 0 {
            way.entries = Some(dive(reader, way)?);
        }
    }
    ways.sort_by_key(|way| {
        let met = way.entries.unwrap_or(u64::MAX);
        let read = if way.covered && way.in_order { met.min(limit) } else { met };
        (read, !way.in_order, usize::MAX - way.narrowed, way.number)
    });
    Ok(ways)
}

/// The way of this number, as it was taken before.
pub(super) fn way(space: &RowSpace, schema: &Schema, filter: &Filter, order: &Order, number: u8) -> Option<Way> {
    possible(space, schema, filter, order).into_iter().find(|way| way.number == number)
}

/// The keys themselves, which every row has, and each index that has all rows that are asked for and that either narrows
/// them or has them in order.
fn possible(space: &RowSpace, schema: &Schema, filter: &Filter, order: &Order) -> Vec<Way> {
    let keys = make_way(space, schema, filter, order, 0, schema.def.table, schema.def.key_fields);
    let mut ways: Vec<Way> = keys.into_iter().collect();
    for (place, index) in schema.indexes().enumerate() {
        let fields: Vec<&str> = index.fields().collect();
        let Ok(number) = u8::try_from(place + 1) else { continue };
        let is_of_use = |way: &Way| way.narrowed > 0 || (way.in_order && !order.is_empty());
        ways.extend(make_way(space, schema, filter, order, number, index.table, &fields).filter(is_of_use));
    }
    ways
}

fn make_way(
    space: &RowSpace,
    schema: &Schema,
    filter: &Filter,
    order: &Order,
    number: u8,
    table: TableId,
    names: &[&str],
) -> Option<Way> {
    let paths = names.iter().map(|name| FieldPath::resolve(schema, name).ok()).collect::<Option<Vec<_>>>()?;
    let constraints: Vec<_> = names.iter().map(|name| constraint(filter, name)).collect();
    // A row without one of an index's fields has no entry in it.
    let is_complete = paths.iter().zip(&constraints).all(|(path, constraint)| !path.optional || constraint.is_some());
    if !is_complete {
        return None;
    }
    let by_key = keys_of(filter).filter(|_| number == 0);
    let (ranges, narrowed) = match by_key {
        Some(keys) => (key_ranges(space, schema, keys), names.len()),
        None => ranges_of(space, &paths, &constraints),
    };
    // Behind an index's own fields lie those of the key.
    let mut all: Vec<FieldPath> = paths;
    if number != 0 {
        all.extend(schema.def.key_fields.iter().filter_map(|name| FieldPath::resolve(schema, name).ok()));
    }
    let direction = direction_of(schema, &all, filter, order);
    Some(Way {
        number,
        table,
        fields: names.join("+"),
        narrowed,
        direction: direction.unwrap_or(Direction::Forward),
        in_order: direction.is_some(),
        covered: by_key.is_none() && is_covered(filter, &names[..narrowed]),
        ranges,
        entries: None,
    })
}

/// The keys that rows must have one of.
fn keys_of(filter: &Filter) -> Option<&[Vec<Value>]> {
    filter.conjuncts().into_iter().find_map(|filter| match filter {
        Filter::Key(keys) => Some(&keys[..]),
        _ => None,
    })
}

fn key_ranges(space: &RowSpace, schema: &Schema, keys: &[Vec<Value>]) -> Vec<KeyRange> {
    let range = |key: &Vec<Value>| {
        let lower = schema.row_key(space, key)?;
        let upper = successor(&lower)?;
        Some((lower, upper))
    };
    let mut ranges: Vec<_> = keys.iter().filter_map(range).collect();
    ranges.sort();
    ranges.dedup();
    ranges
}

/// The ranges of a table whose keys begin with these fields, and how many of the fields they were made from.
fn ranges_of(space: &RowSpace, paths: &[FieldPath], constraints: &[Option<Constraint>]) -> (Vec<KeyRange>, usize) {
    let mut begun = vec![space.prefix().to_vec()];
    for (narrowed, (path, constraint)) in paths.iter().zip(constraints).enumerate() {
        match constraint {
            Some(Constraint::Points(values)) if begun.len() * values.len() <= MAX_RANGES => {
                // A value that no key has leads to nothing.
                let parts: Vec<_> = values.iter().filter_map(|value| key_part_bytes(&path.kind, value)).collect();
                let with = |begun: &Vec<u8>, part: &Vec<u8>| [&begun[..], part].concat();
                begun = begun.iter().flat_map(|begun| parts.iter().map(move |part| with(begun, part))).collect();
                begun.sort();
            }
            Some(Constraint::Range { lower, upper, prefix }) if path.kind.sorts_as_key() => {
                let within = |begun: &Vec<u8>| range_within(begun, &path.kind, lower, upper, prefix.as_deref());
                return (begun.iter().filter_map(within).collect(), narrowed + 1);
            }
            _ => return (begun.iter().filter_map(|begun| whole(begun)).collect(), narrowed),
        }
    }
    (begun.iter().filter_map(|begun| whole(begun)).collect(), paths.len())
}

fn whole(begun: &[u8]) -> Option<KeyRange> {
    Some((begun.to_vec(), successor(begun)?))
}

fn range_within(
    begun: &[u8],
    kind: &FieldType,
    lower: &Bound<Value>,
    upper: &Bound<Value>,
    prefix: Option<&str>,
) -> Option<KeyRange> {
    let with = |value: &Value| {
        let mut key = begun.to_vec();
        append_key_part(kind, value, &mut key).then_some(key)
    };
    // Of numbers those that no key has lie below all of them or above.
    let is_below = |value: &Value| matches!(value, Value::Int(value) if *value < 0);
    let all = whole(begun)?;
    let mut from = match lower {
        Bound::Unbounded => all.0,
        Bound::Included(value) | Bound::Excluded(value) => match (with(value), lower) {
            (Some(key), Bound::Excluded(_)) => successor(&key)?,
            (Some(key), _) => key,
            (None, _) if is_below(value) => all.0,
            (None, _) => return None,
        },
    };
    let mut to = match upper {
        Bound::Unbounded => all.1,
        Bound::Included(value) | Bound::Excluded(value) => match (with(value), upper) {
            (Some(key), Bound::Included(_)) => successor(&key)?,
            (Some(key), _) => key,
            (None, _) if is_below(value) => return None,
            (None, _) => all.1,
        },
    };
    if let Some(prefix) = prefix {
        let mut text = prefix.to_owned().to_key_bytes();
        // Without what ends a text.
        text.truncate(text.len() - 2);
        let first = [begun, &text].concat();
        to = to.min(successor(&first)?);
        from = from.max(first);
    }
    (from < to).then_some((from, to))
}

/// The direction in which a walk of these fields, and of those of the key behind them, has the order that is asked for;
/// `None` where neither has. Rows that an order leaves open come by their keys, whichever way is taken.
fn direction_of(schema: &Schema, fields: &[FieldPath], filter: &Filter, order: &Order) -> Option<Direction> {
    if order.is_empty() {
        return Some(Direction::Forward);
    }
    // What has one value in all documents that are asked for sorts nothing.
    let varies =
        |name: &str| !matches!(constraint(filter, name), Some(Constraint::Points(points)) if points.len() <= 1);
    let mut walked = fields.iter().filter(|field| varies(&field.name));
    let sorted: Vec<_> = order.fields().iter().filter(|sorted| varies(&sorted.path.name)).collect();
    let down = order.ends_descending();
    for sorted in &sorted {
        let next = walked.next()?;
        if next.name != sorted.path.name || !next.kind.sorts_as_key() || sorted.descending != down {
            return None;
        }
    }
    let is_open = |name: &&&str| varies(name) && !sorted.iter().any(|sorted| sorted.path.name == **name);
    let open = schema.def.key_fields.iter().filter(is_open);
    let is_by_key = walked.map(|field| field.name.as_str()).eq(open.copied());
    is_by_key.then_some(if down { Direction::Reverse } else { Direction::Forward })
}

/// Counts what a way meets, up to a bound.
fn dive(reader: &dyn Reader, way: &Way) -> Result<u64, StoreError> {
    let mut met = 0;
    for (from, to) in &way.ranges {
        let range = reader.raw_range(
            way.table,
            Bound::Included(from.as_slice()),
            Bound::Excluded(to.as_slice()),
            Direction::Forward,
        );
        let mut range = range?;
        while range.next_view()?.is_some() {
            met += 1;
            if met >= DIVE_ENTRIES {
                return Ok(met);
            }
        }
    }
    Ok(met)
}
