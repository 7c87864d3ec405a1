//! In which order documents come.

use super::{
    error::{QueryError, malformed},
    limits::MAX_NAMED_FIELDS,
    path::FieldPath,
    spec::SortSpec,
};
use crate::schema::{FieldType, Schema};
use lucid_types::Value;
use serde_json::Value as Json;
use std::cmp::Ordering;

/// What documents are sorted by, the first first, and after all of it by their keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Order(Vec<Sorted>);

/// One field of an order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sorted {
    pub(super) path: FieldPath,
    pub(super) descending: bool,
}

impl Order {
    /// Reads fields with 1 or -1. `_id` stands for the fields of the key.
    pub(super) fn parse(schema: &Schema, spec: &SortSpec) -> Result<Self, QueryError> {
        if spec.0.len() > MAX_NAMED_FIELDS {
            return Err(QueryError::TooLarge);
        }
        let mut sorted = Vec::new();
        for (name, direction) in &spec.0 {
            let descending = match direction.as_i64() {
                Some(1) => false,
                Some(-1) => true,
                _ => return Err(malformed(&format!("sort by {name}"), direction, "1 or -1")),
            };
            let names = if name == "_id" { schema.def.key_fields } else { &[name.as_str()][..] };
            for name in names {
                let path = FieldPath::resolve(schema, name)?;
                if path.in_list || matches!(path.kind, FieldType::Bytes | FieldType::Document(_)) {
                    let name = Json::from(*name);
                    return Err(malformed("a field of sort", &name, "one with a single, short value"));
                }
                sorted.push(Sorted { path, descending });
            }
        }
        Ok(Self(sorted))
    }

    pub(super) fn fields(&self) -> &[Sorted] {
        &self.0
    }

    /// Whether nothing is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the last of it goes down; rows that are else the same then come by falling keys.
    pub(super) fn ends_descending(&self) -> bool {
        self.0.last().is_some_and(|sorted| sorted.descending)
    }

    /// What a row is sorted by.
    pub(super) fn values(&self, row: &[Value]) -> Vec<Value> {
        self.0.iter().map(|sorted| sorted.path.value(row)).collect()
    }

    /// Which of two comes first, each given as what it is sorted by and its key.
    pub(super) fn compare(&self, one: (&[Value], &[u8]), other: (&[Value], &[u8])) -> Ordering {
        for (place, sorted) in self.0.iter().enumerate() {
            let order = one.0.get(place).cmp(&other.0.get(place));
            let order = if sorted.descending { order.reverse() } else { order };
            if order != Ordering::Equal {
                return order;
            }
        }
        let order = one.1.cmp(other.1);
        if self.ends_descending() { order.reverse() } else { order }
    }
}
