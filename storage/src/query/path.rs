//! Names of fields, and what a row has under them.

use super::error::QueryError;
use crate::schema::{Field, FieldType, Schema};
use lucid_types::{Value, nearest};

/// A field, or a field of a document within one (`result.winner`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldPath {
    /// As it was given.
    pub(super) name: String,
    /// Place of the outer field.
    pub(super) place: usize,
    /// Names from there on.
    inner: Vec<&'static str>,
    /// What its values are.
    pub(super) kind: FieldType,
    /// Whether documents may be without it.
    pub(super) optional: bool,
    /// Whether a document may have several, in a list.
    pub(super) in_list: bool,
}

impl FieldPath {
    /// The field of this name.
    pub(super) fn resolve(schema: &Schema, name: &str) -> Result<Self, QueryError> {
        let unknown = |known: Vec<&'static str>| QueryError::UnknownField {
            collection: schema.def.name,
            field: name.chars().take(64).collect(),
            nearest: nearest(name, known),
        };
        let mut steps = name.split('.');
        let first = steps.next().unwrap_or_default();
        let found = schema.fields().enumerate().find(|(_, field)| field.name == first);
        let (place, field) = found.ok_or_else(|| unknown(schema.fields().map(|field| field.name).collect()))?;
        let Field { mut kind, mut optional, .. } = field;
        let (mut inner, mut in_list) = (Vec::new(), matches!(kind, FieldType::List(_)));
        for step in steps {
            if let FieldType::List(items) = kind {
                kind = *items;
            }
            let FieldType::Document(fields) = kind else { return Err(unknown(Vec::new())) };
            let known = || fields.iter().map(|field| field.name).collect();
            let field = fields.iter().find(|field| field.name == step).ok_or_else(|| unknown(known()))?;
            inner.push(field.name);
            kind = field.kind;
            optional |= field.optional;
            in_list |= matches!(kind, FieldType::List(_));
        }
        Ok(Self { name: name.to_owned(), place, inner, kind, optional, in_list })
    }

    /// Hands `test` what the row has under this name, one after the other, until it says yes: each value of a list and the
    /// list itself, and nothing for what is absent.
    pub(super) fn any(&self, row: &[Value], test: &mut dyn FnMut(&Value) -> bool) -> bool {
        row.get(self.place).is_some_and(|value| any_below(value, &self.inner, test))
    }

    /// What the row has under this name, where it is not in a list.
    pub(super) fn value(&self, row: &[Value]) -> Value {
        let mut value = row.get(self.place);
        for step in &self.inner {
            value = match value {
                Some(Value::Document(document)) => document.get(step),
                _ => None,
            };
        }
        value.cloned().unwrap_or(Value::Null)
    }
}

fn any_below(value: &Value, inner: &[&'static str], test: &mut dyn FnMut(&Value) -> bool) -> bool {
    match (value, inner) {
        (Value::List(values), []) => values.iter().any(&mut *test) || test(value),
        (value, []) => test(value),
        (Value::List(values), _) => {
            // An empty list has nothing below it.
            (values.is_empty() && test(&Value::Null)) || values.iter().any(|value| any_below(value, inner, test))
        }
        (Value::Document(document), [first, rest @ ..]) => {
            any_below(document.get(first).unwrap_or(&Value::Null), rest, test)
        }
        (_, _) => test(&Value::Null),
    }
}
