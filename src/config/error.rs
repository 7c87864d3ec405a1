use super::load::Source;
use std::{fmt, io, path::PathBuf};

/// Why a configuration cannot be used. Texts name the setting, what it is and where it was set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file was named that is not there.
    #[error("there is no configuration file {}", .0.display())]
    Missing(PathBuf),
    /// What is there cannot be a configuration file.
    #[error("{} is {what}; a configuration is a text file of at most 1 MiB", path.display())]
    NotAText {
        /// What was looked at.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file is no TOML.
    #[error("{} is not valid TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// There is no such setting.
    #[error("{} has the unknown key {key}{}", path.display(), DidYouMean(*.nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The one that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// A name of the environment that begins as settings do is none.
    #[error("the environment has {name}, which is no setting{}", DidYouMean(nearest.as_deref()))]
    UnknownVariable {
        /// The name.
        name: String,
        /// The one that was most likely meant.
        nearest: Option<String>,
    },
    /// A name or value of the environment is no text.
    #[error("the environment's {0} is not UTF-8 text")]
    NotUnicode(String),
    /// There is no such parameter of a chain.
    #[error("a chain has no parameter {name}{}", DidYouMean(*.nearest))]
    UnknownParameter {
        /// What was given.
        name: String,
        /// The one that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// A setting has a value that it cannot have.
    #[error("{key} is {value} ({source_of}), and must be {expected}")]
    Value {
        /// The setting.
        key: String,
        /// What it was set to.
        value: String,
        /// Where.
        source_of: Source,
        /// What it may be.
        expected: &'static str,
    },
    /// One entry of a list is none that the list can have.
    #[error("{key} names {entry} ({source_of}), and each of its entries must be {expected}")]
    ListEntry {
        /// The setting.
        key: String,
        /// The entry.
        entry: String,
        /// Where.
        source_of: Source,
        /// What it may be.
        expected: &'static str,
    },
    /// A parameter of the chain was said, and the chain has another.
    #[error(
        "{name} is {value} ({source_of}), and this chain has {own}: what belongs to a chain was fixed when it was made, \
         so take the setting away or run another chain"
    )]
    OtherThanChain {
        /// The name by which it was said.
        name: String,
        /// What was said.
        value: String,
        /// Where.
        source_of: Source,
        /// What the chain has, in the same unit.
        own: String,
    },
    /// Two servers cannot have one port.
    #[error("health.port and http.port are both {0}: give the health port another one")]
    SamePort(u16),
    /// Something secret is in the environment, where every child process and many a log could see it.
    #[error("{0} is set: secrets are never taken from the environment; put it into a file of mode 0600 and unset it")]
    SecretInEnvironment(String),
}

struct DidYouMean<'a>(Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean {name}?"),
            None => Ok(()),
        }
    }
}
