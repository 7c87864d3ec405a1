//! All integration tests of the node, in one binary, one module for each situation.

mod backups;
mod care;
mod clients;
mod clock;
mod compact;
mod config;
mod contracts;
mod damage;
mod dev;
mod export;
mod floods;
mod full_disk;
mod import;
mod import_rules;
mod keys;
mod kills;
mod limits;
mod migrate;
#[cfg(feature = "mongo")]
mod mongo;
mod network;
mod nonces;
mod queries;
mod reindex;
mod run;
mod service;
mod session;
mod sources;
mod support;
mod survival;
mod watch;
mod writes;
