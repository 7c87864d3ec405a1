//! The flight recorder: the last starts, stops, faults and warnings of a node, in two files of at most
//! [`MAX_FLIGHT_BYTES`] together.
//!
//! On a Raspberry Pi the journal lies in memory and goes with the power. These files stay, and so tell afterwards that
//! it was the power, or what else it was. What they cost the card is a line and a sync for each event, of which there
//! are few: warnings are bounded by the hour, and a node to which nothing happens writes nothing.

mod entry;
mod file;
mod flight;

pub use entry::{Ending, Entry, Event};
pub use file::{MAX_FLIGHT_BYTES, Recorder, RecorderError};
pub use flight::{Flight, boot_id};
