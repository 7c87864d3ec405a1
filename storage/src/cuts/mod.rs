//! The power is cut at every kind of moment, thousands of times. After each cut the store opens by itself, has the last
//! batch that was answered as committed and at most the one that was under way, whole, and nothing of it is damaged.
//!
//! `LUCID_CUTS` says how many cuts each test makes; `LUCID_CUT_SEED` is the seed of the first, by which one is repeated.

mod commits;
mod files;
mod migration;
mod model;
mod reindex;
