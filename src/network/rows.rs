//! What is remembered of peers, as rows of the store. The node writes them.

use lucid_storage::PeerRecord;

/// A row that is to be written or to go, by the peer's id in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerChange {
    /// The row is this now.
    Put(String, PeerRecord),
    /// The peer is forgotten.
    Remove(String),
}
