use crate::cli::{db::Place, export::command::database_name};
use std::path::PathBuf;

/// Write the collections to a live MongoDB server, and after the first time only what is new.
///
/// Documents are written by their `_id`, so that one that is written twice is there once. A kill at any moment breaks nothing:
/// the next run goes on from where the server had acknowledged. What this node forgets with time stays on the server.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    pub(super) place: Place,
    /// The file with the connection string, mongodb://USER:PASSWORD@HOST/?tls=true or mongodb+srv://…; nobody but its owner may
    /// read it. It may be a systemd credential.
    #[arg(long, value_name = "FILE")]
    pub(super) uri_file: PathBuf,
    /// The file with the user name and the password on a line each, where they are not in the connection string.
    #[arg(long, value_name = "FILE")]
    pub(super) login_file: Option<PathBuf>,
    /// Name of the database. Without it that of the connection string, or `lucid`.
    #[arg(long, value_name = "NAME", value_parser = database_name)]
    pub(super) database: Option<String>,
    /// Only this collection; may be given often.
    #[arg(long = "collection", value_name = "NAME")]
    pub(super) collections: Vec<String>,
    /// Write addresses and hashes as hex text.
    #[arg(long)]
    pub(super) hex: bool,
    /// Write into a database whose collections no export has made. Documents with the same `_id` are replaced, others stay.
    #[arg(long)]
    pub(super) adopt: bool,
    /// Go on with what is new, until Ctrl-C or SIGTERM.
    #[arg(long)]
    pub(super) follow: bool,
    /// How often is looked for what is new.
    #[arg(long, value_name = "SECS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) interval_secs: u64,
    /// Write one JSON object when it is done; with --follow one a line whenever something was written.
    #[arg(long)]
    pub(super) json: bool,
}
