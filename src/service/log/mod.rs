//! The log: to standard error, as a person, the journal or a program reads it best, with a bound on what one place may
//! write, and with its warnings going to the flight recorder too.

mod format;
mod limit;
mod record;
mod setup;

pub use record::FlightLog;
pub use setup::{LogFormat, LogOptions, init_log};
