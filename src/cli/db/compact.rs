use super::{
    place::{Found, Place, wait, with_store_advice},
    progress::Bar,
};
use crate::node::{DataDir, care};
use anyhow::Context;
use lucid_rpc::DbCompactDocument;

/// Write the store anew, without what it no longer uses.
///
/// The new file is written beside the old one, read back, and only then takes its place, so the disk needs room for both;
/// killed at any moment, this leaves the store as it was or as it is to be. A running node (--rpc) goes on meanwhile. With
/// --datadir every page is checked before.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let compacted = match args.place.find()? {
        Found::Folder(datadir) => compact(&datadir)?,
        Found::Node(client) => {
            let job = wait(&client, client.db_compact().await?).await?;
            job.compacted.context("the node's answer does not say what it did")?
        }
    };
    if args.json {
        println!("{}", serde_json::to_string(&compacted)?);
    } else if compacted.bytes_after == compacted.bytes_before {
        println!("Kept      {}", compacted.path);
        println!("Bytes     {}: written anew it would take no fewer", compacted.bytes_before);
    } else {
        println!("Compacted {}", compacted.path);
        println!("Before    {} bytes", compacted.bytes_before);
        println!("After     {} bytes, {} entries", compacted.bytes_after, compacted.entries);
    }
    Ok(())
}

fn compact(datadir: &DataDir) -> anyhow::Result<DbCompactDocument> {
    let mut bar = Bar::spinner("reading every page");
    let compacted = care::compact(datadir, &mut |at| {
        bar.show(at.step, at.done, at.total);
        Ok(())
    });
    drop(bar);
    let compacted = compacted.map_err(|error| with_store_advice(error.into(), datadir.path()))?;
    Ok(DbCompactDocument::new(datadir.store().display().to_string(), compacted))
}
