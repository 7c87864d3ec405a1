//! How many documents there were of each collection, and what became of them.

use lucid_storage::Imported;
use serde_json::{Value as Json, json};

/// What became of the documents of one collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) collection: &'static str,
    pub(super) added: u64,
    pub(super) changed: u64,
    pub(super) unchanged: u64,
    /// Those that are good, where nothing is written.
    pub(super) readable: u64,
    pub(super) not_taken: u64,
}

impl Tally {
    pub(super) fn new(collection: &'static str) -> Self {
        Self { collection, ..Self::default() }
    }

    pub(super) fn count(&mut self, imported: Imported) {
        match imported {
            Imported::Added => self.added += 1,
            Imported::Changed => self.changed += 1,
            Imported::Unchanged => self.unchanged += 1,
            Imported::KeyTaken => self.not_taken += 1,
        }
    }

    /// Those that were written.
    pub(super) const fn written(&self) -> u64 {
        self.added + self.changed
    }

    fn documents(&self) -> u64 {
        self.added + self.changed + self.unchanged + self.readable + self.not_taken
    }

    pub(super) fn to_json(&self, dry_run: bool) -> Json {
        let (collection, documents, not_taken) = (self.collection, self.documents(), self.not_taken);
        match dry_run {
            true => json!({
                "collection": collection, "documents": documents, "readable": self.readable, "not_taken": not_taken,
            }),
            false => json!({
                "collection": collection,
                "documents": documents,
                "added": self.added,
                "changed": self.changed,
                "unchanged": self.unchanged,
                "not_taken": not_taken,
            }),
        }
    }

    pub(super) fn to_line(&self, dry_run: bool) -> String {
        let documents = format!("{:12} {:>10} documents", self.collection, self.documents());
        match dry_run {
            true => format!("{documents}: {} can be taken, {} not", self.readable, self.not_taken),
            false => format!(
                "{documents}: {} added, {} changed, {} unchanged, {} not taken",
                self.added, self.changed, self.unchanged, self.not_taken
            ),
        }
    }
}
