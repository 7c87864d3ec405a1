//! A document of another database as a row of ours, without its collection's type: what goes through an import, and over the
//! wire to a node that runs.

use crate::{
    batch::Batch,
    codec::{Origin, RecordError, Stored},
    collection::Collection,
    error::StoreError,
    import::{DocumentId, Imported},
    key::{ChunkKey, KeyError, SessionKey, StoreKey, TaskProofKey},
    records::{ChunkRecord, PayoutRecord, SessionRecord, TaskProofRecord, TaskProofType, TaskValue},
    space::SourceName,
    tables::{Chunks, Payouts, Sessions, TaskProofs},
};
use std::fmt::Display;

/// Most bytes of a text of an imported row. Many are in indexes, whose keys are short.
pub const MAX_IMPORT_TEXT_BYTES: usize = 4_096;

/// A row that is to be imported, with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportRow {
    /// Of `sessions`.
    Session(SessionKey, SessionRecord),
    /// Of `chunks`.
    Chunk(ChunkKey, ChunkRecord),
    /// Of `task_proofs`.
    TaskProof(TaskProofKey, TaskProofRecord),
    /// Of `payouts`.
    Payout(String, PayoutRecord),
}

/// Why something is no row that can be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportRowError {
    /// Nothing is imported into the collection.
    #[error("nothing is imported into {0}")]
    Collection(String),
    /// The key is none of the collection's.
    #[error("its key is malformed: {0}")]
    Key(#[from] KeyError),
    /// The record is none of the collection's.
    #[error("its record is malformed: {0}")]
    Record(#[from] RecordError),
    /// A row of another origin.
    #[error("its origin is another one")]
    Origin,
    /// A text that is too long to be taken.
    #[error("{field} has {bytes} bytes, and at most {MAX_IMPORT_TEXT_BYTES} are taken")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its bytes.
        bytes: usize,
    },
    /// A payout without an id.
    #[error("its id is empty")]
    NoId,
    /// A task proof that claims what its type does not prove.
    #[error("its value is not one of {0}")]
    Value(TaskProofType),
}

impl ImportRow {
    /// Name of its collection.
    pub const fn collection(&self) -> &'static str {
        match self {
            Self::Session(..) => Sessions::DEF.name,
            Self::Chunk(..) => Chunks::DEF.name,
            Self::TaskProof(..) => TaskProofs::DEF.name,
            Self::Payout(..) => Payouts::DEF.name,
        }
    }

    /// The text by which its document is known here.
    pub fn id(&self) -> String {
        match self {
            Self::Session(key, _) => format!("{}:{:#x}", key.session_id, key.account),
            Self::Chunk(key, _) => format!("{}:{}:{:#x}", key.session_id, key.idx, key.account),
            Self::TaskProof(key, _) => format!("{}:{:#x}:{}", key.slot, key.node_id, key.kind),
            Self::Payout(key, _) => key.clone(),
        }
    }

    /// Holds what its types leave open against what may be stored.
    ///
    /// # Errors
    ///
    /// It cannot be imported.
    pub fn check(&self) -> Result<(), ImportRowError> {
        match self {
            Self::Session(..) => Ok(()),
            Self::Chunk(_, record) => check_texts([("local_path", record.local_path.as_deref())]),
            Self::TaskProof(key, record) => match (key.kind, record.value) {
                (TaskProofType::RelayBandwidth, TaskValue::Relay { .. })
                | (TaskProofType::StorageAvailability, TaskValue::Storage { .. })
                | (TaskProofType::UptimeBeacon, TaskValue::Uptime { .. }) => Ok(()),
                (kind, _) => Err(ImportRowError::Value(kind)),
            },
            Self::Payout(id, _) if id.is_empty() => Err(ImportRowError::NoId),
            Self::Payout(id, record) => check_texts([
                ("id", Some(id.as_str())),
                ("to_addr", Some(&record.to_addr)),
                ("router", Some(&record.router)),
                ("reason", Some(&record.reason)),
                ("txid", record.txid.as_deref()),
                ("status", Some(&record.status)),
                ("compliance_sig", record.compliance_sig.as_deref()),
            ]),
        }
    }

    /// Its key and its record, as bytes.
    ///
    /// # Errors
    ///
    /// The record is too large.
    pub fn to_parts(&self) -> Result<(Vec<u8>, Vec<u8>), RecordError> {
        match self {
            Self::Session(key, record) => parts::<Sessions>(key, record),
            Self::Chunk(key, record) => parts::<Chunks>(key, record),
            Self::TaskProof(key, record) => parts::<TaskProofs>(key, record),
            Self::Payout(key, record) => parts::<Payouts>(key, record),
        }
    }

    /// The row of a collection that these bytes are.
    ///
    /// # Errors
    ///
    /// They are none that can be imported.
    pub fn from_parts(collection: &str, key: &[u8], record: &[u8]) -> Result<Self, ImportRowError> {
        let row = match collection {
            name if name == Sessions::DEF.name => of_parts::<Sessions>(key, record, Self::Session),
            name if name == Chunks::DEF.name => of_parts::<Chunks>(key, record, Self::Chunk),
            name if name == TaskProofs::DEF.name => of_parts::<TaskProofs>(key, record, Self::TaskProof),
            name if name == Payouts::DEF.name => of_parts::<Payouts>(key, record, Self::Payout),
            other => Err(ImportRowError::Collection(other.chars().take(64).collect())),
        }?;
        row.check()?;
        Ok(row)
    }
}

fn check_texts<const N: usize>(texts: [(&'static str, Option<&str>); N]) -> Result<(), ImportRowError> {
    let long = texts.into_iter().find(|(_, text)| text.is_some_and(|text| text.len() > MAX_IMPORT_TEXT_BYTES));
    match long {
        Some((field, text)) => Err(ImportRowError::TooLong { field, bytes: text.map_or(0, str::len) }),
        None => Ok(()),
    }
}

fn parts<C: Collection>(key: &C::Key, record: &C::Record) -> Result<(Vec<u8>, Vec<u8>), RecordError>
where
    C::Record: Clone,
{
    // The batch that takes it in has the sequence.
    let stored = Stored { record: record.clone(), origin: Origin::Import, sequence: 0 };
    Ok((key.to_key_bytes(), stored.to_bytes()?))
}

fn of_parts<C: Collection>(
    key: &[u8],
    record: &[u8],
    row: impl FnOnce(C::Key, C::Record) -> ImportRow,
) -> Result<ImportRow, ImportRowError> {
    let stored = Stored::<C::Record>::from_bytes(record)?;
    match stored.origin {
        Origin::Import => Ok(row(C::Key::from_key_bytes(key)?, stored.record)),
        _ => Err(ImportRowError::Origin),
    }
}

impl Batch {
    /// Takes a row in, as [`Batch::import`] does.
    ///
    /// # Errors
    ///
    /// As those of [`Batch::import`].
    pub fn import_row(
        &mut self,
        source: &SourceName,
        row: &ImportRow,
        known_by: Option<DocumentId>,
    ) -> Result<Imported, StoreError> {
        match row {
            ImportRow::Session(key, record) => self.import::<Sessions>(source, key, record, known_by),
            ImportRow::Chunk(key, record) => self.import::<Chunks>(source, key, record, known_by),
            ImportRow::TaskProof(key, record) => self.import::<TaskProofs>(source, key, record, known_by),
            ImportRow::Payout(key, record) => self.import::<Payouts>(source, key, record, known_by),
        }
    }
}

impl Imported {
    /// What became of a document, in words.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("added", Self::Added),
        ("changed", Self::Changed),
        ("unchanged", Self::Unchanged),
        ("key_taken", Self::KeyTaken),
    ];

    /// As a word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, of)| *of == self).map_or("", |(word, _)| word)
    }
}

impl Display for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        query::schema_of,
        samples::{Sample, address, session},
        space::RowSpace,
    };

    fn samples() -> [ImportRow; 4] {
        let (session_id, account) = (session(1), address(2));
        let proof = TaskProofRecord::sample();
        let kind = match proof.value {
            TaskValue::Relay { .. } => TaskProofType::RelayBandwidth,
            TaskValue::Storage { .. } => TaskProofType::StorageAvailability,
            TaskValue::Uptime { .. } => TaskProofType::UptimeBeacon,
        };
        [
            ImportRow::Session(SessionKey { session_id, account }, Sample::sample()),
            ImportRow::Chunk(ChunkKey { session_id, idx: 7, account }, Sample::sample()),
            ImportRow::TaskProof(TaskProofKey { slot: 9, node_id: address(3), kind }, proof),
            ImportRow::Payout("a:b".to_owned(), Sample::sample()),
        ]
    }

    #[test]
    fn a_row_comes_back_from_its_parts_and_has_the_id_of_its_document() {
        for row in samples() {
            let (key, record) = row.to_parts().unwrap();
            assert_eq!(ImportRow::from_parts(row.collection(), &key, &record).as_ref(), Ok(&row));
            let schema = schema_of(row.collection()).unwrap();
            let values = schema.values(&[RowSpace::own().prefix(), &key].concat(), &record).unwrap();
            assert_eq!(schema.id_of(&values), row.id());
        }
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for row in samples() {
            let (key, mut record) = row.to_parts().unwrap();
            let of = |key: &[u8], record: &[u8]| ImportRow::from_parts(row.collection(), key, record);
            assert!(matches!(of(&key[..key.len() - 1], &record), Err(ImportRowError::Key(_))));
            assert!(matches!(of(&key, &record[..record.len() - 1]), Err(ImportRowError::Record(_))));
            assert!(matches!(of(&key, &[&record[..], &[0]].concat()), Err(ImportRowError::Record(_))));
            record[1] = Origin::Chain as u8;
            assert_eq!(of(&key, &record), Err(ImportRowError::Origin));
            let nowhere = ImportRow::from_parts("blocks", &key, &record);
            assert_eq!(nowhere, Err(ImportRowError::Collection("blocks".to_owned())));
        }
        let [_, ImportRow::Chunk(key, chunk), ImportRow::TaskProof(proof_key, proof), ImportRow::Payout(_, payout)] =
            samples()
        else {
            panic!("the samples in their order")
        };
        let long = ChunkRecord { local_path: Some("x".repeat(MAX_IMPORT_TEXT_BYTES + 1)), ..chunk };
        assert!(matches!(
            ImportRow::Chunk(key, long).check(),
            Err(ImportRowError::TooLong { field: "local_path", .. })
        ));
        let value = TaskValue::Uptime { uptime_seconds: 1 };
        let other = TaskProofKey { kind: TaskProofType::RelayBandwidth, ..proof_key };
        let other = ImportRow::TaskProof(other, TaskProofRecord { value, ..proof }).check();
        assert_eq!(other, Err(ImportRowError::Value(TaskProofType::RelayBandwidth)));
        assert_eq!(ImportRow::Payout(String::new(), payout).check(), Err(ImportRowError::NoId));
    }
}
