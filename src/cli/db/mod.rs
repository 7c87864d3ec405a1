//! Questions to the store, and care for it: numbers, check, backup, restore, indexes, compaction,
//! migration.

mod backup;
mod compact;
mod find;
mod migrate;
mod place;
mod progress;
mod reindex;
mod remove_source;
mod restore;
mod run;
mod shards;
mod sources;
mod stats;
mod verify;

pub(super) use place::{Found, Place, damage_advice, look, open_to_write, with_store_advice};
pub(super) use progress::Bar;
pub(super) use run::{Command, run};
