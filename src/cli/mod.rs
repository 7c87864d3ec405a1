//! The command line: one file per subcommand. Each parses its arguments, runs, and gives an exit code.
//!
//! Results go to standard output, everything else (progress, warnings, logs, errors) to standard error.

mod demo;
mod dev;
mod run;
mod session;
mod signals;

pub use run::run;
