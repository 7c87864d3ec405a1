//! What a node is told: flags before environment before file before default.
//!
//! The four are put together and checked once, and what comes out does not change. Every setting is one row of a table,
//! from which the file to begin from, the names of the environment and `config show` follow. Secrets have no row: they
//! lie in files. What belongs to the chain can be said, and is then held against the chain.

mod addresses;
mod budget;
mod claims;
mod decimal;
mod environment;
mod error;
mod file;
mod load;
mod names;
mod settings;
mod template;

pub use budget::Budget;
pub use environment::text_of;
pub use error::ConfigError;
pub use file::ConfigFile;
pub use load::{Config, Entry, Flags, LogFormat, NetworkSettings, Source};
pub use settings::CLIENT_RPC_VARIABLE;
pub use template::template;
