//! An export into a folder of files.

use super::command::named_schemas;
use crate::{
    cli::db::{Bar, Found, Place, look},
    export::{CollectionWriter, FolderExport, Format},
};
use lucid_rpc::{Client, ImportSourceDocument};
use lucid_storage::{Reader, RowPage, Schema, Snapshot, export_page, import_sources, row_count, space_of};
use serde_json::json;
use std::path::PathBuf;

/// What both forms of files take.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// The folder to write; it is made, or is empty. Until it is whole it is DIR.new beside it.
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

    /// Own rows, or those of a source that no other document stands for.
    async fn page(&self, schema: &Schema, source: Option<&str>, after: Option<&[u8]>) -> anyhow::Result<RowPage> {
        match self {
            Self::File(snapshot) => {
                let rows = snapshot.rows_of(&space_of(snapshot, source)?);
                Ok(export_page(&rows, schema, after)?)
            }
            Self::Node(client) => Ok(client.export_rows(schema.def.name, after, source).await?.into()),
        }
    }

    /// The sources that documents were imported from.
    async fn sources(&self) -> anyhow::Result<Vec<ImportSourceDocument>> {
        match self {
            Self::File(snapshot) => Ok(import_sources(snapshot)?.into_iter().map(Into::into).collect()),
            Self::Node(client) => Ok(client.import_sources().await?),
        }
    }

    /// How many own rows there are, for the estimate.
    async fn count(&self, schema: &Schema) -> anyhow::Result<u64> {
        match self {
            Self::File(snapshot) => Ok(row_count(snapshot, &schema.def)?.unwrap_or_default()),
            Self::Node(client) => Ok(client.count(schema.def.name, &json!({})).await?),
        }
    }
}

/// What came of a collection.
struct Written {
    collection: &'static str,
    documents: u64,
    bytes: u64,
    /// Imported documents among them.
    imported: u64,
    /// Imported documents that are not among them, since one with the same `_id` is.
    left_out: u64,
}

pub(super) async fn export(args: Args, format: Format) -> anyhow::Result<()> {
    let schemas = named_schemas(&args.collections)?;
    let source = Source::open(&args.place)?;
    let export = FolderExport::begin(&args.out, format)?;
    let mut bar = Bar::new();
    let mut written = Vec::new();
    let sources = source.sources().await?;
    for schema in schemas {
        written.push(write_collection(&source, &sources, schema, export.collection(schema)?, &mut bar).await?);
    }
    export.finish()?;
    drop(bar);
    if args.json {
        let of = |written: &Written| {
            json!({
                "collection": written.collection,
                "documents": written.documents,
                "bytes": written.bytes,
                "imported": written.imported,
                "left_out": written.left_out,
            })
        };
        println!("{}", json!({ "folder": args.out, "collections": written.iter().map(of).collect::<Vec<_>>() }));
    } else {
        for Written { collection, documents, bytes, imported, left_out } in written {
            print!("{collection:20} {documents:>12} documents {bytes:>14} bytes");
            if imported + left_out > 0 {
                print!("; {imported} imported, {left_out} more left out beside others with the same _id");
            }
            println!();
        }
    }
    Ok(())
}

/// Writes a collection: the own documents in the order of their keys, then those of each source.
async fn write_collection(
    source: &Source,
    sources: &[ImportSourceDocument],
    schema: &'static Schema,
    mut writer: CollectionWriter,
    bar: &mut Bar,
) -> anyhow::Result<Written> {
    let collection = schema.def.name;
    let of_it = |source: &ImportSourceDocument| source.documents.get(collection).copied();
    let own = source.count(schema).await?;
    let total = own + sources.iter().filter_map(of_it).sum::<u64>();
    let (mut done, mut imported, mut left_out) = (0, 0, 0);
    let with_rows = sources.iter().filter(|source| of_it(source).is_some()).map(|source| Some(source.source.as_str()));
    for name in std::iter::once(None).chain(with_rows) {
        let mut after = None::<Vec<u8>>;
        loop {
            let page = source.page(schema, name, after.as_deref()).await?;
            for (key, row) in &page.rows {
                writer.write(key, row)?;
            }
            let rows = page.rows.len() as u64;
            (done, left_out) = (done + rows + page.left_out, left_out + page.left_out);
            imported += if name.is_some() { rows } else { 0 };
            bar.show(collection, done, total.max(done));
            match page.last {
                Some(last) if page.more => after = Some(last),
                _ => break,
            }
        }
    }
    let (documents, bytes) = writer.finish()?;
    Ok(Written { collection, documents, bytes, imported, left_out })
}
