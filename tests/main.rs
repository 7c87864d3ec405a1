//! All integration tests of the node, in one binary, one module for each situation.

mod contracts;
mod import_rules;
