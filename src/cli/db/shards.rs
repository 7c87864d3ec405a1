use super::{
    find::refused,
    place::{Found, Place, glance},
};
use lucid_rpc::{ShardMapDocument, shard_maps};

/// Show how the documents of the sharded collections are divided: ranges of their shard keys, with documents and bytes.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// Write one JSON list.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let maps = match args.place.find()? {
        Found::Folder(datadir) => shard_maps(&glance(&datadir)?, None).map_err(refused)?,
        Found::Node(client) => client.shard_map().await?,
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
