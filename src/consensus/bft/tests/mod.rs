//! Machines that talk to each other: what holds at one height, and at the next.

mod codecs;
mod filters;
mod heights;
mod net;
mod restarts;
mod rounds;
