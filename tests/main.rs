//! All integration tests of the node, in one binary, one module for each situation.

mod care;
mod clients;
mod contracts;
mod dev;
mod import_rules;
mod nonces;
mod session;
mod support;
mod survival;
