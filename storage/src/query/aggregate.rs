//! Aggregates: `$match`, then `$group`, then `$sort` and `$limit`, in that order and each at most once.

use super::{
    error::{QueryError, malformed},
    filter::Filter,
    find::{FindOptions, find, for_each_match, schema_of},
    limits::{MAX_GROUPS, MAX_LIMIT, MAX_NAMED_FIELDS, MAX_RESULT_BYTES},
    path::FieldPath,
    spec::{Pipeline, SortSpec, Stage},
};
use crate::{
    reader::Reader,
    schema::{FieldType, Schema},
};
use alloy_primitives::U256;
use lucid_types::{Document, Value, nearest};
use serde_json::{Map, Value as Json, json};
use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap};

/// The stages, in the order in which they come.
const STAGES: [&str; 4] = ["$match", "$group", "$sort", "$limit"];

/// The words that a group computes with.
const ACCUMULATORS: [&str; 5] = ["$sum", "$avg", "$min", "$max", "$count"];

/// What a pipeline makes of a collection.
///
/// # Errors
///
/// As [`find`], and where there are more groups than are answered at once.
pub fn aggregate(reader: &dyn Reader, collection: &str, pipeline: &Pipeline) -> Result<Vec<Document>, QueryError> {
    let schema = schema_of(collection)?;
    let Stages { filter, group, sort, limit } = Stages::read(pipeline)?;
    let Some(group) = group else {
        let options = FindOptions { sort, limit: Some(limit.unwrap_or(MAX_LIMIT)), ..FindOptions::default() };
        let found = find(reader, collection, &filter, &options)?;
        // Who asked for all, or for so many, must not take a part for it.
        let is_short = limit.is_none_or(|limit| (found.documents.len() as u64) < limit);
        return match found.cursor {
            Some(_) if is_short => Err(QueryError::TooManyResults),
            _ => Ok(found.documents),
        };
    };
    let filter = Filter::parse(schema, &filter)?;
    let group = Group::parse(schema, &group)?;
    let sort = sort.map(|sort| group.parse_sort(&sort)).transpose()?;
    let mut documents = group.run(reader, schema, &filter)?;
    if let Some(sort) = sort {
        documents.sort_by(|one, other| compare(&sort, one, other));
    }
    match limit {
        Some(0) => return Err(QueryError::Limit(0)),
        Some(limit) => documents.truncate(usize::try_from(limit).unwrap_or(usize::MAX)),
        None => {}
    }
    Ok(documents)
}

/// The stages of a pipeline, by what they are.
struct Stages {
    filter: Json,
    group: Option<Json>,
    sort: Option<SortSpec>,
    limit: Option<u64>,
}

impl Stages {
    fn read(pipeline: &Pipeline) -> Result<Self, QueryError> {
        const EXPECTED: &str = "one of $match, $group, $sort and $limit, in this order, each at most once";
        let mut stages = Self { filter: json!({}), group: None, sort: None, limit: None };
        let mut next = 0;
        for stage in &pipeline.0 {
            let word = match stage {
                Stage::Sort(_) => "$sort",
                Stage::Other(word, _) => word,
            };
            let Some(place) = STAGES.iter().position(|known| *known == word) else {
                let word = word.chars().take(64).collect::<String>();
                return Err(QueryError::UnknownWord { nearest: nearest(&word, STAGES), word, place: "a pipeline" });
            };
            if place < next {
                return Err(malformed("a stage", &word.into(), EXPECTED));
            }
            next = place + 1;
            match (stage, place) {
                (Stage::Sort(spec), _) => stages.sort = Some(spec.clone()),
                (Stage::Other(_, json), 0) => stages.filter = json.clone(),
                (Stage::Other(_, json), 1) => stages.group = Some(json.clone()),
                (Stage::Other(_, json), _) => {
                    let limit = json.as_u64().ok_or_else(|| malformed("$limit", json, "a number from 1 on"))?;
                    stages.limit = Some(limit);
                }
            }
        }
        Ok(stages)
    }
}

fn only_member(json: &Json) -> Option<(&String, &Json)> {
    let members = json.as_object().filter(|members| members.len() == 1)?;
    members.iter().next()
}

/// What rows are put together by, and what is computed of those that are together.
struct Group {
    /// Each with its name in `_id`; without a name `_id` is the value itself.
    by: Vec<(Option<String>, FieldPath)>,
    computed: Vec<(String, Computation)>,
}

/// What is computed.
enum Computation {
    /// The number of rows, times this.
    Count(i128),
    Sum(FieldPath),
    Avg(FieldPath),
    Min(FieldPath),
    Max(FieldPath),
}

/// What has been computed so far.
#[derive(Debug, Clone)]
enum Computed {
    Sum(Value),
    Avg(Value, u64),
    Extreme(Value),
}

impl Group {
    fn parse(schema: &Schema, json: &Json) -> Result<Self, QueryError> {
        const EXPECTED: &str =
            "an object with _id, and names with what is computed, such as {\"$sum\": \"$size_bytes\"}";
        let members = json.as_object().ok_or_else(|| malformed("$group", json, EXPECTED))?;
        let id = members.get("_id").ok_or_else(|| malformed("$group", json, EXPECTED))?;
        if members.len() > MAX_NAMED_FIELDS {
            return Err(QueryError::TooLarge);
        }
        let computed = members.iter().filter(|(name, _)| *name != "_id").map(|(name, json)| {
            if name.is_empty() || name.contains(['$', '.']) {
                return Err(malformed("a name in $group", &Json::from(name.as_str()), "one without $ and dots"));
            }
            Ok((name.clone(), Computation::parse(schema, name, json)?))
        });
        Ok(Self { by: parse_id(schema, id)?, computed: computed.collect::<Result<_, _>>()? })
    }

    fn run(&self, reader: &dyn Reader, schema: &Schema, filter: &Filter) -> Result<Vec<Document>, QueryError> {
        let mut groups: BTreeMap<Vec<Value>, Vec<Computed>> = BTreeMap::new();
        let mut bytes = 0;
        for_each_match(reader, schema, filter, &mut |row| {
            let key: Vec<Value> = self.by.iter().map(|(_, path)| path.value(row)).collect();
            if !groups.contains_key(&key) {
                bytes += key.iter().map(Value::size_bytes).sum::<usize>() + self.computed.len() * size_of::<Computed>();
                if groups.len() >= MAX_GROUPS || bytes > MAX_RESULT_BYTES {
                    return Err(QueryError::TooManyResults);
                }
            }
            let begin = || self.computed.iter().map(|(_, computation)| computation.begin()).collect();
            let computed = groups.entry(key).or_insert_with(begin);
            for ((name, computation), so_far) in self.computed.iter().zip(computed) {
                bytes += computation.take(row, so_far, name)?;
            }
            Ok(())
        })?;
        Ok(groups.into_iter().map(|(key, computed)| self.document(key, computed)).collect())
    }

    fn document(&self, key: Vec<Value>, computed: Vec<Computed>) -> Document {
        let mut id = Value::Null;
        let mut named = Vec::new();
        for ((name, _), value) in self.by.iter().zip(key) {
            match name {
                Some(name) => named.push((Cow::Owned(name.clone()), value)),
                None => id = value,
            }
        }
        if !named.is_empty() {
            id = Value::Document(Document(named));
        }
        let mut document = vec![(Cow::Borrowed("_id"), id)];
        document.extend(
            self.computed.iter().zip(computed).map(|((name, _), value)| (Cow::Owned(name.clone()), value.finish())),
        );
        Document(document)
    }

    /// Reads what the groups are sorted by: names of theirs.
    fn parse_sort(&self, spec: &SortSpec) -> Result<Vec<(Vec<String>, bool)>, QueryError> {
        const EXPECTED: &str = "_id or a computed name, with 1 or -1";
        let read = |(name, direction): &(String, Json)| {
            let steps: Vec<String> = name.split('.').map(str::to_owned).collect();
            let is_known = match steps.as_slice() {
                [id] if id == "_id" => true,
                [id, part] if id == "_id" => self.by.iter().any(|(name, _)| name.as_ref() == Some(part)),
                [name] => self.computed.iter().any(|(known, _)| known == name),
                _ => false,
            };
            match (is_known, direction.as_i64()) {
                (true, Some(1)) => Ok((steps, false)),
                (true, Some(-1)) => Ok((steps, true)),
                _ => Err(malformed("a member of $sort", &json!({ name: direction }), EXPECTED)),
            }
        };
        spec.0.iter().map(read).collect()
    }
}

/// `null`, a field as `"$field"`, or names with a field each.
fn parse_id(schema: &Schema, json: &Json) -> Result<Vec<(Option<String>, FieldPath)>, QueryError> {
    match json {
        Json::Null => Ok(Vec::new()),
        Json::Object(members) if !members.is_empty() && members.len() <= MAX_NAMED_FIELDS => {
            let read = |(name, json): (&String, &Json)| Ok((Some(name.clone()), single_field(schema, "_id", json)?));
            members.iter().map(read).collect()
        }
        json => Ok(vec![(None, single_field(schema, "_id", json)?)]),
    }
}

/// A field that is named `"$field"` and of which each document has at most one value.
fn single_field(schema: &Schema, place: &str, json: &Json) -> Result<FieldPath, QueryError> {
    const EXPECTED: &str = "a field as \"$field\", with one value in each document";
    let name = json.as_str().and_then(|text| text.strip_prefix('$'));
    let path = FieldPath::resolve(schema, name.ok_or_else(|| malformed(place, json, EXPECTED))?)?;
    match path.in_list || matches!(path.kind, FieldType::Document(_)) {
        true => Err(malformed(place, json, EXPECTED)),
        false => Ok(path),
    }
}

impl Computation {
    fn parse(schema: &Schema, name: &str, json: &Json) -> Result<Self, QueryError> {
        const EXPECTED: &str = "one of $sum, $avg, $min, $max and $count with a field";
        let (word, operand) = only_member(json).ok_or_else(|| malformed(name, json, EXPECTED))?;
        let field = || single_field(schema, name, operand);
        let number = || match field()? {
            path if is_number(&path.kind) => Ok(path),
            _ => Err(malformed(name, operand, "a field of numbers")),
        };
        match word.as_str() {
            "$sum" => match operand.as_i64() {
                Some(times) => Ok(Self::Count(times.into())),
                None => number().map(Self::Sum),
            },
            "$avg" => number().map(Self::Avg),
            "$min" => field().map(Self::Min),
            "$max" => field().map(Self::Max),
            "$count" if operand.as_object().is_some_and(Map::is_empty) => Ok(Self::Count(1)),
            "$count" => Err(malformed("$count", operand, "{}")),
            word => {
                let word = word.chars().take(64).collect::<String>();
                Err(QueryError::UnknownWord { nearest: nearest(&word, ACCUMULATORS), word, place: "$group" })
            }
        }
    }

    fn begin(&self) -> Computed {
        match self {
            Self::Count(_) => Computed::Sum(Value::Int(0)),
            Self::Sum(path) => Computed::Sum(zero(path)),
            Self::Avg(path) => Computed::Avg(zero(path), 0),
            Self::Min(_) | Self::Max(_) => Computed::Extreme(Value::Null),
        }
    }

    /// Takes one row in; gives the bytes that are kept of it.
    fn take(&self, row: &[Value], so_far: &mut Computed, name: &str) -> Result<usize, QueryError> {
        let overflow = || QueryError::Overflow(name.to_owned());
        match (self, so_far) {
            (Self::Count(times), Computed::Sum(sum)) => {
                *sum = add(sum, &Value::Int(*times)).ok_or_else(overflow)?;
            }
            (Self::Sum(path), Computed::Sum(sum)) => {
                *sum = add(sum, &path.value(row)).ok_or_else(overflow)?;
            }
            (Self::Avg(path), Computed::Avg(sum, count)) => {
                let value = path.value(row);
                *count += u64::from(!value.is_null());
                *sum = add(sum, &value).ok_or_else(overflow)?;
            }
            (Self::Min(path) | Self::Max(path), Computed::Extreme(extreme)) => {
                let (value, is_min) = (path.value(row), matches!(self, Self::Min(_)));
                let is_further = if is_min { value < *extreme } else { value > *extreme };
                if !value.is_null() && (extreme.is_null() || is_further) {
                    let bytes = value.size_bytes().saturating_sub(extreme.size_bytes());
                    *extreme = value;
                    return Ok(bytes);
                }
            }
            _ => {}
        }
        Ok(0)
    }
}

impl Computed {
    fn finish(self) -> Value {
        match self {
            Self::Sum(value) | Self::Extreme(value) => value,
            Self::Avg(_, 0) => Value::Null,
            Self::Avg(Value::Amount(sum), count) => Value::Double(f64::from(sum) / count as f64),
            Self::Avg(Value::Int(sum), count) => Value::Double(sum as f64 / count as f64),
            Self::Avg(..) => Value::Null,
        }
    }
}

const fn is_number(kind: &FieldType) -> bool {
    matches!(kind, FieldType::U8 | FieldType::U32 | FieldType::U64 | FieldType::I64 | FieldType::Amount)
}

const fn zero(path: &FieldPath) -> Value {
    match path.kind {
        FieldType::Amount => Value::Amount(U256::ZERO),
        _ => Value::Int(0),
    }
}

/// The sum; `None` where it is larger than a number can be. What is absent adds nothing.
fn add(sum: &Value, value: &Value) -> Option<Value> {
    match (sum, value) {
        (Value::Int(sum), Value::Int(value)) => sum.checked_add(*value).map(Value::Int),
        (Value::Amount(sum), Value::Amount(value)) => sum.checked_add(*value).map(Value::Amount),
        (sum, _) => Some(sum.clone()),
    }
}

fn compare(sort: &[(Vec<String>, bool)], one: &Document, other: &Document) -> Ordering {
    let value = |document: &Document, steps: &[String]| match (document.get(&steps[0]), steps.get(1)) {
        (Some(Value::Document(inner)), Some(step)) => inner.get(step).cloned(),
        (value, _) => value.cloned(),
    };
    for (steps, descending) in sort {
        let order = value(one, steps).cmp(&value(other, steps));
        if order != Ordering::Equal {
            return if *descending { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}
