//! An export into a folder of files.

use super::command::named_schemas;
use crate::{
    cli::{
        db::{Bar, Found, Place, look},
        exit_codes::{CANNOT_CREATE, coded},
    },
    export::{ExportError, FolderExport, Format},
};
use lucid_rpc::Client;
use lucid_storage::{RowPage, Schema, Snapshot, row_page};
use serde_json::json;
use std::path::PathBuf;

/// What both forms of files take.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
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

pub(super) async fn export(args: Args, format: Format) -> anyhow::Result<()> {
    let schemas = named_schemas(&args.collections)?;
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
