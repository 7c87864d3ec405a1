use alloy_primitives::{Bytes, FixedBytes};
use lucid_storage::{RemovalStep, RowPage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows of a collection as they lie in the store, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPageDocument {
    /// Key and row of each.
    pub rows: Vec<(Bytes, Bytes)>,
    /// Rows between them that are left out, since an own row or one of an earlier source has their key.
    #[serde(default)]
    pub left_out: u64,
    /// Key of the last row that was looked at; null where there was none.
    pub last: Option<Bytes>,
    /// Whether more follow: ask for those after `last`.
    pub more: bool,
}

/// A row to import: its key, its record, and the id by which it is known at its source where that is not the key's text.
pub type ImportRowParts = (Bytes, Bytes, Option<FixedBytes<16>>);

/// Documents of a source that were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedDocument {
    /// How many of each collection, without collections that none were removed of.
    pub documents: BTreeMap<String, u64>,
    /// Whether there are more.
    pub more: bool,
}

impl From<RemovalStep> for RemovedDocument {
    fn from(step: RemovalStep) -> Self {
        let documents = step.documents.into_iter().map(|(name, documents)| (name.to_owned(), documents));
        Self { documents: documents.collect(), more: step.more }
    }
}

impl From<RowPage> for RowPageDocument {
    fn from(page: RowPage) -> Self {
        let rows = page.rows.into_iter().map(|(key, row)| (key.into(), row.into())).collect();
        Self { rows, left_out: page.left_out, last: page.last.map(Into::into), more: page.more }
    }
}

impl From<RowPageDocument> for RowPage {
    fn from(page: RowPageDocument) -> Self {
        let rows = page.rows.into_iter().map(|(key, row)| (key.into(), row.into())).collect();
        Self { rows, left_out: page.left_out, last: page.last.map(Into::into), more: page.more }
    }
}
