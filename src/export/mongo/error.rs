//! Why a server of MongoDB's protocol is not reached, or does not do what is asked of it. No login is in it.

use std::{io, path::PathBuf};

/// Why an export to a server, or an import from one, does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The server, the network or the set of servers: it may pass by itself.
    Passing,
    /// The login, or its rights.
    Login,
    /// The connection string, or how TLS is set up.
    Setup,
    /// What is or was written.
    Data,
    /// A file with a secret.
    File,
}

/// Why a server is not reached, or does not do what is asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MongoError {
    /// A file with the connection string or the login cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a link, a folder, a pipe.
    #[error("{} is not a regular file", path.display())]
    NotRegularFile {
        /// The file.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("{} has mode {mode:04o}: others can read the login in it; run chmod 600 {}", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What was named as a file is a connection string, which may hold a password and is not repeated.
    #[error(
        "a connection string was given where the name of a file belongs; write it into a file that only its owner can read"
    )]
    UriForFile,
    /// It holds something else.
    #[error("{} does not hold what it should: {what}", path.display())]
    SecretContent {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The driver cannot make use of the connection string.
    #[error("the connection string cannot be used: {what}")]
    Uri {
        /// What is wrong with it.
        what: String,
    },
    /// The server does not take the login.
    #[error("{server} refuses the login: {what}")]
    Login {
        /// The server's hosts.
        server: String,
        /// What was said.
        what: String,
    },
    /// The server knows who asks, and does not let it.
    #[error("{server} does not let this login do it: {what}")]
    Forbidden {
        /// The server's hosts.
        server: String,
        /// What was said.
        what: String,
    },
    /// No TLS with the server, or not with its certificate.
    #[error("no TLS connection with {server}: {what}")]
    Tls {
        /// The server's hosts.
        server: String,
        /// What was said.
        what: String,
    },
    /// It does not answer, or not now.
    #[error("{server} does not answer: {what}")]
    Unreachable {
        /// The server's hosts.
        server: String,
        /// What was said.
        what: String,
    },
    /// It answers that it cannot do it.
    #[error("{server} refuses {command} ({code} {name}): {what}")]
    Command {
        /// The server's hosts.
        server: String,
        /// The command.
        command: String,
        /// Code of the server's error.
        code: i32,
        /// Name of the code.
        name: String,
        /// What was said.
        what: String,
        /// Whether it may be otherwise when it is asked again.
        passing: bool,
    },
    /// It does not take a document.
    #[error("{server} does not take the document {id} of {collection} (error {code}): {what}")]
    Document {
        /// The server's hosts.
        server: String,
        /// The collection.
        collection: String,
        /// The document's `_id`.
        id: String,
        /// Code of the server's error.
        code: i32,
        /// What was said.
        what: String,
        /// Whether it may take it when it is asked again.
        passing: bool,
    },
    /// A collection of another program cannot be written to. Nothing of the export is there, but for `left`.
    #[error(
        "{namespace} does not take the index {index}: {what}. {advice}. No document was written{}",
        if left.is_empty() { String::new() } else { format!(", and these indexes were made and could not be dropped again: {left}") }
    )]
    NotAdopted {
        /// The database and the collection.
        namespace: String,
        /// The index.
        index: String,
        /// What to do.
        advice: String,
        /// Indexes that were made and could not be dropped again; mostly none.
        left: String,
        /// What the server said.
        what: String,
    },
    /// The driver, or the server's answer, is not as it has to be.
    #[error("{server}: {what}")]
    Other {
        /// The server's hosts.
        server: String,
        /// What was said.
        what: String,
    },
}

impl MongoError {
    /// Whose matter it is.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Unreachable { .. } | Self::Command { passing: true, .. } | Self::Document { passing: true, .. } => {
                Cause::Passing
            }
            Self::Login { .. } | Self::Forbidden { .. } => Cause::Login,
            Self::Uri { .. } | Self::Tls { .. } => Cause::Setup,
            Self::Command { .. } | Self::Document { .. } | Self::NotAdopted { .. } | Self::Other { .. } => Cause::Data,
            Self::SecretFile { .. }
            | Self::NotRegularFile { .. }
            | Self::TooOpen { .. }
            | Self::UriForFile
            | Self::SecretContent { .. } => Cause::File,
        }
    }

    /// Whether it is worth to try again by itself.
    pub fn is_passing(&self) -> bool {
        self.cause() == Cause::Passing
    }

    /// Code of the server's error, where it said one.
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Command { code, .. } | Self::Document { code, .. } => Some(*code),
            _ => None,
        }
    }
}
