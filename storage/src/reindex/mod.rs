//! What follows from the rows is made anew from them: the entries of indexes, the way from sequences to keys, the shard
//! ranges, and how many documents each source has. Rows themselves are never changed.
//!
//! All of it is looked at on snapshots, and only what differs is written, in small batches of its own. Each looks again at
//! what it mends as the store is by then, so others may write meanwhile; and nothing has to be remembered, so whatever ends
//! it, it can be run again.

mod collection;
mod imports;
mod journal;
mod ranges;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use collection::reindex_collection;
pub(crate) use ranges::make_ranges;
pub(crate) use run::Reindex;
pub use run::{Reindexable, Reindexed, TableRepair, reindex};
