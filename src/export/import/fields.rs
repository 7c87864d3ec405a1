//! The fields of a document, looked up by the names that programs have given them.

use bson::{RawBsonRef, RawDocument};
use std::collections::BTreeSet;

/// Most fields of a document that are looked at. Those of a collection are a dozen.
const MAX_FIELDS: usize = 1_024;

/// Why a document is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A field that has to be there is not.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A field's value is none that belongs there.
    #[error("{field} is {found}, and must be {expected}")]
    Malformed {
        /// The field, as the document has it.
        field: String,
        /// What its value is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The bytes are no document.
    #[error("it is no BSON document: {0}")]
    Bson(String),
    /// Two fields have one name, and which of them was meant nobody knows.
    #[error("it has the field {0:?} twice")]
    Twice(String),
    /// There are too many fields.
    #[error("it has more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// What its row would be is not taken.
    #[error(transparent)]
    Row(#[from] lucid_storage::ImportRowError),
}

/// Most letters of a value that a reason repeats.
const MAX_FOUND_CHARS: usize = 60;

/// A document's own fields; what lies within them is not looked at before it is asked for.
pub(super) struct Fields<'a>(Vec<(&'a str, RawBsonRef<'a>)>);

impl<'a> Fields<'a> {
    pub(super) fn of(document: &'a RawDocument) -> Result<Self, Refusal> {
        let mut fields = Vec::new();
        for field in document {
            let (name, value) = field.map_err(|error| Refusal::Bson(error.to_string()))?;
            if fields.len() >= MAX_FIELDS {
                return Err(Refusal::TooManyFields);
            }
            fields.push((name.as_str(), value));
        }
        Ok(Self(fields))
    }

    /// That no two have one name.
    pub(super) fn check_names(&self) -> Result<(), Refusal> {
        let mut names = BTreeSet::new();
        match self.0.iter().find(|(name, _)| !names.insert(*name)) {
            Some((name, _)) => Err(Refusal::Twice(cut(name))),
            None => Ok(()),
        }
    }

    /// The first of these names that the document has a value under; null is none.
    pub(super) fn find(&self, names: &[&str]) -> Option<(&'a str, RawBsonRef<'a>)> {
        let is_value = |value: &RawBsonRef<'_>| !matches!(value, RawBsonRef::Null | RawBsonRef::Undefined);
        let named = |name: &&str| self.0.iter().find(|(known, value)| known == name && is_value(value));
        names.iter().find_map(named).copied()
    }

    /// A field that has to be there.
    pub(super) fn required<T>(
        &self,
        names: &[&'static str],
        expected: &'static str,
        read: impl FnOnce(RawBsonRef<'a>) -> Option<T>,
    ) -> Result<T, Refusal> {
        let missing = Refusal::Missing(names.first().copied().unwrap_or_default());
        self.optional(names, expected, read)?.ok_or(missing)
    }

    /// A field that may be absent.
    pub(super) fn optional<T>(
        &self,
        names: &[&str],
        expected: &'static str,
        read: impl FnOnce(RawBsonRef<'a>) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.find(names) {
            Some((name, value)) => read(value).map(Some).ok_or_else(|| malformed(name, value, expected)),
            None => Ok(None),
        }
    }

    /// The same of what is no text, where an empty one is as good as none.
    pub(super) fn optional_text<T>(
        &self,
        names: &[&str],
        expected: &'static str,
        read: impl FnOnce(RawBsonRef<'a>) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.find(names) {
            Some((_, RawBsonRef::String(text))) if text.trim().is_empty() => Ok(None),
            _ => self.optional(names, expected, read),
        }
    }
}

pub(super) fn malformed(name: &str, value: RawBsonRef<'_>, expected: &'static str) -> Refusal {
    Refusal::Malformed { field: cut(name), found: in_words(value), expected }
}

/// A value as a reason and a report have it.
pub(super) fn in_words(value: RawBsonRef<'_>) -> String {
    match value {
        RawBsonRef::String(text) => format!("{:?}", cut(text)),
        RawBsonRef::Double(value) => value.to_string(),
        RawBsonRef::Boolean(value) => value.to_string(),
        RawBsonRef::Int32(value) => value.to_string(),
        RawBsonRef::Int64(value) => value.to_string(),
        RawBsonRef::Decimal128(value) => value.to_string(),
        RawBsonRef::ObjectId(value) => format!("ObjectId({})", value.to_hex()),
        RawBsonRef::DateTime(value) => format!("a date ({} ms)", value.timestamp_millis()),
        RawBsonRef::Binary(value) => format!("binary data of {} bytes", value.bytes.len()),
        RawBsonRef::Array(_) => "a list".to_owned(),
        RawBsonRef::Document(_) => "a document".to_owned(),
        other => format!("a value of the type {:?}", other.element_type()),
    }
}

fn cut(text: &str) -> String {
    let cut: String = text.chars().take(MAX_FOUND_CHARS).collect();
    if cut.len() < text.len() { cut + "…" } else { cut }
}
