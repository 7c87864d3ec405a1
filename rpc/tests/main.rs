//! The interface as a client meets it: a real server on a port of its own, over a real store, with a small stand-in
//! for the node behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod client;
mod eth;
mod export;
mod filters;
mod foreign;
mod import;
mod limits;
mod lucid;
mod query;
mod subscriptions;
mod support;
mod websocket;
