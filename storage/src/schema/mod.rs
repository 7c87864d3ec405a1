//! Collections without their types: which fields a document has, what they mean, and rows as plain values.
//!
//! Fields are said beside each key and record (`fields!`), once; queries, exports and the planner go by them alone.

mod field;
mod key_part;
mod of_collection;
mod value;

pub use field::{Field, FieldType};
pub use of_collection::{IndexSchema, KeyFields, Schema};
pub use value::{FieldValue, Fields};

pub(crate) use field::{field_kind, field_value, fields};
pub(crate) use key_part::{append_key_part, key_part_bytes, take_key_part};
