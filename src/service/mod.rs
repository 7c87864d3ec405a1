//! The node as a service of a machine: what the service manager hears from it, what the log says, and what the flight
//! recorder keeps over a power cut. Nothing here knows what a chain is.

mod log;
mod notify;
mod recorder;

pub use log::{FlightLog, LogFormat, LogOptions, init_log};
pub use notify::Notifier;
pub use recorder::{Ending, Entry, Event, Flight, MAX_FLIGHT_BYTES, Recorder, RecorderError, boot_id};
