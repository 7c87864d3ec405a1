//! The command line: one file per subcommand. Each parses its arguments, runs, and gives an exit code.
//!
//! Results go to standard output, everything else (progress, warnings, logs, errors) to standard error.

mod address;
mod app;
mod config;
mod db;
mod demo;
mod dev;
mod devnet;
mod doctor;
mod exit_codes;
mod export;
mod flight;
mod genesis;
mod import;
mod init;
mod input;
mod key;
mod proofs;
mod run;
mod serve;
mod session;
mod signals;
mod status;
mod time;
mod transact;
mod validator;
mod why;

pub use app::{command, main};
