//! The interface as a client meets it: a real server on a port of its own, over a real store, with a small stand-in
//! for the node behind it.

mod client;
mod eth;
mod foreign;
mod limits;
mod lucid;
mod support;
