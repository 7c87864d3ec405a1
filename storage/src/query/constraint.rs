//! What a filter says of single fields, as far as an index can use it.

use super::filter::{Filter, Test};
use lucid_types::Value;
use std::ops::Bound;

/// What one field must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constraint {
    /// One of these values, sorted and each once; none of them is null.
    Points(Vec<Value>),
    /// Between these.
    Range {
        lower: Bound<Value>,
        upper: Bound<Value>,
        /// Text that begins so.
        prefix: Option<String>,
    },
}

/// What a filter says of one field in all its tests together, where none of them can be met by a field that is absent.
/// `None` where it says nothing that an index could use.
pub(super) fn constraint(filter: &Filter, field: &str) -> Option<Constraint> {
    let mut points: Option<Vec<Value>> = None;
    let (mut lower, mut upper, mut prefix) = (Bound::Unbounded, Bound::Unbounded, None);
    for test in tests_of(filter, field) {
        match test {
            Test::Eq(value) => meet(&mut points, std::slice::from_ref(value)),
            Test::In(values) => meet(&mut points, values),
            Test::Gt(value) => raise(&mut lower, Bound::Excluded(value.clone())),
            Test::Gte(value) => raise(&mut lower, Bound::Included(value.clone())),
            Test::Lt(value) => sink(&mut upper, Bound::Excluded(value.clone())),
            Test::Lte(value) => sink(&mut upper, Bound::Included(value.clone())),
            Test::Prefix(text) => prefix = longer(prefix, text),
            Test::Exists => {}
        }
    }
    if let Some(mut points) = points {
        // The walk tests every row once more, so a bound beside points need not make them fewer.
        return (!points.iter().any(Value::is_null)).then(|| {
            points.dedup();
            Constraint::Points(points)
        });
    }
    let says_something = prefix.is_some() || lower != Bound::Unbounded || upper != Bound::Unbounded;
    says_something.then_some(Constraint::Range { lower, upper, prefix })
}

/// Whether a walk by what [`constraint`] says of these fields meets exactly the rows that the filter asks for.
pub(super) fn is_covered(filter: &Filter, fields: &[&str]) -> bool {
    let known = |filter: &&Filter| match filter {
        Filter::Field(path, test) => {
            !path.in_list && !matches!(test, Test::Exists) && fields.contains(&path.name.as_str())
        }
        _ => false,
    };
    let conjuncts = filter.conjuncts();
    conjuncts.iter().all(known) && fields.iter().all(|field| is_plain(filter, field))
}

/// Whether the tests of a field are points alone or bounds alone, at most one prefix and that by itself: then a walk says
/// all that they say.
fn is_plain(filter: &Filter, field: &str) -> bool {
    let tests: Vec<_> = tests_of(filter, field).collect();
    let count = |kind: fn(&Test) -> bool| tests.iter().filter(|test| kind(test)).count();
    let points = count(|test| matches!(test, Test::Eq(_) | Test::In(_)));
    let prefixes = count(|test| matches!(test, Test::Prefix(_)));
    points == tests.len() || (points == 0 && (prefixes == 0 || tests.len() == 1))
}

/// The tests of a field that every row has to pass, where the field is in no list.
fn tests_of<'a>(filter: &'a Filter, field: &'a str) -> impl Iterator<Item = &'a Test> {
    filter.conjuncts().into_iter().filter_map(move |filter| match filter {
        Filter::Field(path, test) if path.name == field && !path.in_list => Some(test),
        _ => None,
    })
}

fn meet(points: &mut Option<Vec<Value>>, values: &[Value]) {
    match points {
        Some(points) => points.retain(|point| values.contains(point)),
        None => *points = Some(values.to_vec()),
    }
}

fn raise(lower: &mut Bound<Value>, other: Bound<Value>) {
    let is_higher = match (&*lower, &other) {
        (Bound::Unbounded, _) => true,
        (Bound::Included(one), Bound::Excluded(other)) => other >= one,
        (Bound::Included(one) | Bound::Excluded(one), Bound::Included(other) | Bound::Excluded(other)) => other > one,
        (_, Bound::Unbounded) => false,
    };
    if is_higher {
        *lower = other;
    }
}

fn sink(upper: &mut Bound<Value>, other: Bound<Value>) {
    let is_lower = match (&*upper, &other) {
        (Bound::Unbounded, _) => true,
        (Bound::Included(one), Bound::Excluded(other)) => other <= one,
        (Bound::Included(one) | Bound::Excluded(one), Bound::Included(other) | Bound::Excluded(other)) => other < one,
        (_, Bound::Unbounded) => false,
    };
    if is_lower {
        *upper = other;
    }
}

fn longer(prefix: Option<String>, other: &str) -> Option<String> {
    Some(match prefix {
        Some(prefix) if prefix.len() >= other.len() => prefix,
        _ => other.to_owned(),
    })
}
