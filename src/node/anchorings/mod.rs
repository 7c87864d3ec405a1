//! The anchorings that this node was asked for: accepted on disk, sent, watched until they are final, sent again after
//! a restart, with a higher fee where the old one no longer does.

mod accept;
mod active;
mod retry;
mod rows;
mod sign;
mod watch;

pub(super) use active::Anchorings;
pub(super) use watch::run;

#[cfg(test)]
pub(super) mod tests;
