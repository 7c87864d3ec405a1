use super::place::{Found, Place, glance};
use crate::cli::{
    app::printable,
    exit_codes::{FAILED, USAGE, coded},
};
use alloy_primitives::Bytes;
use anyhow::Context;
use lucid_rpc::{Client, FindQuery, FoundDocument, SourceQuery};
use lucid_storage::{MAX_LIMIT, QueryError, Reader, Snapshot, SortSpec, UniqueJson, count, find, space_of};
use serde_json::{
    Value as Json,
    value::{RawValue, to_raw_value},
};
use std::io::{self, BufWriter, Write};

/// Find documents of a collection by a filter in MongoDB's words, and print each as one line of JSON.
///
/// For example: lucid-node db find sessions '{"status": "confirmed"}' --sort '{"started_at": -1}' --limit 10 --rpc URL
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct FindArgs {
    #[command(flatten)]
    asked: Asked,
    /// Fields to keep, such as '{"merkle_root": 1}', or to leave out, such as '{"raw": 0}'.
    #[arg(long, value_name = "JSON", value_parser = json)]
    projection: Option<Json>,
    /// Fields to sort by, such as '{"started_at": -1}'.
    #[arg(long, value_name = "JSON", value_parser = sort_spec)]
    sort: Option<SortSpec>,
    /// Most documents that are printed; 100 without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_LIMIT))]
    limit: Option<u64>,
    /// Where the page before ended: what it named at its end.
    #[arg(long, value_name = "CURSOR", conflicts_with = "all")]
    cursor: Option<Bytes>,
    /// Print all documents, page after page.
    #[arg(long, conflicts_with_all = ["limit", "explain", "json"])]
    all: bool,
    /// Say which way the query took, and how much was read.
    #[arg(long)]
    explain: bool,
    /// Write one JSON object: documents, cursor, explain.
    #[arg(long)]
    json: bool,
}

/// Count the documents of a collection that are what a filter asks for.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CountArgs {
    #[command(flatten)]
    asked: Asked,
    /// Write one JSON object: count.
    #[arg(long)]
    json: bool,
}

/// A collection, and which of its documents.
#[derive(Debug, clap::Args)]
struct Asked {
    /// The collection: sessions, chunks, blocks and so on. docs/queries.md has all of them with their fields.
    #[arg(value_name = "COLLECTION")]
    collection: String,
    /// What documents must be, such as '{"owner_addr": "0x…", "started_at": {"$gte": "2026-01-01"}}'; all without it.
    #[arg(value_name = "FILTER", value_parser = json, default_value = "{}")]
    filter: Json,
    /// Ask the documents that were imported from this source, and not the node's own; `db sources` lists them.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    place: Place,
}

fn json(text: &str) -> Result<Json, String> {
    let read = serde_json::from_str(text).map(|UniqueJson(json)| json);
    read.map_err(|error| if error.is_data() { error.to_string() } else { format!("not JSON: {error}") })
}

fn sort_spec(text: &str) -> Result<SortSpec, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Who answers: a file, or a node.
enum Source {
    File(Snapshot),
    Node(Client),
}

type Page = FoundDocument<Box<RawValue>>;

impl Source {
    fn open(place: &Place) -> anyhow::Result<Self> {
        match place.find()? {
            Found::Folder(datadir) => Ok(Self::File(glance(&datadir)?)),
            Found::Node(client) => Ok(Self::Node(client)),
        }
    }

    async fn find(&self, asked: &Asked, query: &FindQuery) -> anyhow::Result<Page> {
        match self {
            Self::File(snapshot) => {
                let rows = snapshot.rows_of(&space_of(snapshot, asked.source.as_deref()).map_err(refused)?);
                let found = find(&rows, &asked.collection, &asked.filter, &query.clone().into()).map_err(refused)?;
                let found = FoundDocument::from(found);
                let documents = found.documents.iter().map(to_raw_value).collect::<Result<_, _>>()?;
                Ok(FoundDocument { documents, cursor: found.cursor, explain: found.explain })
            }
            Self::Node(client) => Ok(client.find(&asked.collection, &asked.filter, query).await?),
        }
    }
}

/// The error with the exit code for a question that is wrong, or one that cannot be answered.
pub(super) fn refused(error: QueryError) -> anyhow::Error {
    match error {
        QueryError::Store(error) => error.into(),
        error @ (QueryError::NotIndexed { .. } | QueryError::TooManyResults) => coded(FAILED, error.to_string()),
        error => coded(USAGE, error.to_string()),
    }
}

pub(super) async fn run(args: FindArgs) -> anyhow::Result<()> {
    let source = Source::open(&args.asked.place)?;
    let mut query = FindQuery {
        projection: args.projection,
        sort: args.sort,
        limit: if args.all { Some(MAX_LIMIT) } else { args.limit },
        cursor: args.cursor,
        explain: args.explain,
        source: args.asked.source.clone(),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    loop {
        let page = source.find(&args.asked, &query).await?;
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&page)?)?;
            break;
        }
        for document in &page.documents {
            writeln!(out, "{}", document.get())?;
        }
        out.flush()?;
        if let Some(explain) = &page.explain {
            eprintln!("{}", printable(&format!("{explain:#}")));
        }
        match page.cursor {
            Some(cursor) if args.all => query.cursor = Some(cursor),
            Some(cursor) => {
                eprintln!("there are more; the next page: --cursor {cursor}");
                break;
            }
            None => break,
        }
    }
    out.flush().context("cannot write to standard output")
}

pub(super) async fn run_count(args: CountArgs) -> anyhow::Result<()> {
    let asked = &args.asked;
    let number = match Source::open(&asked.place)? {
        Source::File(snapshot) => {
            let rows = snapshot.rows_of(&space_of(&snapshot, asked.source.as_deref()).map_err(refused)?);
            count(&rows, &asked.collection, &asked.filter).map_err(refused)?
        }
        Source::Node(client) => {
            let options = SourceQuery { source: asked.source.clone() };
            client.count_of(&asked.collection, &asked.filter, &options).await?
        }
    };
    match args.json {
        true => println!("{}", serde_json::json!({ "count": number })),
        false => println!("{number}"),
    }
    Ok(())
}
