//! `export mongo`: the collections go to a live server, and after the first time only what is new.
//!
//! An export goes in steps (`ExportStateRecord` of the store says what one is): `judge` whether the target is the one that the
//! store knows, write what is new, note how far it came. `work` does that once or for ever, and waits where a server fails.

mod args;
mod breaker;
mod judge;
mod run;
mod source;
mod step;
mod tell;
mod work;

pub(super) use args::Args;
pub(super) use run::run;
