use super::{
    find::refused,
    place::{Found, Place, glance},
};
use lucid_rpc::{ShardMapDocument, SourceQuery, shard_maps};
use lucid_storage::{Reader, space_of};

/// Show how the documents of the sharded collections are divided: ranges of their shard keys, with documents and bytes.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// Those of the documents that were imported from this source, and not of the node's own.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Write one JSON list.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let maps = match args.place.find()? {
        Found::Folder(datadir) => {
            let snapshot = glance(&datadir)?;
            let space = space_of(&snapshot, args.source.as_deref()).map_err(refused)?;
            shard_maps(&snapshot.rows_of(&space), None).map_err(refused)?
        }
        Found::Node(client) => client.shard_map_of(&SourceQuery { source: args.source }).await?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&maps)?);
    } else {
        maps.iter().for_each(print);
    }
    Ok(())
}

fn print(map: &ShardMapDocument) {
    let (documents, bytes) =
        map.ranges.iter().fold((0, 0), |sums, range| (sums.0 + range.documents, sums.1 + range.bytes));
    let (name, key) = (&map.collection, map.shard_key.join(", "));
    println!("{name}, by {key}: {documents} documents, {bytes} bytes, {} ranges", map.ranges.len());
    for range in &map.ranges {
        let from = range.from.as_ref().map_or_else(|| "the lowest".to_owned(), ToString::to_string);
        println!("  {:>10} documents {:>12} bytes  from {from}", range.documents, range.bytes);
    }
}
