//! All integration tests of the node, in one binary, one module for each situation.

mod clients;
mod contracts;
mod dev;
mod import_rules;
mod kills;
mod limits;
mod nonces;
mod session;
mod support;
mod survival;
