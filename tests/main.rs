//! All integration tests of the node, in one binary, one module for each situation.

mod contracts;
mod process;
mod session;
mod survival;
