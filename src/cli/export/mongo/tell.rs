//! What is said of an export: results to standard output, all else to standard error.

use super::step::Written;
use crate::cli::db::Bar;
use serde_json::json;

/// Says how an export is.
pub(super) struct Teller {
    bar: Bar,
    json: bool,
    server: String,
    database: String,
}

impl Teller {
    pub(super) fn new(json: bool, server: String, database: String) -> Self {
        Self { bar: Bar::new(), json, server, database }
    }

    /// Says something that is no result.
    pub(super) fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    /// Shows how far a collection has come.
    pub(super) fn show(&mut self, collection: &str, done: u64, total: u64) {
        self.bar.show(collection, done, total);
    }

    /// Says what was written; `is_last` where no more comes.
    pub(super) fn wrote(&mut self, written: &[Written], is_last: bool) {
        self.bar = Bar::new();
        if written.is_empty() && !is_last {
            return;
        }
        if self.json {
            let of =
                |of: &Written| json!({ "collection": of.collection, "documents": of.documents, "bytes": of.bytes });
            let collections: Vec<_> = written.iter().map(of).collect();
            println!("{}", json!({ "server": self.server, "database": self.database, "collections": collections }));
            return;
        }
        for Written { collection, documents, bytes } in written {
            println!("{collection:20} {documents:>12} documents {bytes:>14} bytes");
        }
        if written.is_empty() {
            println!("nothing is new");
        }
    }
}
