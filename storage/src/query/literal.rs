//! What a filter says of a value, as a value of the field's type.

use super::error::{QueryError, malformed};
use crate::schema::{FieldType, Schema};
use alloy_primitives::{U256, hex};
use lucid_types::{Document, Value};
use serde_json::Value as Json;
use std::{borrow::Cow, str::FromStr};

/// Reads a literal for a field of this kind. `null` is one of every kind.
pub(super) fn literal(kind: &FieldType, json: &Json, place: &str) -> Result<Value, QueryError> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    let read = match kind {
        FieldType::Bool => json.as_bool().map(Value::Bool),
        FieldType::U8 | FieldType::U32 | FieldType::U64 | FieldType::I64 => integer(json).map(Value::Int),
        FieldType::Date => match json.as_str() {
            Some(text) => unix_time(text).map(|secs| Value::Int(secs.into())),
            None => integer(json).map(Value::Int),
        },
        FieldType::Amount => amount(json).map(Value::Amount),
        FieldType::Text => json.as_str().map(|text| text.to_owned().into()),
        // A word that there is none of is found nowhere, which is no error of the caller's.
        FieldType::Word(words) => json.as_str().map(|text| match words.iter().find(|word| **word == text) {
            Some(word) => Value::from(*word),
            None => text.to_owned().into(),
        }),
        FieldType::Address => bytes(json).filter(|bytes| bytes.len() == 20).map(Value::Bytes),
        FieldType::Hash => bytes(json).filter(|bytes| bytes.len() == 32).map(Value::Bytes),
        FieldType::Bytes => bytes(json).map(Value::Bytes),
        FieldType::Uuid => json.as_str().and_then(uuid).map(Value::Uuid),
        // A list is tested by what is in it.
        FieldType::List(inner) => match json.as_array() {
            Some(values) => {
                let values = values.iter().map(|value| literal(inner, value, place)).collect::<Result<_, _>>()?;
                Some(Value::List(values))
            }
            None => return literal(inner, json, place),
        },
        FieldType::Document(_) => None,
    };
    read.ok_or_else(|| malformed(place, json, kind.name()))
}

/// Fields of a document that were written as JSON, such as a shard key, as values of their types.
///
/// # Errors
///
/// It is no document, or has a field that the collection has not, or a value that is none of the field's.
pub fn fields_of_json(schema: &Schema, json: &Json) -> Result<Document, QueryError> {
    let fields = json.as_object().ok_or_else(|| malformed(schema.def.name, json, "document"))?;
    let of = |(name, value): (&String, &Json)| {
        let field = schema.fields().find(|field| field.name == name);
        let field = field.ok_or_else(|| malformed(name, value, "field"))?;
        Ok((Cow::Borrowed(field.name), literal(&field.kind, value, name)?))
    };
    fields.iter().map(of).collect::<Result<_, _>>().map(Document)
}

fn integer(json: &Json) -> Option<i128> {
    json.as_u64().map(i128::from).or_else(|| json.as_i64().map(i128::from))
}

fn amount(json: &Json) -> Option<U256> {
    match json {
        Json::Number(_) => json.as_u64().map(U256::from),
        Json::String(text) if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) => {
            U256::from_str(text).ok()
        }
        _ => None,
    }
}

fn bytes(json: &Json) -> Option<Vec<u8>> {
    json.as_str()?.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok())
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    lucid_types::SessionId::from_str(text).ok().map(|id| *id.as_bytes())
}

/// A UTC time such as `2026-01-31T12:00:00Z`, or a day such as `2026-01-31`, in Unix seconds (RFC 3339).
pub fn unix_time(text: &str) -> Option<u64> {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00Z"));
    let number = |text: &str, len: usize| {
        (text.len() == len && text.bytes().all(|digit| digit.is_ascii_digit())).then(|| text.parse::<u64>().ok())?
    };
    let mut parts = day.splitn(3, '-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let time = time.strip_suffix(['Z', 'z'])?;
    // What is below a second is cut off.
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = number(parts.next()?, 2)?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    in_range.then(|| {
        let days = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum::<u64>()
            + (1..month).map(|month| days_in(year, month)).sum::<u64>()
            + day
            - 1;
        days * 86_400 + hour * 3_600 + minute * 60 + second
    })
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + is_leap(year) as u64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, secs) in [
            ("1970-01-01", 0),
            ("2026-01-31T12:00:00Z", 1_769_860_800),
            ("2024-02-29 23:59:59.999Z", 1_709_251_199),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(unix_time(text), Some(secs), "{text}");
        }
        for bad in ["2023-02-29", "2026-13-01", "2026-01-31T12:00", "2026-01-31T12:00:00+01:00", "26-1-1", "", "2026"] {
            assert_eq!(unix_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_literal_is_of_the_fields_type_or_refused_by_name() {
        let refused = |kind: FieldType, json: Json| literal(&kind, &json, "started_at").unwrap_err().to_string();
        assert!(literal(&FieldType::Date, &json!("2026-01-31"), "x").is_ok());
        assert_eq!(literal(&FieldType::Amount, &json!("7"), "x").unwrap(), Value::Int(7));
        assert_eq!(literal(&FieldType::U32, &json!(-1), "x").unwrap(), Value::Int(-1));
        assert!(refused(FieldType::Date, json!("noon")).starts_with("started_at is \"noon\", and must be a time"));
        for (kind, json) in [
            (FieldType::U64, json!("7")),
            (FieldType::U64, json!(1.5)),
            (FieldType::Amount, json!("-7")),
            (FieldType::Address, json!("0x00")),
            (FieldType::Hash, json!(format!("0x{}", "zz".repeat(32)))),
            (FieldType::Uuid, json!("7f1c")),
            (FieldType::Text, json!(7)),
            (FieldType::Bool, json!("true")),
        ] {
            assert!(literal(&kind, &json, "x").is_err(), "{kind:?} {json}");
        }
    }
}
