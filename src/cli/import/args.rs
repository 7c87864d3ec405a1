use crate::cli::db::Place;
use lucid_storage::SourceName;
use std::path::PathBuf;

/// Take over the sessions, chunks, task proofs and payouts of another Lucid database, from files or from a live MongoDB server.
///
/// Imported documents lie apart from this chain's own, under the name of their source, and count for nothing in it. Each is
/// taken or listed with its reason. Run again, this writes only what is new or changed at the source. docs/import.md has the
/// fields that are read.
///
/// For example: lucid-node import-mongo --from dump/ --datadir /var/lib/lucid --report import.jsonl
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("where").required(true).args(ORIGINS)))]
pub(in crate::cli) struct Args {
    /// A folder as mongodump or `lucid-node export bson` writes it; or the URI of a server, mongodb://HOST, where no login is
    /// needed.
    #[arg(long, value_name = "DIR|URI")]
    pub(super) from: Option<String>,
    /// The file with the URI of a server, mongodb://USER:PASSWORD@HOST/?tls=true; nobody but its owner may read it. It may be a
    /// systemd credential.
    #[cfg(feature = "mongo")]
    #[arg(long, value_name = "FILE")]
    pub(super) from_uri_file: Option<PathBuf>,
    /// The file with the user name and the password on a line each, where they are not in the URI.
    #[cfg(feature = "mongo")]
    #[arg(long, value_name = "FILE", requires = "from_uri_file")]
    pub(super) login_file: Option<PathBuf>,
    /// Name of the database; needed where the folder has several. Of a server the one in the URI without it, or `lucid`.
    #[arg(long, value_name = "NAME")]
    pub(super) database: Option<String>,
    /// The name under which its documents lie here; that of the database without it.
    #[arg(long, value_name = "NAME")]
    pub(super) source: Option<SourceName>,
    #[command(flatten)]
    pub(super) place: Place,
    /// A file to be made with a line of JSON for each document: whether it was taken, or why not.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Read and judge the documents, and write nothing. No store is needed for it.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// End with code 65 where a document was not taken.
    #[arg(long)]
    pub(super) strict: bool,
    /// Write one JSON object when it is done.
    #[arg(long)]
    pub(super) json: bool,
}

/// Where documents may come from.
#[cfg(feature = "mongo")]
const ORIGINS: [&str; 2] = ["from", "from_uri_file"];
#[cfg(not(feature = "mongo"))]
const ORIGINS: [&str; 1] = ["from"];
