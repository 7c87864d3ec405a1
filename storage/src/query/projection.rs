//! Which fields of a document are answered.

use super::{
    error::{QueryError, malformed},
    limits::MAX_NAMED_FIELDS,
    path::FieldPath,
};
use crate::schema::Schema;
use lucid_types::{Document, Value};
use serde_json::Value as Json;

/// Fields to keep, or to leave out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Projection {
    /// The named fields; without any all are kept.
    names: Vec<String>,
    /// Whether the named ones are kept, and not left out.
    keeps: bool,
    /// Whether `_id` is left out.
    without_id: bool,
}

impl Projection {
    /// Reads `{"field": 1, "other": 1}` or `{"field": 0}`. `_id` comes along unless it is named with 0.
    pub(super) fn parse(schema: &Schema, json: &Json) -> Result<Self, QueryError> {
        const EXPECTED: &str = "an object of fields with 1, or of fields with 0; only _id may differ";
        let refused = || malformed("projection", json, EXPECTED);
        let Json::Object(members) = json else { return Err(refused()) };
        if members.len() > MAX_NAMED_FIELDS {
            return Err(QueryError::TooLarge);
        }
        let mut projection = Self::default();
        let mut keeps = None;
        for (name, flag) in members {
            let flag = match flag {
                Json::Bool(flag) => *flag,
                Json::Number(number) if number.as_u64() == Some(1) => true,
                Json::Number(number) if number.as_u64() == Some(0) => false,
                _ => return Err(refused()),
            };
            if name == "_id" {
                projection.without_id = !flag;
                // By itself it is all that is asked for.
                keeps = keeps.or(flag.then_some(true));
                continue;
            }
            FieldPath::resolve(schema, name)?;
            if *keeps.get_or_insert(flag) != flag {
                return Err(refused());
            }
            projection.names.push(name.clone());
        }
        projection.keeps = keeps.unwrap_or(false);
        Ok(projection)
    }

    pub(super) fn apply(&self, document: Document) -> Document {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let (mut id, rest): (Vec<_>, Vec<_>) = document.0.into_iter().partition(|(name, _)| name == "_id");
        if self.without_id {
            id.clear();
        }
        id.extend(reduce(Document(rest), &names, self.keeps).0);
        Document(id)
    }
}

/// The document with the named fields alone, or without them.
fn reduce(document: Document, names: &[&str], keeps: bool) -> Document {
    let kept = document.0.into_iter().filter_map(|(name, value)| {
        if names.contains(&&*name) {
            return keeps.then_some((name, value));
        }
        let inner: Vec<&str> = names.iter().filter_map(|path| path.strip_prefix(&*name)?.strip_prefix('.')).collect();
        if inner.is_empty() {
            return (!keeps).then_some((name, value));
        }
        let value = match value {
            Value::Document(document) => Value::Document(reduce(document, &inner, keeps)),
            Value::List(values) => Value::List(values.into_iter().map(|value| below(value, &inner, keeps)).collect()),
            value => value,
        };
        Some((name, value))
    });
    Document(kept.collect())
}

fn below(value: Value, names: &[&str], keeps: bool) -> Value {
    match value {
        Value::Document(document) => Value::Document(reduce(document, names, keeps)),
        value => value,
    }
}
