//! Questions to collections, in MongoDB's words: a filter, a way through the store that meets few rows, a page and a
//! cursor.
//!
//! Nothing is loaded whole: a query reads rows one after the other and stops at a bound, which it names. Whatever way is
//! taken, each row is held against the whole filter.

mod aggregate;
mod constraint;
mod cursor;
mod error;
mod explain;
mod filter;
mod find;
mod limits;
mod literal;
mod order;
mod path;
mod plan;
mod projection;
mod spec;
#[cfg(test)]
mod tests;
mod unique;
mod walk;

pub use aggregate::aggregate;
pub use error::QueryError;
pub use explain::{Explained, WayTaken};
pub use find::{FindOptions, Found, count, distinct, find, schema_of};
pub use limits::{
    DEFAULT_LIMIT, MAX_EXAMINED_DOCUMENTS, MAX_EXAMINED_KEYS, MAX_FILTER_TESTS, MAX_GROUPS, MAX_IN_VALUES, MAX_LIMIT,
    MAX_RESULT_BYTES,
};
pub use literal::{fields_of_json, unix_time};
pub use spec::{Pipeline, SortSpec, Stage};
pub use unique::UniqueJson;
