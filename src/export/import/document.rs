//! One document as a row, or why it is none.

use super::{
    chunk,
    fields::{Fields, Refusal, in_words},
    payout, session, task_proof,
};
use bson::{RawBsonRef, RawDocument};
use lucid_storage::{DocumentId, ImportRow, ImportRowError};

/// A document that can be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedDocument {
    /// Its `_id`, for a report.
    pub id: String,
    /// What it is here.
    pub row: ImportRow,
    /// What its source knows it by, where that is not the text by which it is known here.
    pub known_by: Option<DocumentId>,
}

/// A document that cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// Its `_id`, for a report, where it has one.
    pub id: Option<String>,
    /// Why.
    pub reason: String,
}

/// Reads a document, given as its bytes, of what is imported into `collection`.
///
/// # Errors
///
/// It is not taken.
pub fn read_document(collection: &str, bytes: &[u8]) -> Result<ImportedDocument, NotTaken> {
    let refused = |refusal: Refusal, id| NotTaken { id, reason: refusal.to_string() };
    let of_bson = |error: bson::error::Error| refused(Refusal::Bson(error.to_string()), None);
    let document = RawDocument::from_bytes(bytes).map_err(of_bson)?;
    let fields = Fields::of(document).map_err(|refusal| refused(refusal, None))?;
    let Some((_, id)) = fields.find(&["_id"]) else { return Err(refused(Refusal::Missing("_id"), None)) };
    let shown = match id {
        RawBsonRef::String(text) => text.to_owned(),
        value => in_words(value),
    };
    let read = fields.check_names().and_then(|()| match collection {
        "sessions" => session::read(&fields),
        "chunks" => chunk::read(&fields),
        "task_proofs" => task_proof::read(&fields),
        "payouts" => payout::read(&fields),
        other => Err(ImportRowError::Collection(other.to_owned()).into()),
    });
    let checked = read.and_then(|row| row.check().map(|()| row).map_err(Refusal::from));
    let row = checked.map_err(|refusal| refused(refusal, Some(shown.clone())))?;
    let known_by = match id {
        RawBsonRef::String(text) if text == row.id() => None,
        id => Some(document_id(id)),
    };
    Ok(ImportedDocument { id: shown, row, known_by })
}

/// What tells an `_id` from all others: its type and its value.
fn document_id(id: RawBsonRef<'_>) -> DocumentId {
    let mut bytes = vec![id.element_type() as u8];
    match id {
        RawBsonRef::String(text) => bytes.extend_from_slice(text.as_bytes()),
        RawBsonRef::ObjectId(id) => bytes.extend_from_slice(&id.bytes()),
        RawBsonRef::Binary(binary) => bytes.extend_from_slice(binary.bytes),
        RawBsonRef::Document(document) => bytes.extend_from_slice(document.as_bytes()),
        other => bytes.extend_from_slice(format!("{other:?}").as_bytes()),
    }
    DocumentId::of(&bytes)
}
