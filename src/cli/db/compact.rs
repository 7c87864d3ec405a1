use super::{place::with_store_advice, progress::Bar};
use crate::node::{DataDir, care};
use lucid_storage::Compacted;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Write the store anew, without what it no longer uses, while no node runs on it.
///
/// Every page is checked before. The new file is written beside the old one, read back, and only then takes its place, so
/// the disk needs room for both; killed at any moment, this leaves the store as it was or as it is to be.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The node's folder; no node may run on it.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let datadir = DataDir::at_existing(&args.datadir)?;
    let mut bar = Bar::spinner("reading every page");
    let compacted = care::compact(&datadir, &mut |at| {
        bar.show(at.step, at.done, at.total);
        Ok(())
    });
    drop(bar);
    let compacted = compacted.map_err(|error| with_store_advice(error.into(), datadir.path()))?;
    if args.json {
        println!("{}", to_json(&datadir.store(), compacted));
    } else {
        print(&datadir.store(), compacted);
    }
    Ok(())
}

fn to_json(path: &Path, compacted: Compacted) -> serde_json::Value {
    json!({
        "path": path,
        "sequence": compacted.sequence,
        "entries": compacted.entries,
        "bytes_before": compacted.bytes_before,
        "bytes_after": compacted.bytes_after,
    })
}

fn print(path: &Path, compacted: Compacted) {
    println!("Compacted {}", path.display());
    println!("Before    {} bytes", compacted.bytes_before);
    println!("After     {} bytes, {} entries", compacted.bytes_after, compacted.entries);
}
