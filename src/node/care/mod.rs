//! Care for the store: its numbers, a check of all of it, backups (asked for, or by schedule), putting one back, and writing
//! the file anew.
//!
//! All of it reads one snapshot and so shows one moment, whether a node runs or not (it is written anew only while none
//! runs). A node does it on a thread of its
//! own, one piece of work at a time; meanwhile it goes on, and the file may grow, because the pages that the snapshot
//! reads from are not used again before the work is done.

mod backup;
mod compact;
mod job;
mod progress;
mod records;
mod restore;
mod schedule;
mod stats;
#[cfg(test)]
mod tests;
mod verify;

pub use backup::{backup, backup_into};
pub use compact::compact;
pub(super) use job::DbJobs;
pub use progress::{ReportStep, StepProgress};
pub use restore::{KeysBeside, Restored, restore};
pub(super) use schedule::{BackupSchedule, make_backups};
pub use stats::stats;
pub use verify::verify;
