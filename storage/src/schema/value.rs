//! What is stored, as plain values.

use super::{Field, FieldType};
use alloy_primitives::{Address, FixedBytes, U256};
use lucid_types::{AnchoringId, Document, SessionId, Value};
use std::borrow::Cow;

/// Something that is a field's value.
pub trait FieldValue {
    /// What it is.
    const KIND: FieldType;
    /// Whether it may be absent.
    const OPTIONAL: bool = false;

    /// As a plain value.
    fn to_value(&self) -> Value;
}

/// Something with named fields.
pub trait Fields {
    /// Its fields, in the order in which documents have them.
    const FIELDS: &'static [Field];

    /// Appends the value of each.
    fn append_values(&self, out: &mut Vec<Value>);
}

impl<T: Fields> FieldValue for T {
    const KIND: FieldType = FieldType::Document(T::FIELDS);

    fn to_value(&self) -> Value {
        let mut values = Vec::with_capacity(T::FIELDS.len());
        self.append_values(&mut values);
        let named = T::FIELDS.iter().map(|field| Cow::Borrowed(field.name)).zip(values);
        Value::Document(Document(named.filter(|(_, value)| !value.is_null()).collect()))
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    const KIND: FieldType = T::KIND;
    const OPTIONAL: bool = true;

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

impl<T: FieldValue> FieldValue for Vec<T> {
    const KIND: FieldType = FieldType::List(&T::KIND);

    fn to_value(&self) -> Value {
        Value::List(self.iter().map(T::to_value).collect())
    }
}

macro_rules! field_values {
    ($($type:ty: $kind:ident = |$value:ident| $plain:expr;)*) => { $(
        impl FieldValue for $type {
            const KIND: FieldType = FieldType::$kind;

            fn to_value(&self) -> Value {
                let $value = self;
                $plain
            }
        }
    )* };
}

field_values! {
    bool: Bool = |value| Value::Bool(*value);
    u32: U32 = |value| Value::Int((*value).into());
    u64: U64 = |value| Value::Int((*value).into());
    i64: I64 = |value| Value::Int((*value).into());
    u128: Amount = |value| Value::Amount(U256::from(*value));
    U256: Amount = |value| Value::Amount(*value);
    Vec<u8>: Bytes = |value| Value::Bytes(value.clone());
    String: Text = |value| value.clone().into();
    Address: Address = |value| Value::Bytes(value.to_vec());
    FixedBytes<32>: Hash = |value| Value::Bytes(value.to_vec());
    FixedBytes<64>: Bytes = |value| Value::Bytes(value.to_vec());
    SessionId: Uuid = |value| Value::Uuid(*value.as_bytes());
    AnchoringId: Uuid = |value| Value::Uuid(*value.as_bytes());
}
