//! Imported rows of a collection, counted source by source.

use crate::space::{OWN_ROWS, split_prefix};

/// How many rows each source has, as a walk over a collection meets them in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct SourceRows {
    /// By the prefixes of their keys.
    pub(crate) counts: Vec<(Vec<u8>, u64)>,
}

impl SourceRows {
    /// Takes the next row in. One that is an own row, or of no space, counts for no source.
    pub(crate) fn take(&mut self, row_key: &[u8]) {
        let Some((prefix, _)) = split_prefix(row_key).filter(|(prefix, _)| *prefix != [OWN_ROWS]) else { return };
        match self.counts.last_mut().filter(|(last, _)| last == prefix) {
            Some((_, rows)) => *rows += 1,
            None => self.counts.push((prefix.to_vec(), 1)),
        }
    }
}
