//! Exports of the collections: into files, and to a live server.

mod command;
mod files;
#[cfg(feature = "mongo")]
mod mongo;

pub(super) use command::{Command, run};
