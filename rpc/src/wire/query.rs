use alloy_primitives::Bytes;
use lucid_storage::{FindOptions, Found, SortSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What `lucid_find` is asked beside a filter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindQuery {
    /// Fields to keep, each with 1, or to leave out, each with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection: Option<Json>,
    /// Fields to sort by, each with 1 or -1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<SortSpec>,
    /// Most documents of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Bytes>,
    /// Whether the answer says how it was found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
}

/// A page of documents. `D` is what a document is: the server writes its own, a client reads JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundDocument<D> {
    /// The documents.
    pub documents: Vec<D>,
    /// Where the next page begins; null after the last.
    pub cursor: Option<Bytes>,
    /// How they were found, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<Json>,
}

impl From<FindQuery> for FindOptions {
    fn from(query: FindQuery) -> Self {
        let FindQuery { projection, sort, limit, cursor, explain } = query;
        Self { projection, sort, limit, cursor: cursor.map(Into::into), explain }
    }
}

impl From<Found> for FoundDocument<lucid_types::Document> {
    fn from(found: Found) -> Self {
        Self {
            documents: found.documents,
            cursor: found.cursor.map(Into::into),
            // Counts and names always have a JSON form.
            explain: found.explained.and_then(|explained| serde_json::to_value(explained).ok()),
        }
    }
}
