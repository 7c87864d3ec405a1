use alloy_primitives::{Bytes, FixedBytes};
use lucid_storage::RowPage;
use serde::{Deserialize, Serialize};

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
