//! Care for the store: its numbers, a check of all of it, backups (asked for, or by schedule), putting one back, making its
//! indexes anew, and writing the file anew.
//!
//! What only reads, reads one snapshot and so shows one moment, whether a node runs or not. A node does it on a thread of its
//! own, one piece of work at a time; meanwhile it goes on, and the file may grow, because the pages that the snapshot reads
//! from are not used again before the work is done.

mod backup;
mod compact;
mod job;
mod migrate;
mod progress;
mod records;
mod reindex;
mod replay;
mod restore;
mod schedule;
mod stats;
#[cfg(test)]
mod tests;
mod verify;

pub use backup::{backup, backup_into};
pub use compact::compact;
pub(super) use job::DbJobs;
pub use migrate::{Migrated, migrate};
pub use progress::{ReportStep, StepProgress};
pub use reindex::reindex_folder;
pub use restore::{KeysBeside, Restored, restore};
pub(super) use schedule::{BackupSchedule, make_backups};
pub use stats::stats;
pub use verify::verify;
