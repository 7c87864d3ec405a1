//! What a store says of itself: the table `meta`.

use crate::{error::StoreError, reader::Reader, snapshot::Snapshot, tables::TableId};
use alloy_primitives::B256;

/// Newest format of the file that this program reads, and the one that it writes. It rises when tables, keys or
/// the envelope change; a change of one record has the record's own version. docs/storage-format.md has what each was.
pub const FORMAT_VERSION: u32 = 3;

/// The first format whose shard ranges hold all rows.
const FIRST_WITH_RANGES: u32 = 2;

pub(crate) const FORMAT: &str = "format_version";
pub(crate) const CHAIN_SPEC: &str = "chain_spec";
pub(crate) const GENESIS_HASH: &str = "genesis_hash";
pub(crate) const SEQUENCE: &str = "sequence";

/// Which store this is. Written once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Format of the file.
    pub format_version: u32,
    /// Canonical JSON of the chain spec.
    pub chain_spec: Vec<u8>,
    /// Hash of the chain's first block.
    pub genesis_hash: B256,
}

impl Meta {
    /// A store in the format that this program writes.
    pub fn new(chain_spec: Vec<u8>, genesis_hash: B256) -> Self {
        Self { format_version: FORMAT_VERSION, chain_spec, genesis_hash }
    }
}

/// Reads what the store says of itself.
pub(crate) fn read(reader: &impl Reader) -> Result<Meta, StoreError> {
    let entry = |name: &'static str| reader.raw_get(TableId::Meta, name.as_bytes());
    let format = entry(FORMAT)?.ok_or(StoreError::Meta(FORMAT))?;
    let format_version = u32::from_be_bytes(format.try_into().map_err(|_| StoreError::Meta(FORMAT))?);
    // Before anything else is read: a later format may have changed the rest.
    if format_version > FORMAT_VERSION {
        return Err(StoreError::NewerFormat { found: format_version, known: FORMAT_VERSION });
    }
    let chain_spec = entry(CHAIN_SPEC)?.ok_or(StoreError::Meta(CHAIN_SPEC))?;
    let genesis_hash = entry(GENESIS_HASH)?.ok_or(StoreError::Meta(GENESIS_HASH))?;
    let genesis_hash = B256::try_from(&genesis_hash[..]).map_err(|_| StoreError::Meta(GENESIS_HASH))?;
    Ok(Meta { format_version, chain_spec, genesis_hash })
}

/// Whether the store says that it has shard ranges of all rows. What says nothing is damaged, and has them.
pub(crate) fn has_ranges(reader: &impl Reader) -> bool {
    read(reader).map_or(true, |meta| meta.format_version >= FIRST_WITH_RANGES)
}

/// Whether a table `meta` that is alone in its file has an entry of ours, be it readable or not.
pub(crate) fn is_ours(snapshot: &Snapshot) -> Result<bool, StoreError> {
    match read(snapshot) {
        Ok(_) | Err(StoreError::NewerFormat { .. }) => Ok(true),
        Err(error) if !error.is_damage() => Err(error),
        Err(StoreError::DamagedPages(_)) => Ok(false),
        Err(_) => snapshot.has_any(TableId::Meta, &[FORMAT, CHAIN_SPEC, GENESIS_HASH, SEQUENCE]),
    }
}

/// Sequence of the last batch.
pub(crate) fn read_sequence(reader: &impl Reader) -> Result<u64, StoreError> {
    let value = reader.view(TableId::Meta, SEQUENCE.as_bytes())?.ok_or(StoreError::Meta(SEQUENCE))?;
    Ok(u64::from_be_bytes((*value).try_into().map_err(|_| StoreError::Meta(SEQUENCE))?))
}
