//! A document as BSON, by the meaning of its fields.

use super::error::ExportError;
use alloy_primitives::{U256, hex};
use bson::{Binary, DateTime, Decimal128, RawArrayBuf, RawBson, RawDocumentBuf, raw::CString, spec::BinarySubtype};
use lucid_storage::{Field, FieldType, Schema};
use lucid_types::{Document, Value};

/// Most bytes of a document that MongoDB takes.
const MAX_BSON_BYTES: usize = 16 << 20;

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) enum BytesAs {
    /// As binary data.
    Binary,
    /// As hex text with `0x`.
    Hex,
}

/// A number of 2^64 and more, or one below -2^63, has no type of its own, and text loses nothing.
const MAX_DECIMAL_DIGITS: usize = 34;

/// Biased exponent 0 of a decimal number, where it lies in the upper half (IEEE 754-2008, binary encoding).
const DECIMAL_EXPONENT: u64 = 6176 << 49;

impl BytesAs {
    /// As hex text where that is asked for.
    pub(in crate::export) const fn hex(hex: bool) -> Self {
        if hex { Self::Hex } else { Self::Binary }
    }
}

/// A row, given as it lies in its table, as the document that MongoDB has of it.
///
/// # Errors
///
/// It is no row of the collection, or is too large.
pub(in crate::export) fn document_of(
    schema: &Schema,
    row_key: &[u8],
    row: &[u8],
    bytes: BytesAs,
) -> Result<RawDocumentBuf, ExportError> {
    let values = schema.values(row_key, row)?;
    let collection = schema.def.name;
    let document = to_bson(schema, &values, bytes);
    let document = document.map_err(|what| ExportError::Document { collection, id: schema.id_of(&values), what })?;
    let bytes = document.as_bytes().len();
    match bytes > MAX_BSON_BYTES {
        true => Err(ExportError::TooLarge { collection, id: schema.id_of(&values), bytes }),
        false => Ok(document),
    }
}

/// A row's values as a BSON document, `_id` first; what is absent is left out.
fn to_bson(schema: &Schema, values: &[Value], bytes: BytesAs) -> Result<RawDocumentBuf, String> {
    let mut document = RawDocumentBuf::new();
    append(&mut document, "_id", RawBson::String(schema.id_of(values)))?;
    for (field, value) in schema.fields().zip(values) {
        append_field(&mut document, &field, value, bytes)?;
    }
    Ok(document)
}

fn append_field(document: &mut RawDocumentBuf, field: &Field, value: &Value, bytes: BytesAs) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    append(document, field.name, to_value(&field.kind, value, bytes)?)
}

/// Appends a field.
pub(in crate::export) fn append(document: &mut RawDocumentBuf, name: &str, value: RawBson) -> Result<(), String> {
    let name = CString::try_from(name).map_err(|error| error.to_string())?;
    document.append(&name, value);
    Ok(())
}

/// A value of a field of this kind.
pub(in crate::export) fn to_value(kind: &FieldType, value: &Value, bytes: BytesAs) -> Result<RawBson, String> {
    Ok(match (kind, value) {
        (_, Value::Null) => RawBson::Null,
        (_, Value::Bool(flag)) => RawBson::Boolean(*flag),
        (FieldType::Date, Value::Int(secs)) => match i64::try_from(*secs).ok().and_then(|secs| secs.checked_mul(1_000))
        {
            Some(millis) => RawBson::DateTime(DateTime::from_millis(millis)),
            // A time so late that no date has it.
            None => integer(*secs),
        },
        (_, Value::Int(value)) => integer(*value),
        (_, Value::Amount(amount)) => decimal(*amount),
        (_, Value::Double(value)) => RawBson::Double(*value),
        (_, Value::Text(text)) => RawBson::String(text.to_string()),
        (_, Value::Bytes(value)) => match bytes {
            BytesAs::Binary => RawBson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: value.clone() }),
            BytesAs::Hex => RawBson::String(hex::encode_prefixed(value)),
        },
        (_, Value::Uuid(id)) => RawBson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: id.to_vec() }),
        (kind, Value::List(values)) => {
            let items = if let FieldType::List(items) = kind { *items } else { kind };
            let mut list = RawArrayBuf::new();
            for value in values {
                list.push(to_value(items, value, bytes)?);
            }
            RawBson::Array(list)
        }
        (kind, Value::Document(document)) => RawBson::Document(inner(kind, document, bytes)?),
    })
}

fn inner(kind: &FieldType, document: &Document, bytes: BytesAs) -> Result<RawDocumentBuf, String> {
    let fields = if let FieldType::Document(fields) = kind { *fields } else { &[] };
    let mut written = RawDocumentBuf::new();
    for (name, value) in &document.0 {
        let kind = fields.iter().find(|field| field.name == name).map_or(FieldType::Text, |field| field.kind);
        append(&mut written, name, to_value(&kind, value, bytes)?)?;
    }
    Ok(written)
}

fn integer(value: i128) -> RawBson {
    match (i64::try_from(value), U256::try_from(value)) {
        (Ok(value), _) => RawBson::Int64(value),
        (_, Ok(value)) => decimal(value),
        _ => RawBson::String(value.to_string()),
    }
}

/// A whole number as a decimal one, which has 34 digits; one with more as text.
fn decimal(value: U256) -> RawBson {
    let text = value.to_string();
    match u128::try_from(value) {
        Ok(value) if text.len() <= MAX_DECIMAL_DIGITS => {
            let [low, high] = [value as u64, (value >> 64) as u64 | DECIMAL_EXPONENT];
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&low.to_le_bytes());
            bytes[8..].copy_from_slice(&high.to_le_bytes());
            RawBson::Decimal128(Decimal128::from_bytes(bytes))
        }
        _ => RawBson::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_is_what_others_read_of_its_digits() {
        let largest = "9".repeat(MAX_DECIMAL_DIGITS);
        for digits in ["0", "1", "1000000000000000000", "18446744073709551616", &largest] {
            let RawBson::Decimal128(number) = decimal(digits.parse().unwrap()) else { panic!("{digits}") };
            assert_eq!(number, digits.parse().unwrap(), "{digits}");
            assert_eq!(number.to_string(), digits);
        }
        assert_eq!(decimal(U256::MAX), RawBson::String(U256::MAX.to_string()));
        assert_eq!(integer(-7), RawBson::Int64(-7));
        assert!(matches!(integer(u64::MAX.into()), RawBson::Decimal128(_)));
    }
}
