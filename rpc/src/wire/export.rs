use crate::{error::RpcError, limits::MAX_EXPORT_POSITION_BYTES};
use alloy_primitives::{B256, Bytes};
use lucid_storage::{COLLECTIONS, ChangePage, ExportPosition, ExportStateRecord};
use serde::{Deserialize, Serialize};

/// Rows of a collection as they lie in the store, in the order in which they were last written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePageDocument {
    /// Key and row of each.
    pub rows: Vec<(Bytes, Bytes)>,
    /// Where the next page begins; null where there was never a change.
    pub position: Option<Bytes>,
    /// Whether more follow.
    pub more: bool,
}

impl From<ChangePage> for ChangePageDocument {
    fn from(page: ChangePage) -> Self {
        let rows = page.rows.into_iter().map(|(key, row)| (key.into(), row.into())).collect();
        Self { rows, position: page.position.map(Into::into), more: page.more }
    }
}

impl From<ChangePageDocument> for ChangePage {
    fn from(page: ChangePageDocument) -> Self {
        let rows = page.rows.into_iter().map(|(key, row)| (key.into(), row.into())).collect();
        Self { rows, position: page.position.map(Into::into), more: page.more }
    }
}

/// How far an export to a target has come. What each part means the store says, which keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportStateDocument {
    /// Whether addresses and hashes are written as hex text.
    pub hex: bool,
    /// Number of the step.
    pub step: u64,
    /// Number of the one before.
    pub previous_step: u64,
    /// Sequence of the last batch that the step has.
    pub sequence: u64,
    /// How far each collection was written: its name, and where the next page of changes begins.
    pub positions: Vec<(String, Bytes)>,
}

impl ExportStateDocument {
    /// What it is in the store.
    pub(crate) fn check(self) -> Result<ExportStateRecord, RpcError> {
        let known = |name: &str| COLLECTIONS.iter().any(|collection| collection.name == name);
        let is_good = |(name, position): &(String, Bytes)| known(name) && position.len() <= MAX_EXPORT_POSITION_BYTES;
        if self.positions.len() > COLLECTIONS.len() || !self.positions.iter().all(is_good) {
            return Err(RpcError::InvalidRequest("a position is too long, or of no collection".to_owned()));
        }
        Ok(self.into())
    }
}

impl From<ExportStateRecord> for ExportStateDocument {
    fn from(record: ExportStateRecord) -> Self {
        let ExportStateRecord { hex, step, previous_step, sequence, positions } = record;
        let positions = positions.into_iter().map(|of| (of.collection, of.position.into())).collect();
        Self { hex, step, previous_step, sequence, positions }
    }
}

impl From<ExportStateDocument> for ExportStateRecord {
    fn from(document: ExportStateDocument) -> Self {
        let ExportStateDocument { hex, step, previous_step, sequence, positions } = document;
        let position =
            |(collection, position): (String, Bytes)| ExportPosition { collection, position: position.into() };
        Self { hex, step, previous_step, sequence, positions: positions.into_iter().map(position).collect() }
    }
}

/// The answer of `admin_exportState`: which store it is, and how far an export to a target has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportStatusDocument {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of the genesis header.
    pub genesis_hash: B256,
    /// Batches that were ever committed.
    pub sequence: u64,
    /// How far it has come; null where the target is not known, or none was named.
    pub state: Option<ExportStateDocument>,
}
