//! Who may ask what: tokens and their scopes, and which hosts and web pages a request may come from.
//!
//! Pure: files, addresses and requests are read elsewhere.

mod caller;
mod config;
mod hosts;
mod origins;
mod token;

pub(crate) use caller::{Caller, Denied};
pub use config::{Access, Namespace, UnknownNamespace};
pub(crate) use hosts::Hosts;
pub(crate) use origins::Origins;
pub use token::{InvalidToken, Scope, Token, Tokens, UnknownScope};
