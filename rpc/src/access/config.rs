use super::{Scope, Token, Tokens};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Who may reach the server and ask what, as its operator has decided.
///
/// The default is that of a development chain: no token is asked for, and only this machine's own names and pages
/// are answered. A server that listens beyond loopback does not start without tokens, and asks each request for one.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The tokens that are accepted; `None` where no method asks for one.
    pub tokens: Option<Tokens>,
    /// Names that clients may call this machine by (`node.example`, or `node.example:8545` for one port alone),
    /// beside those of loopback and the address that is listened on.
    pub allowed_hosts: Vec<String>,
    /// Web pages that may call the node (`https://app.example`), one origin each. Where there is none, no page may
    /// call over HTTP, and over WebSocket only those of this machine.
    pub allowed_origins: Vec<String>,
    /// Namespaces that are offered beyond loopback though they are not by themselves.
    pub namespaces: BTreeSet<Namespace>,
}

impl Access {
    /// Access with tokens: on loopback they are asked for where a method needs one, and beyond it always.
    pub fn with_tokens(tokens: impl IntoIterator<Item = (Scope, Token)>) -> Self {
        Self { tokens: Some(tokens.into_iter().collect()), ..Self::default() }
    }
}

/// A group of methods that is off beyond loopback unless it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Namespace {
    /// `txpool_`: what waits shows what its senders are about to do.
    Txpool,
    /// `lucid_find` and the methods beside it: a question may take the node's time, and sees what only this machine knows.
    Find,
}

impl Namespace {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Txpool, Self::Find];

    /// Its name: what stands before the underscore, or the method that stands for all of them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Txpool => "txpool",
            Self::Find => "lucid_find",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no namespace that could be switched on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no namespace that is off by itself; there are txpool and lucid_find")]
pub struct UnknownNamespace(String);

impl FromStr for Namespace {
    type Err = UnknownNamespace;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| UnknownNamespace(name.to_owned()))
    }
}
