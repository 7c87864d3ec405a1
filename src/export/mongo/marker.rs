//! The document by which a database is known as the target of an export, so that one that was dropped, replaced, or written to
//! by another store is noticed.

use alloy_primitives::{B256, hex};
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};

/// The collection that it is in, beside the exported ones.
pub(super) const MARKER_COLLECTION: &str = "lucid_export";

/// Whose export a database has, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Drawn when the export was begun.
    pub export_id: [u8; 16],
    /// Hash of the chain's first block.
    pub genesis_hash: B256,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Whether addresses and hashes are hex text.
    pub hex: bool,
    /// The step under way, or the last.
    pub step: u64,
    /// Sequence of the store's last batch that the step has.
    pub sequence: u64,
}

impl Marker {
    /// Its `_id`.
    pub(super) const ID: &str = "lucid-node";

    /// The id of the export as text.
    pub fn target(&self) -> String {
        hex::encode(self.export_id)
    }

    pub(super) fn to_document(&self) -> Document {
        let binary = |subtype, bytes: &[u8]| Bson::Binary(Binary { subtype, bytes: bytes.to_vec() });
        doc! {
            "_id": Self::ID,
            "export_id": binary(BinarySubtype::Uuid, &self.export_id),
            "genesis_hash": binary(BinarySubtype::Generic, self.genesis_hash.as_slice()),
            // Their bits: a server has no integers without a sign.
            "chain_id": self.chain_id as i64,
            "hex": self.hex,
            "step": self.step as i64,
            "sequence": self.sequence as i64,
        }
    }

    pub(super) fn read(document: &Document) -> Option<Self> {
        let bytes = |name: &str| document.get_binary_generic(name).ok();
        let id = match document.get("export_id")? {
            Bson::Binary(binary) => binary.bytes.as_slice().try_into().ok()?,
            _ => return None,
        };
        let number = |name: &str| document.get_i64(name).ok().map(|number| number as u64);
        Some(Self {
            export_id: id,
            genesis_hash: B256::try_from(bytes("genesis_hash")?.as_slice()).ok()?,
            chain_id: number("chain_id")?,
            hex: document.get_bool("hex").ok()?,
            step: number("step")?,
            sequence: number("sequence")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_anything_else_is_not() {
        let marker = Marker {
            export_id: [7; 16],
            genesis_hash: B256::repeat_byte(9),
            chain_id: u64::MAX,
            hex: true,
            step: 1 << 63,
            sequence: 300,
        };
        let document = marker.to_document();
        assert_eq!(Marker::read(&document), Some(marker));
        for name in document.keys().filter(|name| *name != "_id") {
            let mut other = document.clone();
            other.insert(name, "text");
            assert_eq!(Marker::read(&other), None, "{name}");
        }
    }
}
