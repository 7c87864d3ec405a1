//! Filters: MongoDB's words, as tests of a row.
//!
//! A test of a list is one of any value in it. What is absent is `null`, is not equal to anything else, and lies neither
//! above nor below anything. Values are of their fields' types, so nothing is compared across types.

use super::{
    error::{QueryError, malformed},
    limits::{MAX_FILTER_DEPTH, MAX_FILTER_TESTS, MAX_IN_VALUES},
    literal::literal,
    path::FieldPath,
};
use crate::schema::{FieldType, Schema};
use lucid_types::{Value, nearest};
use serde_json::{Map, Value as Json};

/// What a document must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    /// All of these.
    And(Vec<Filter>),
    /// One of these.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A field passes a test.
    Field(FieldPath, Test),
    /// Its key is one of these, each part by part.
    Key(Vec<Vec<Value>>),
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Eq(Value),
    Gt(Value),
    Gte(Value),
    Lt(Value),
    Lte(Value),
    /// One of these, sorted.
    In(Vec<Value>),
    Exists,
    /// Text that begins so.
    Prefix(String),
}

/// The words that a filter's fields are tested with.
const WORDS: [&str; 11] = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$not"];

impl Filter {
    /// Reads a filter of a collection's documents.
    pub(super) fn parse(schema: &Schema, json: &Json) -> Result<Self, QueryError> {
        Parser { schema, tests: 0 }.filter(json, 0)
    }

    /// Whether a row, as the values of its fields, is what is asked for.
    pub(super) fn matches(&self, row: &[Value]) -> bool {
        match self {
            Self::And(filters) => filters.iter().all(|filter| filter.matches(row)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(row)),
            Self::Not(filter) => !filter.matches(row),
            Self::Field(path, test) => path.any(row, &mut |value| test.passes(value)),
            Self::Key(keys) => keys.iter().any(|key| row.starts_with(key)),
        }
    }

    /// The tests that all have to be passed.
    pub(super) fn conjuncts(&self) -> Vec<&Self> {
        match self {
            Self::And(filters) => filters.iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }

    /// Names of the fields that are tested anywhere.
    pub(super) fn field_names(&self) -> Vec<&str> {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().flat_map(Self::field_names).collect(),
            Self::Not(filter) => filter.field_names(),
            Self::Field(path, _) => vec![&path.name],
            Self::Key(_) => vec!["_id"],
        }
    }
}

impl Test {
    fn passes(&self, value: &Value) -> bool {
        match self {
            Self::Eq(wanted) => value == wanted,
            Self::In(wanted) => wanted.binary_search(value).is_ok(),
            Self::Exists => !value.is_null(),
            Self::Gt(bound) => value.is_like(bound) && value > bound,
            Self::Gte(bound) => value.is_like(bound) && value >= bound,
            Self::Lt(bound) => value.is_like(bound) && value < bound,
            Self::Lte(bound) => value.is_like(bound) && value <= bound,
            Self::Prefix(prefix) => matches!(value, Value::Text(text) if text.starts_with(prefix.as_str())),
        }
    }
}

struct Parser<'a> {
    schema: &'a Schema,
    /// Tests so far.
    tests: usize,
}

impl Parser<'_> {
    fn filter(&mut self, json: &Json, depth: usize) -> Result<Filter, QueryError> {
        let Json::Object(members) = json else { return Err(malformed("the filter", json, "an object")) };
        if depth > MAX_FILTER_DEPTH {
            return Err(QueryError::TooLarge);
        }
        let filters = members.iter().map(|(name, value)| self.member(name, value, depth));
        Ok(all_of(filters.collect::<Result<_, _>>()?))
    }

    fn member(&mut self, name: &str, value: &Json, depth: usize) -> Result<Filter, QueryError> {
        match name {
            "$and" => Ok(all_of(self.filters(name, value, depth)?)),
            "$or" => Ok(Filter::Or(self.filters(name, value, depth)?)),
            "$nor" => Ok(Filter::Not(Box::new(Filter::Or(self.filters(name, value, depth)?)))),
            "_id" => self.key(value),
            _ if name.starts_with('$') => Err(QueryError::UnknownWord {
                word: name.chars().take(64).collect(),
                place: "a filter",
                nearest: nearest(name, ["$and", "$or", "$nor"]),
            }),
            _ => {
                let path = FieldPath::resolve(self.schema, name)?;
                self.tests(&path, value, depth)
            }
        }
    }

    fn filters(&mut self, name: &str, json: &Json, depth: usize) -> Result<Vec<Filter>, QueryError> {
        match json {
            Json::Array(filters) if !filters.is_empty() => {
                filters.iter().map(|filter| self.filter(filter, depth + 1)).collect()
            }
            _ => Err(malformed(name, json, "a list of one filter or more")),
        }
    }

    fn count(&mut self) -> Result<(), QueryError> {
        self.tests += 1;
        if self.tests > MAX_FILTER_TESTS { Err(QueryError::TooLarge) } else { Ok(()) }
    }

    /// What is asked of one field: a value, or words with their operands.
    fn tests(&mut self, path: &FieldPath, json: &Json, depth: usize) -> Result<Filter, QueryError> {
        if depth > MAX_FILTER_DEPTH {
            return Err(QueryError::TooLarge);
        }
        match json {
            Json::Object(words) if words.is_empty() || words.keys().any(|word| word.starts_with('$')) => {
                if words.is_empty() {
                    return Err(malformed(&path.name, json, "a value, or words such as $gt with theirs"));
                }
                let filters = words.iter().map(|(word, operand)| self.test(path, word, operand, words, depth));
                Ok(all_of(filters.collect::<Result<_, _>>()?))
            }
            value => self.test(path, "$eq", value, &Map::new(), depth),
        }
    }

    fn test(
        &mut self,
        path: &FieldPath,
        word: &str,
        operand: &Json,
        words: &Map<String, Json>,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        self.count()?;
        let field = |test| Filter::Field(path.clone(), test);
        let not = |filter| Filter::Not(Box::new(filter));
        let value = || literal(&path.kind, operand, &path.name);
        // Nothing lies above or below nothing.
        let bound = || match operand {
            Json::Null => Err(malformed(&format!("{} of {}", word, path.name), operand, path.kind.name())),
            _ => value(),
        };
        Ok(match word {
            "$eq" => field(Test::Eq(value()?)),
            "$ne" => not(field(Test::Eq(value()?))),
            "$gt" => field(Test::Gt(bound()?)),
            "$gte" => field(Test::Gte(bound()?)),
            "$lt" => field(Test::Lt(bound()?)),
            "$lte" => field(Test::Lte(bound()?)),
            "$in" => field(Test::In(self.values(path, word, operand)?)),
            "$nin" => not(field(Test::In(self.values(path, word, operand)?))),
            "$exists" => match operand.as_bool() {
                Some(true) => field(Test::Exists),
                Some(false) => not(field(Test::Exists)),
                None => return Err(malformed("$exists", operand, "true or false")),
            },
            "$regex" => field(Test::Prefix(prefix_of(path, operand)?)),
            "$not" if operand.is_object() => not(self.tests(path, operand, depth + 1)?),
            "$not" => return Err(malformed("$not", operand, "words such as $gt with their values")),
            _ if !word.starts_with('$') => {
                let found = Json::Object(words.clone());
                return Err(malformed(&path.name, &found, "a value, or words such as $gt with theirs"));
            }
            _ => {
                let word = word.chars().take(64).collect::<String>();
                return Err(QueryError::UnknownWord { nearest: nearest(&word, WORDS), word, place: "a field's test" });
            }
        })
    }

    fn values(&self, path: &FieldPath, word: &str, operand: &Json) -> Result<Vec<Value>, QueryError> {
        let Json::Array(values) = operand else { return Err(malformed(word, operand, "a list of values")) };
        if values.len() > MAX_IN_VALUES {
            return Err(QueryError::TooLarge);
        }
        let mut values =
            values.iter().map(|value| literal(&path.kind, value, &path.name)).collect::<Result<Vec<_>, _>>()?;
        values.sort();
        values.dedup();
        Ok(values)
    }

    /// What is asked of `_id`: one, or one of several.
    fn key(&mut self, json: &Json) -> Result<Filter, QueryError> {
        self.count()?;
        const EXPECTED: &str = "an _id as documents have it, or {\"$in\": [of them]}";
        let key = |json: &Json| self.key_parts(json).ok_or_else(|| malformed("_id", json, EXPECTED));
        let keys = match json {
            Json::Object(words) if words.len() == 1 => match (words.get("$eq"), words.get("$in")) {
                (Some(id), _) => vec![key(id)?],
                (_, Some(Json::Array(ids))) if ids.len() <= MAX_IN_VALUES => {
                    ids.iter().map(key).collect::<Result<_, _>>()?
                }
                _ => return Err(malformed("_id", json, EXPECTED)),
            },
            id => vec![key(id)?],
        };
        Ok(Filter::Key(keys))
    }

    /// The parts of a key from its text, as [`Schema::id_of`] writes it.
    fn key_parts(&self, json: &Json) -> Option<Vec<Value>> {
        let text = json.as_str()?;
        let names = self.schema.def.key_fields;
        // A text of a user's own may have colons in it, and is then the whole of the key.
        let texts: Vec<&str> = if names.len() == 1 { vec![text] } else { text.split(':').collect() };
        let part = |(place, text): (usize, &&str)| {
            let kind = self.schema.field(place)?.kind;
            let json = match kind {
                FieldType::U8 | FieldType::U32 | FieldType::U64 => Json::from(text.parse::<u64>().ok()?),
                _ => Json::from(*text),
            };
            literal(&kind, &json, "_id").ok()
        };
        if texts.len() == names.len() { texts.iter().enumerate().map(part).collect() } else { None }
    }
}

/// What text must begin with, from a regular expression that says no more than that.
fn prefix_of(path: &FieldPath, operand: &Json) -> Result<String, QueryError> {
    const EXPECTED: &str = "^ and the letters that a text begins with, such as \"^abc\"";
    let refused = || malformed(&format!("$regex of {}", path.name), operand, EXPECTED);
    let is_text = match path.kind {
        FieldType::Text | FieldType::Word(_) => true,
        FieldType::List(items) => matches!(items, FieldType::Text | FieldType::Word(_)),
        _ => false,
    };
    let pattern = operand.as_str().and_then(|text| text.strip_prefix('^')).ok_or_else(refused)?;
    let mut prefix = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            // What follows stands for itself, unless it is a letter with a meaning of its own.
            '\\' => match letters.next() {
                Some(escaped) if !escaped.is_alphanumeric() => prefix.push(escaped),
                _ => return Err(refused()),
            },
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return Err(refused()),
            letter => prefix.push(letter),
        }
    }
    if is_text { Ok(prefix) } else { Err(malformed(&path.name, operand, path.kind.name())) }
}

fn all_of(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter::And(filters),
    }
}
