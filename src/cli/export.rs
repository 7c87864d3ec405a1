use super::{
    db::{Bar, Found, Place, look},
    exit_codes::{CANNOT_CREATE, USAGE, coded},
    session::with_hint,
};
use crate::export::{ExportError, FolderExport, Format};
use lucid_rpc::Client;
use lucid_storage::{RowPage, SCHEMAS, Schema, Snapshot, row_page, schema_of};
use serde_json::json;
use std::path::PathBuf;

/// Write the collections to files that other programs read.
///
/// Of a folder (--datadir) all of it is of one instant. Through a running node (--rpc) each document is exact and what is
/// written meanwhile may be in it or not.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Files that `mongorestore` reads: DIR/DATABASE/NAME.bson and NAME.metadata.json with the indexes.
    ///
    /// Times are dates, ids UUIDs, counts Int64, amounts Decimal128, addresses and hashes binary data.
    Bson {
        #[command(flatten)]
        args: Args,
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
        args: Args,
    },
}

/// What both take.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// The folder to write into; it is made, or is empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only this collection; may be given often.
    #[arg(long = "collection", value_name = "NAME")]
    collections: Vec<String>,
    /// Write one JSON object when it is done.
    #[arg(long)]
    json: bool,
}

/// A name that is one of a folder and of a database.
fn database_name(name: &str) -> Result<String, String> {
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    match !name.is_empty() && name.len() <= 63 && name.chars().all(is_good) {
        true => Ok(name.to_owned()),
        false => Err("a database's name has at most 63 letters, digits, - and _".to_owned()),
    }
}

/// Where rows come from.
enum Source {
    File(Snapshot),
    Node(Client),
}

impl Source {
    fn open(place: &Place) -> anyhow::Result<Self> {
        match place.find()? {
            Found::Folder(datadir) => Ok(Self::File(look(&datadir)?.snapshot)),
            Found::Node(client) => Ok(Self::Node(client)),
        }
    }

    async fn page(&self, schema: &Schema, after: Option<&[u8]>) -> anyhow::Result<RowPage> {
        match self {
            Self::File(snapshot) => Ok(row_page(snapshot, schema, after)?),
            Self::Node(client) => Ok(client.export_rows(schema.def.name, after).await?.into()),
        }
    }

    /// How many rows there are, for the estimate.
    async fn count(&self, schema: &Schema) -> anyhow::Result<u64> {
        match self {
            Self::File(snapshot) => Ok(snapshot.len(schema.def.table)?),
            Self::Node(client) => Ok(client.count(schema.def.name, &json!({})).await?),
        }
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let (args, format) = match command {
        Command::Bson { args, database, hex } => (args, Format::Bson { database, hex }),
        Command::Jsonl { args } => (args, Format::Jsonl),
    };
    export(args, format).await.map_err(with_hint)
}

async fn export(args: Args, format: Format) -> anyhow::Result<()> {
    let schemas: Vec<&'static Schema> = match args.collections.is_empty() {
        true => SCHEMAS.iter().collect(),
        false => {
            let named = args.collections.iter().map(|name| schema_of(name));
            named.collect::<Result<_, _>>().map_err(|error| coded(USAGE, error.to_string()))?
        }
    };
    let source = Source::open(&args.place)?;
    let export = FolderExport::begin(&args.out, format).map_err(|error| match error {
        error @ ExportError::NotEmpty { .. } => coded(CANNOT_CREATE, error.to_string()),
        error => error.into(),
    })?;
    let mut bar = Bar::new();
    let mut written = Vec::new();
    for schema in schemas {
        let total = source.count(schema).await?;
        let mut writer = export.collection(schema)?;
        let (mut after, mut done) = (None::<Vec<u8>>, 0);
        loop {
            let page = source.page(schema, after.as_deref()).await?;
            for (key, row) in &page.rows {
                writer.write(key, row)?;
            }
            done += page.rows.len() as u64;
            bar.show(schema.def.name, done, total.max(done));
            match page.rows.into_iter().next_back() {
                Some((key, _)) if page.more => after = Some(key),
                _ => break,
            }
        }
        let (documents, bytes) = writer.finish()?;
        written.push((schema.def.name, documents, bytes));
    }
    drop(bar);
    if args.json {
        let of = |(name, documents, bytes): &(&str, u64, u64)| json!({ "collection": name, "documents": documents, "bytes": bytes });
        println!("{}", json!({ "folder": args.out, "collections": written.iter().map(of).collect::<Vec<_>>() }));
    } else {
        for (name, documents, bytes) in written {
            println!("{name:20} {documents:>12} documents {bytes:>14} bytes");
        }
    }
    Ok(())
}
