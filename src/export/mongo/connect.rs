//! The connection to a server, and what it says of itself.

use super::{
    error::MongoError,
    login::{MongoUri, Redactor},
};
use crate::export::database::{DatabaseNameError::Reserved, check_database_name};
use bson::{Document, RawDocumentBuf, doc};
use mongodb::{
    Client,
    error::{Error, ErrorKind},
    options::{ClientOptions, ServerAddress, Tls},
};
use std::time::Duration;

/// How long a server is looked for before that has failed, unless the connection string says otherwise. What is asked again
/// later need not wait for half a minute now, as the driver would.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server is looked for without TLS, to tell one that has none from one that is away.
const PLAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Most connections at once: one command after the other is sent, and the driver watches each server over one of its own.
const MAX_CONNECTIONS: u32 = 2;

/// The name under which the server lists this program.
const APP_NAME: &str = "lucid-node";

/// The version of the protocol of MongoDB 4.4, the oldest that is written to.
const MIN_WIRE_VERSION: i32 = 9;

/// The database in which a server is asked of itself.
const ADMIN: &str = "admin";

/// Codes of errors that pass: the server stops, starts, elects, waits for a lock or for its disk.
const PASSING_CODES: [i32; 26] = [
    6, 7, 24, 46, 50, 63, 64, 89, 91, 112, 133, 134, 150, 189, 202, 234, 262, 317, 9001, 10058, 10107, 11600, 11602,
    13388, 13435, 13436,
];

/// What the router of a sharded cluster says it is.
const ROUTER: &str = "isdbgrid";

/// What it says where a login has no right.
const UNAUTHORIZED: i32 = 13;

/// What it says where it does not know the login.
const LOGIN_CODES: [i32; 3] = [11, 18, 334];

/// What the TLS library says where a connection cannot come about: each of it stays until somebody has looked.
const TLS_FAULTS: [&str; 6] = [
    "invalid peer certificate",
    "received corrupt message",
    "received fatal alert",
    "peer is incompatible",
    "peer misbehaved",
    "InvalidCertificate",
];

/// A server, or a set of them.
pub struct MongoServer {
    client: Client,
    /// The way to it without TLS and without a login, where the connection string asks for TLS.
    plain: Option<Box<ClientOptions>>,
    redactor: Redactor,
    shown: String,
    database: Option<String>,
    is_encrypted: bool,
    is_local: bool,
}

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Whether it is the router of a sharded cluster.
    pub is_sharded: bool,
}

impl MongoServer {
    /// Makes use of a connection string. Nothing is asked of the server yet, but of the domain name system where the string
    /// is one of `mongodb+srv`.
    ///
    /// # Errors
    ///
    /// It cannot be used; its hosts cannot be looked up.
    pub async fn new(uri: &MongoUri) -> Result<Self, MongoError> {
        let fault = |error: Error| {
            let what = uri.strict_redactor().redact(&error.kind.to_string());
            match *error.kind {
                ErrorKind::DnsResolve { .. } => MongoError::Unreachable { server: "the server".to_owned(), what },
                _ => MongoError::Uri { what },
            }
        };
        let mut options = ClientOptions::parse(uri.text()).await.map_err(fault)?;
        options.app_name.get_or_insert_with(|| APP_NAME.to_owned());
        options.server_selection_timeout.get_or_insert(SELECTION_TIMEOUT);
        options.max_pool_size = Some(options.max_pool_size.map_or(MAX_CONNECTIONS, |named| named.min(MAX_CONNECTIONS)));
        let shown = options.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        // What these hold is the server's own; a login is often looked up in the first.
        let database =
            options.default_database.clone().filter(|name| !matches!(check_database_name(name), Err(Reserved(_))));
        let is_encrypted = matches!(options.tls, Some(Tls::Enabled(_)));
        let is_local = options.hosts.iter().all(is_local);
        let plain = is_encrypted.then(|| Box::new(without_tls(&options)));
        let client = Client::with_options(options).map_err(fault)?;
        Ok(Self { client, plain, redactor: uri.redactor(), shown, database, is_encrypted, is_local })
    }

    /// Its hosts, without the login.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The database that the connection string names, if it names one.
    pub fn named_database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Whether what goes to it can be read on the way: without TLS, to another machine.
    pub const fn is_readable_on_the_way(&self) -> bool {
        !self.is_encrypted && !self.is_local
    }

    /// Asks it what it is.
    ///
    /// # Errors
    ///
    /// It does not answer, does not take the login, has no TLS and should, or is too old.
    pub async fn hello(&self) -> Result<Hello, MongoError> {
        let hello = doc! { "hello": 1 };
        let answer = match self.command(ADMIN, "hello", &hello).await {
            // Asked once more: it may have come back between the two.
            Err(MongoError::Unreachable { .. }) if self.answers_without_tls(&hello).await => {
                self.command(ADMIN, "hello", &hello).await.map_err(no_tls)?
            }
            answer => answer?,
        };
        let version = answer.get_i32("maxWireVersion").unwrap_or_default();
        if version < MIN_WIRE_VERSION {
            let what = format!("it is older than MongoDB 4.4 (protocol {version}, and {MIN_WIRE_VERSION} is needed)");
            return Err(MongoError::Other { server: self.shown.clone(), what });
        }
        Ok(Hello { is_sharded: answer.get_str("msg").is_ok_and(|kind| kind == ROUTER) })
    }

    /// Whether it is there, and answers who comes without TLS though the connection string asks for it. What a server without
    /// TLS makes of its beginning is not to be told from one that is away: it hangs up, or waits for more.
    async fn answers_without_tls(&self, hello: &Document) -> bool {
        let Some(Ok(client)) = self.plain.as_deref().map(|options| Client::with_options(options.clone())) else {
            return false;
        };
        let answer = client.database(ADMIN).run_command(hello.clone()).await;
        client.shutdown().immediate(true).await;
        answer.is_ok()
    }

    /// Has it run a command in a database; `name` is what an error calls it.
    ///
    /// # Errors
    ///
    /// It does not answer, or refuses.
    pub(in crate::export) async fn command(
        &self,
        database: &str,
        name: &str,
        command: &Document,
    ) -> Result<Document, MongoError> {
        let ran = self.client().database(database).run_command(command.clone()).await;
        ran.map_err(|error| self.error(name, &error))
    }

    /// The same, of a command that is written already.
    ///
    /// # Errors
    ///
    /// It does not answer, or refuses.
    pub(in crate::export) async fn raw_command(
        &self,
        database: &str,
        name: &str,
        command: RawDocumentBuf,
    ) -> Result<Document, MongoError> {
        let ran = self.client().database(database).run_raw_command(command).await;
        ran.map_err(|error| self.error(name, &error))
    }

    /// The driver's handle of it, for what is more than a command.
    pub(in crate::export) const fn client(&self) -> &Client {
        &self.client
    }

    /// The driver's error, without the login and told apart by whose matter it is; `command` is what was asked.
    pub(in crate::export) fn error(&self, command: &str, error: &Error) -> MongoError {
        let (server, what) = (self.shown.clone(), self.redactor.redact(&error.kind.to_string()));
        match &*error.kind {
            ErrorKind::Authentication { .. } => MongoError::Login { server, what },
            ErrorKind::InvalidTlsConfig { .. } => MongoError::Tls { server, what },
            ErrorKind::Io(_) | ErrorKind::ServerSelection { .. } if is_tls_fault(&what) => {
                MongoError::Tls { server, what }
            }
            ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. } => MongoError::Unreachable { server, what },
            ErrorKind::Command(refused) if LOGIN_CODES.contains(&refused.code) => MongoError::Login { server, what },
            ErrorKind::Command(refused) if refused.code == UNAUTHORIZED => MongoError::Forbidden { server, what },
            ErrorKind::Command(refused) => MongoError::Command {
                server,
                command: command.to_owned(),
                code: refused.code,
                name: refused.code_name.clone(),
                what: self.redactor.redact(&refused.message),
                passing: is_passing(refused.code),
            },
            _ => MongoError::Other { server, what },
        }
    }

    /// A text that the server said, without the login.
    pub(in crate::export) fn redact(&self, text: &str) -> String {
        self.redactor.redact(text)
    }
}

/// Whether an error of this code may pass by itself.
pub(in crate::export) fn is_passing(code: i32) -> bool {
    PASSING_CODES.contains(&code)
}

/// The same servers without TLS. No login goes to them.
fn without_tls(options: &ClientOptions) -> ClientOptions {
    let mut plain = options.clone();
    (plain.tls, plain.credential) = (Some(Tls::Disabled), None);
    plain.server_selection_timeout = Some(PLAIN_TIMEOUT);
    plain
}

/// The error of a server that answers without TLS, and with it not.
fn no_tls(error: MongoError) -> MongoError {
    match error {
        MongoError::Unreachable { server, what } => {
            let what = format!(
                "it answers without TLS and not with it, which tls=true in the connection string asks for; set TLS up on the \
                 server, or leave tls=true out ({what})"
            );
            MongoError::Tls { server, what }
        }
        other => other,
    }
}

fn is_tls_fault(text: &str) -> bool {
    TLS_FAULTS.iter().any(|fault| text.contains(fault))
}

fn is_local(address: &ServerAddress) -> bool {
    match address {
        ServerAddress::Tcp { host, .. } => {
            let literal = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost" || literal.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        ServerAddress::Unix { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_machine_without_tls_is_readable_on_the_way() {
        let local = |address: &str| is_local(&ServerAddress::parse(address).unwrap());
        assert!(local("localhost:27017") && local("127.0.0.1") && local("[::1]:1"));
        assert!(!local("db.example") && !local("192.0.2.1:27017"));
    }

    #[test]
    fn a_fault_of_tls_is_told_from_a_server_that_is_down() {
        assert!(is_tls_fault("Kind: I/O error: invalid peer certificate: UnknownIssuer"));
        assert!(!is_tls_fault("Kind: I/O error: Connection refused (os error 111)"));
    }

    #[test]
    fn codes_are_in_order_and_once() {
        assert!(PASSING_CODES.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(is_passing(11600) && !is_passing(UNAUTHORIZED));
    }
}
