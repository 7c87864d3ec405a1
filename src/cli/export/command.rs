use super::files;
#[cfg(feature = "mongo")]
use super::mongo;
use crate::{
    cli::{
        exit_codes::{USAGE, coded},
        session::with_hint,
    },
    export::{DatabaseNameError, Format, check_database_name},
};
use lucid_storage::{SCHEMAS, Schema, schema_of};

/// Write the collections to where other programs read them.
///
/// Into files: of a folder (--datadir) all of it is of one instant; through a running node (--rpc) each document is exact and
/// what is written meanwhile may be in it or not.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Files that `mongorestore` reads: DIR/DATABASE/NAME.bson and NAME.metadata.json with the indexes.
    ///
    /// Times are dates, ids UUIDs, counts Int64, amounts Decimal128, addresses and hashes binary data.
    Bson {
        #[command(flatten)]
        args: files::Args,
        /// Name of the database.
        #[arg(long, value_name = "NAME", default_value = "lucid", value_parser = database_name)]
        database: String,
        /// Write addresses and hashes as hex text.
        #[arg(long)]
        hex: bool,
    },
    /// A document a line: DIR/NAME.jsonl.
    Jsonl {
        #[command(flatten)]
        args: files::Args,
    },
    #[cfg(feature = "mongo")]
    Mongo(mongo::Args),
}

/// The name of a database that is exported into.
pub(super) fn database_name(name: &str) -> Result<String, DatabaseNameError> {
    check_database_name(name).map(|()| name.to_owned())
}

/// The collections of these names, each once; all of them where none is named.
pub(super) fn named_schemas(names: &[String]) -> anyhow::Result<Vec<&'static Schema>> {
    if names.is_empty() {
        return Ok(SCHEMAS.iter().collect());
    }
    let mut named = Vec::<&Schema>::new();
    for name in names {
        let schema = schema_of(name).map_err(|error| coded(USAGE, error.to_string()))?;
        if named.iter().all(|known| known.def.name != schema.def.name) {
            named.push(schema);
        }
    }
    Ok(named)
}

pub(in crate::cli) async fn run(command: Command) -> anyhow::Result<()> {
    let outcome = match command {
        Command::Bson { args, database, hex } => files::export(args, Format::Bson { database, hex }).await,
        Command::Jsonl { args } => files::export(args, Format::Jsonl).await,
        #[cfg(feature = "mongo")]
        Command::Mongo(args) => mongo::run(args).await,
    };
    outcome.map_err(with_hint)
}
