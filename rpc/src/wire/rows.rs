use alloy_primitives::Bytes;
use lucid_storage::RowPage;
use serde::{Deserialize, Serialize};

/// Rows of a collection as they lie in the store, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPageDocument {
    /// Key and row of each.
    pub rows: Vec<(Bytes, Bytes)>,
    /// Whether more follow: ask for those after the last key.
    pub more: bool,
}

impl From<RowPage> for RowPageDocument {
    fn from(page: RowPage) -> Self {
        Self { rows: page.rows.into_iter().map(|(key, row)| (key.into(), row.into())).collect(), more: page.more }
    }
}

impl From<RowPageDocument> for RowPage {
    fn from(page: RowPageDocument) -> Self {
        Self { rows: page.rows.into_iter().map(|(key, row)| (key.into(), row.into())).collect(), more: page.more }
    }
}
