//! A row of a collection without its types: what queries answer, and what an export writes.

use alloy_primitives::{U256, hex};
use serde::{Serialize, Serializer};
use std::{borrow::Cow, cmp::Ordering};
use uuid::Uuid;

/// A value of a document. What it means (a time, an amount, an address) its collection's fields say.
///
/// As JSON: bytes are hex text with `0x`, a UUID has its usual form, an amount is a decimal text, since it may be more
/// than a JSON number holds everywhere.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// An integer of at most 64 bits, or a sum of such.
    Int(i128),
    /// An amount, of at most 256 bits.
    Amount(U256),
    /// A quotient.
    Double(f64),
    /// Text, or a word.
    Text(Cow<'static, str>),
    /// Bytes: an address, a hash, a signature, an encoding.
    Bytes(Vec<u8>),
    /// A UUID.
    Uuid([u8; 16]),
    /// Values in an order.
    List(Vec<Value>),
    /// A document in a document.
    Document(Document),
}

/// Names with their values, in an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Document(pub Vec<(Cow<'static, str>, Value)>);

impl Document {
    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Value {
    /// Whether there is none.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Bytes that it takes in memory, about.
    pub fn size_bytes(&self) -> usize {
        let more = match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(values) => values.iter().map(Self::size_bytes).sum(),
            Self::Document(document) => document.0.iter().map(|(name, value)| name.len() + value.size_bytes()).sum(),
            _ => 0,
        };
        size_of::<Self>() + more
    }

    /// Whether both are of one kind, numbers or texts or others: of two kinds neither lies above the other.
    pub const fn is_like(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }

    /// Place of its kind in an order of all values, which is that of MongoDB.
    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Int(_) | Self::Amount(_) | Self::Double(_) => 1,
            Self::Text(_) => 2,
            Self::Document(_) => 3,
            Self::List(_) => 4,
            Self::Bytes(_) => 5,
            Self::Uuid(_) => 6,
            Self::Bool(_) => 7,
        }
    }

    /// A number as one that any other can be held against; only a double is not exact.
    fn as_double(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::Amount(value) => f64::from(*value),
            Self::Double(value) => *value,
            _ => f64::NAN,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            (Self::Int(one), Self::Int(other)) => one.cmp(other),
            (Self::Amount(one), Self::Amount(other)) => one.cmp(other),
            (Self::Int(one), Self::Amount(other)) => {
                u128::try_from(*one).map_or(Ordering::Less, |one| U256::from(one).cmp(other))
            }
            (Self::Amount(_), Self::Int(_)) => other.cmp(self).reverse(),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Bytes(one), Self::Bytes(other)) => one.cmp(other),
            (Self::Uuid(one), Self::Uuid(other)) => one.cmp(other),
            (Self::List(one), Self::List(other)) => one.cmp(other),
            (Self::Document(one), Self::Document(other)) => one.cmp(other),
            (one, other) if one.rank() == 1 && other.rank() == 1 => one.as_double().total_cmp(&other.as_double()),
            (one, other) => one.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(value.into())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_u64(value),
                (_, Ok(value)) => serializer.serialize_i64(value),
                _ => serializer.collect_str(value),
            },
            Self::Amount(value) => serializer.collect_str(value),
            Self::Double(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_str(&hex::encode_prefixed(bytes)),
            Self::Uuid(bytes) => serializer.collect_str(&Uuid::from_bytes(*bytes)),
            Self::List(values) => serializer.collect_seq(values),
            Self::Document(document) => document.serialize(serializer),
        }
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_held_against_each_other_whatever_they_are_kept_as() {
        let (int, amount) = (|value| Value::Int(value), |value: u64| Value::Amount(U256::from(value)));
        assert_eq!(int(5), amount(5));
        assert!(int(-1) < amount(0) && amount(7) > int(6) && Value::Amount(U256::MAX) > int(i128::MAX));
        assert!(Value::Double(1.5) > int(1) && Value::Double(1.5) < amount(2));
        let mut mixed = [Value::Bool(true), "a".into(), int(3), Value::Null, Value::Bytes(vec![0])];
        mixed.sort();
        assert_eq!(mixed, [Value::Null, int(3), "a".into(), Value::Bytes(vec![0]), Value::Bool(true)]);
    }

    #[test]
    fn a_document_as_json_keeps_its_order_and_loses_no_digit() {
        let document = Document(vec![
            ("z".into(), Value::Int(u64::MAX.into())),
            ("a".into(), Value::Amount(U256::MAX)),
            ("hash".into(), Value::Bytes(vec![0xab, 1])),
            ("id".into(), Value::Uuid([0x11; 16])),
            ("list".into(), Value::List(vec![Value::Null, Value::Bool(false), Value::Int(i128::from(i64::MIN))])),
        ]);
        let json = serde_json::to_string(&document).unwrap();
        let digits = U256::MAX.to_string();
        let expected = format!(
            r#"{{"z":18446744073709551615,"a":"{digits}","hash":"0xab01","id":"11111111-1111-1111-1111-111111111111","list":[null,false,-9223372036854775808]}}"#
        );
        assert_eq!(json, expected);
    }
}
