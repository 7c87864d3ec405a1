//! With what code the program ends. They are those of sysexits.h where one fits, so that a service manager and a script
//! can tell "try again" from "somebody has to look".

use crate::{
    config::ConfigError,
    export::{ExportError, import::ImportError},
    keys::KeyError,
    network::NetworkError,
    node::{NodeError, TokenFileError},
};
use lucid_rpc::{ClientError, StartError};
use lucid_storage::StoreError;
use lucid_types::SpecError;
use std::io::ErrorKind;

/// Something failed that has no code of its own.
pub(super) const FAILED: u8 = 1;
/// What was asked for is no command, or not all of one.
pub(super) const USAGE: u8 = 2;
/// What was given cannot be right: a chain spec with a bad field, a damaged or foreign store, a folder of another chain,
/// a recording that cannot be anchored as it is.
pub(super) const DATA: u8 = 65;
/// A file or folder that was named is not there or cannot be read.
pub(super) const NO_INPUT: u8 = 66;
/// Somebody else has it at this moment: the port, the store or a watched folder is in use. Or a server does not answer.
pub(super) const UNAVAILABLE: u8 = 69;
/// The program has a fault.
pub(super) const SOFTWARE: u8 = 70;
/// Something is where something new was to be made.
pub(super) const CANNOT_CREATE: u8 = 73;
/// The disk failed or is full.
pub(super) const IO: u8 = 74;
/// Rights are missing, or others have too many: a key file that others can read.
pub(super) const NO_PERMISSION: u8 = 77;
/// The configuration is wrong, or there is no chain to run.
pub(super) const CONFIG: u8 = 78;

/// Ctrl-C while waiting: what a shell gives a program that SIGINT ended.
pub(super) const INTERRUPTED: u8 = 130;

/// Whoever read the output went away: what a shell gives a program that SIGPIPE ended.
pub(super) const BROKEN_PIPE: u8 = 141;

/// What `--help` says of them.
pub(super) const HELP: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong usage
  65   bad data (chain spec, store, key, recording, dump)
  66   a file is missing or unreadable
  69   port or store in use, or a server that does not answer
  70   internal fault
  73   something is there already
  74   disk error
  77   wrong permissions, or a node or server that refuses the token or login
  78   wrong configuration, or no chain in the data folder
  130  interrupted while waiting";

/// What `--help` says of a code.
pub(super) fn meaning(code: u8) -> Option<&'static str> {
    let rows = HELP.lines().filter_map(|line| line.trim_start().split_once(' '));
    rows.into_iter().find(|(number, _)| number.parse() == Ok(code)).map(|(_, meaning)| meaning.trim_start())
}

/// An error of the command line itself, with its code and sentence.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Coded {
    code: u8,
    text: String,
}

/// An error with a code of one's own choice.
pub(super) fn coded(code: u8, text: impl Into<String>) -> anyhow::Error {
    Coded { code, text: text.into() }.into()
}

/// The code of an error, by the first cause that has one.
pub(super) fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(of_cause).unwrap_or(FAILED)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(Coded { code, .. }) = cause.downcast_ref() {
        return Some(*code);
    }
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        return of_client(error);
    }
    if let Some(error) = cause.downcast_ref::<NodeError>() {
        return Some(of_node(error));
    }
    if let Some(error) = cause.downcast_ref::<KeyError>() {
        return Some(of_key(error));
    }
    if let Some(error) = cause.downcast_ref::<TokenFileError>() {
        return Some(of_token(error));
    }
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return Some(of_store(error));
    }
    if let Some(error) = cause.downcast_ref::<ImportError>() {
        return Some(match error {
            ImportError::Io { source, .. } => of_io(source.kind()),
            ImportError::NoDump { .. } | ImportError::NoDatabase { .. } => NO_INPUT,
            ImportError::ManyDatabases { .. } => USAGE,
            _ => DATA,
        });
    }
    if let Some(code) = cause.downcast_ref().and_then(of_export) {
        return Some(code);
    }
    #[cfg(feature = "mongo")]
    if let Some(error) = cause.downcast_ref() {
        return Some(of_mongo(error));
    }
    if let Some(ConfigError::Io { source, .. }) = cause.downcast_ref() {
        return Some(of_io(source.kind()));
    }
    if let Some(ConfigError::Missing(_)) = cause.downcast_ref() {
        return Some(NO_INPUT);
    }
    if cause.is::<ConfigError>() {
        return Some(CONFIG);
    }
    if cause.is::<SpecError>() {
        return Some(DATA);
    }
    cause.downcast_ref::<std::io::Error>().map(|error| of_io(error.kind()))
}

/// Whether the error is that a node's store is damaged.
pub(super) fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<NodeError>().is_some_and(NodeError::is_damage)
            || cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_damage)
    })
}

/// Whether a panic at this place of a source file is the database engine's. It panics over most damage that it meets in
/// a page, and the program ends at a panic, so no caller can make an error of it. Another cause would be a fault of this
/// program in how it calls the engine, which none is known of.
pub(super) fn is_in_database(source_file: &str) -> bool {
    // Its folder in the registry's cache is named with its version; where sources are vendored it need not be.
    source_file.split(['/', '\\']).any(|folder| folder == "redb" || folder.starts_with("redb-"))
}

/// Only what has to do with rights, with the command itself or with a damaged store has a code: what else a node says is its
/// own matter.
fn of_client(error: &ClientError) -> Option<u8> {
    match error {
        ClientError::Url { .. } => Some(USAGE),
        ClientError::Unauthorized { .. } | ClientError::Forbidden { .. } => Some(NO_PERMISSION),
        // docs/rpc.md has them.
        _ => match error.fault()?.lucid_code()? {
            // A token is missing, not known, or for something else.
            "LUCID_ERR_2001" | "LUCID_ERR_2004" => Some(NO_PERMISSION),
            // The same as on the file.
            "LUCID_ERR_3002" => Some(DATA),
            _ => None,
        },
    }
}

fn of_node(error: &NodeError) -> u8 {
    if let Some(error) = error.of_store() {
        return of_store(error);
    }
    match error {
        NodeError::Io { source, .. } => of_io(source.kind()),
        NodeError::NoFolder(_) => NO_INPUT,
        NodeError::Key(error) => of_key(error),
        NodeError::Start(StartError::AddressInUse(_)) => UNAVAILABLE,
        NodeError::Health { source, .. } | NodeError::StatusSocket { source, .. }
            if source.kind() == ErrorKind::AddrInUse =>
        {
            UNAVAILABLE
        }
        NodeError::Network(NetworkError::Listen { source, .. }) if source.kind() == ErrorKind::AddrInUse => UNAVAILABLE,
        NodeError::Network(_) => CONFIG,
        NodeError::Health { .. } | NodeError::StatusSocket { .. } => CONFIG,
        NodeError::Start(StartError::Listen { source, .. }) => of_io(source.kind()),
        NodeError::Tokens(error) => of_token(error),
        NodeError::Start(StartError::Unprotected(_)) => CONFIG,
        NodeError::Remote(_) | NodeError::Namespace(_) | NodeError::ForeignValidator { .. } => CONFIG,
        NodeError::StoreGone { .. } => CONFIG,
        NodeError::NoChain(_)
        | NodeError::NotLoopback(_)
        | NodeError::NotAlone { .. }
        | NodeError::OtherValidator { .. }
        | NodeError::Config(_) => CONFIG,
        NodeError::HoldsAStore(_)
        | NodeError::HoldsAChain { .. }
        | NodeError::NotEmpty { .. }
        | NodeError::KeysHaveSigned { .. } => CANNOT_CREATE,
        NodeError::NoRoom { .. } | NodeError::NoRoomToCompact { .. } | NodeError::NoRoomToMigrate { .. } => IO,
        NodeError::OtherUsersFolder { .. } => NO_PERMISSION,
        NodeError::NotAFolder(_)
        | NodeError::NotADevChain { .. }
        | NodeError::OtherChain { .. }
        | NodeError::OtherSpec { .. }
        | NodeError::BackupDamaged { .. }
        | NodeError::BackupOfOtherChain { .. }
        | NodeError::BackupOfOtherNode { .. }
        | NodeError::Chain(_)
        | NodeError::Poot(_)
        | NodeError::State(_)
        | NodeError::Spec(_)
        | NodeError::GenesisAhead { .. }
        | NodeError::PrecompileAllocation { .. }
        | NodeError::Genesis => DATA,
        _ => FAILED,
    }
}

fn of_key(error: &KeyError) -> u8 {
    match error {
        KeyError::NotFound { .. } => NO_INPUT,
        KeyError::AlreadyExists { .. } => CANNOT_CREATE,
        KeyError::TooOpen { .. } => NO_PERMISSION,
        KeyError::NotRegularFile { .. }
        | KeyError::Content { .. }
        | KeyError::SharedKey { .. }
        | KeyError::SecretAsPath
        | KeyError::HighestSigned { .. } => DATA,
        KeyError::Io { source, .. } => of_io(source.kind()),
        _ => FAILED,
    }
}

fn of_token(error: &TokenFileError) -> u8 {
    match error {
        TokenFileError::TooOpen { .. } => NO_PERMISSION,
        TokenFileError::Missing { .. } => NO_INPUT,
        TokenFileError::Twice { .. } => CONFIG,
        TokenFileError::New(error) => of_key(error),
        TokenFileError::Io { source, .. } => of_io(source.kind()),
        TokenFileError::NotRegularFile { .. } | TokenFileError::Content { .. } => DATA,
    }
}

fn of_store(error: &StoreError) -> u8 {
    match error {
        error if error.is_damage() => DATA,
        StoreError::Missing(_) => NO_INPUT,
        StoreError::AlreadyExists(_) => CANNOT_CREATE,
        StoreError::Locked(_) => UNAVAILABLE,
        StoreError::Io { source, .. } => of_io(source.kind()),
        StoreError::Engine(_) | StoreError::BadCopy(_) => IO,
        StoreError::ForeignFile(_) | StoreError::NewerFormat { .. } | StoreError::OlderFormat { .. } => DATA,
        _ => FAILED,
    }
}

/// What lies below an export has its own code.
fn of_export(error: &ExportError) -> Option<u8> {
    match error {
        ExportError::NotEmpty { .. }
        | ExportError::Place { .. }
        | ExportError::NotOwn { .. }
        | ExportError::Foreign { .. } => Some(CANNOT_CREATE),
        ExportError::InUse { .. } => Some(UNAVAILABLE),
        ExportError::TooLarge { .. } | ExportError::Document { .. } => Some(DATA),
        #[cfg(feature = "mongo")]
        ExportError::Server(error) => Some(of_mongo(error)),
        ExportError::Io { .. } | ExportError::Store(_) => None,
    }
}

#[cfg(feature = "mongo")]
fn of_mongo(error: &crate::export::mongo::MongoError) -> u8 {
    use crate::export::mongo::{Cause, MongoError};
    match (error.cause(), error) {
        (Cause::Passing, _) => UNAVAILABLE,
        (Cause::Login, _) | (_, MongoError::TooOpen { .. }) => NO_PERMISSION,
        (Cause::Setup, _) => CONFIG,
        (_, MongoError::SecretFile { source, .. }) => of_io(source.kind()),
        (Cause::Data | Cause::File, _) => DATA,
    }
}

fn of_io(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::NotFound => NO_INPUT,
        ErrorKind::PermissionDenied => NO_PERMISSION,
        ErrorKind::AlreadyExists => CANNOT_CREATE,
        _ => IO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lucid_rpc::RpcFault;
    use std::path::PathBuf;

    #[test]
    fn a_code_is_found_behind_what_was_said_about_the_error() {
        let locked = NodeError::Store(StoreError::Locked(PathBuf::from("lucid.redb")));
        let error = anyhow::Error::new(locked).context("cannot start").context("again");
        assert_eq!(exit_code(&error), UNAVAILABLE);
        let missing = std::io::Error::from(ErrorKind::NotFound);
        assert_eq!(exit_code(&anyhow::Error::new(missing).context("cannot read x")), NO_INPUT);
        assert_eq!(exit_code(&anyhow::anyhow!("else")), FAILED);
    }

    #[test]
    fn a_panic_is_the_databases_by_where_it_arose() {
        for file in ["/root/.cargo/registry/src/index.crates.io-1/redb-4.5.0/src/db.rs", "vendor/redb/src/db.rs"] {
            assert!(is_in_database(file), "{file}");
        }
        for file in ["src/cli/db/run.rs", "storage/src/store.rs", "/x/lucid.redb/storage/src/store.rs", "redbx/a.rs"] {
            assert!(!is_in_database(file), "{file}");
        }
    }

    #[test]
    fn a_node_that_refuses_who_calls_is_told_from_one_that_fails() {
        let url = || "http://node.example".to_owned();
        let fault = |code: &str| ClientError::Fault {
            method: "lucid_anchorSession".to_owned(),
            fault: RpcFault { code: -32000, message: String::new(), data: Some(serde_json::json!({"code": code})) },
        };
        for (error, code) in [
            (ClientError::Unauthorized { url: url(), shown: false }, NO_PERMISSION),
            (ClientError::Forbidden { url: url() }, NO_PERMISSION),
            (fault("LUCID_ERR_2001"), NO_PERMISSION),
            (fault("LUCID_ERR_2004"), NO_PERMISSION),
            (fault("LUCID_ERR_3002"), DATA),
            (fault("LUCID_ERR_6006"), FAILED),
            (ClientError::Url { url: url(), reason: String::new() }, USAGE),
            (ClientError::Unreachable { url: url(), reason: String::new() }, FAILED),
        ] {
            let text = error.to_string();
            assert_eq!(exit_code(&anyhow::Error::new(error).context("said")), code, "{text}");
        }
    }

    #[test]
    fn damage_is_known_behind_what_was_said_about_it() {
        let damaged = || StoreError::Meta("sequence");
        for error in [anyhow::Error::new(damaged()), anyhow::Error::new(NodeError::Store(damaged()))] {
            let error = error.context("cannot start");
            assert!(is_damage(&error));
            assert_eq!(exit_code(&error), DATA);
        }
        assert!(!is_damage(&anyhow::Error::new(StoreError::Stopped)));
    }

    #[test]
    fn a_code_has_one_meaning() {
        assert_eq!((meaning(65), meaning(64)), (Some("bad data (chain spec, store, key, recording, dump)"), None));
    }

    #[test]
    fn the_help_names_every_code() {
        let codes = [
            FAILED,
            USAGE,
            DATA,
            NO_INPUT,
            UNAVAILABLE,
            SOFTWARE,
            CANNOT_CREATE,
            IO,
            NO_PERMISSION,
            CONFIG,
            INTERRUPTED,
        ];
        for code in codes {
            assert!(HELP.contains(&format!("\n  {code:<5}")), "{code}");
            assert!(meaning(code).is_some_and(|meaning| HELP.contains(meaning)), "{code}");
            assert!(include_str!("../../docs/operate.md").contains(&format!("| {code} |")), "{code}");
        }
    }
}
