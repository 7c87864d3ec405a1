//! Plain values as parts of keys, by the field's type: the same bytes that the typed keys have.

use super::FieldType;
use crate::key::StoreKey;
use alloy_primitives::FixedBytes;
use lucid_types::Value;

/// Appends a value's bytes in a key; says `false` where a key cannot have it.
pub(crate) fn append_key_part(kind: &FieldType, value: &Value, out: &mut Vec<u8>) -> bool {
    match (kind, value) {
        (FieldType::U32, Value::Int(value)) => append_integer::<u32>(*value, out),
        (FieldType::U64 | FieldType::Date, Value::Int(value)) => append_integer::<u64>(*value, out),
        (FieldType::Text, Value::Text(text)) => {
            text.clone().into_owned().encode_into(out);
            true
        }
        (FieldType::Word(words), Value::Text(word)) => match words.iter().position(|known| known == word) {
            Some(place) => append_integer::<u8>(place as i128, out),
            None => false,
        },
        (FieldType::Address, Value::Bytes(bytes)) => append_bytes(bytes, 20, out),
        (FieldType::Hash, Value::Bytes(bytes)) => append_bytes(bytes, 32, out),
        (FieldType::Uuid, Value::Uuid(bytes)) => append_bytes(bytes, 16, out),
        _ => false,
    }
}

/// The same, as bytes of their own.
pub(crate) fn key_part_bytes(kind: &FieldType, value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(32);
    append_key_part(kind, value, &mut out).then_some(out)
}

fn append_integer<T: StoreKey + TryFrom<i128>>(value: i128, out: &mut Vec<u8>) -> bool {
    T::try_from(value).is_ok_and(|value| {
        value.encode_into(out);
        true
    })
}

fn append_bytes(bytes: &[u8], len: usize, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(bytes);
    bytes.len() == len
}

/// Takes one part off the front of a key's bytes; `None` where they are no such part.
pub(crate) fn take_key_part(kind: &FieldType, key: &mut &[u8]) -> Option<Value> {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    match kind {
        FieldType::Word(words) => words.get(usize::from(u8::decode_from(key).ok()?)).map(|word| Value::from(*word)),
        FieldType::U32 => u32::decode_from(key).ok().map(|value| Value::Int(value.into())),
        FieldType::U64 | FieldType::Date => u64::decode_from(key).ok().map(Value::from),
        FieldType::Text => String::decode_from(key).ok().map(Value::from),
        FieldType::Address => <FixedBytes<20>>::decode_from(key).ok().map(|value| bytes(value.as_slice())),
        FieldType::Hash => <FixedBytes<32>>::decode_from(key).ok().map(|value| bytes(value.as_slice())),
        FieldType::Uuid => <FixedBytes<16>>::decode_from(key).ok().map(|value| Value::Uuid(value.0)),
        _ => None,
    }
}
