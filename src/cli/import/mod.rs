//! `import-mongo`: documents of another database into the store, each taken or told of.

mod args;
mod database;
mod report;
mod run;
mod tally;
mod target;

pub(super) use args::Args;
pub(super) use run::run;
