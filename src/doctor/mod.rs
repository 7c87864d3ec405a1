//! What an operator should know of the machine that a node runs on, and of the node's own files: each finding with the
//! one line that mends it.
//!
//! Everything is read from below a root that is `/` on a real machine, so that tests can build machines of files.

mod clock;
mod disk;
mod files;
mod finding;
mod journal;
mod machine;
mod network;
mod problem;
mod running;

pub use finding::{Finding, Level, Subject, examine};
pub use machine::Machine;
pub use problem::Problem;
pub use running::{Running, Silence};
