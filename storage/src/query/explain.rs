//! How a query was answered, for who wants it faster.

use super::{order::Order, plan::Way, walk::Examined};
use serde::Serialize;

/// How a query was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The way that was taken.
    pub way: WayTaken,
    /// Whether documents had to be sorted, rather than met in order.
    pub sorted_in_memory: bool,
    /// Entries of the walked table that were read.
    pub keys_examined: u64,
    /// Documents that were read and tested.
    pub documents_examined: u64,
    /// Documents of the answer.
    pub documents_returned: u64,
    /// The ways that were not taken.
    pub others: Vec<WayTaken>,
}

/// A way to meet documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WayTaken {
    /// `key` for the documents as they lie, `index` for one of the collection's indexes.
    pub by: &'static str,
    /// Its fields, with `+` between them.
    pub fields: String,
    /// How many of them, from the first on, the filter narrows.
    pub narrowed_fields: usize,
    /// Ranges of it that are walked.
    pub ranges: usize,
    /// Documents that they lead to, counted up to 1,000; absent where nothing narrows it, or there was no choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

impl Explained {
    pub(super) fn new(ways: &[Way], order: &Order, examined: Examined, documents_returned: u64) -> Self {
        let taken = |way: &Way| WayTaken {
            by: if way.is_by_key() { "key" } else { "index" },
            fields: way.fields.clone(),
            narrowed_fields: way.narrowed,
            ranges: way.ranges.len(),
            entries: way.entries,
        };
        let mut all = ways.iter().map(taken);
        let way = all.next().unwrap_or(WayTaken {
            by: "key",
            fields: String::new(),
            narrowed_fields: 0,
            ranges: 0,
            entries: None,
        });
        Self {
            way,
            sorted_in_memory: !order.is_empty() && ways.first().is_some_and(|way| !way.in_order),
            keys_examined: examined.keys,
            documents_examined: examined.documents,
            documents_returned,
            others: all.collect(),
        }
    }
}
