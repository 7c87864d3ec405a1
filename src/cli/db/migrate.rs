use super::{place::with_store_advice, progress::Bar};
use crate::node::{DataDir, care};
use lucid_storage::FORMAT_VERSION;
use serde_json::json;
use std::path::PathBuf;

/// Make a store of the present format of one that an earlier version of this program wrote, while no node runs on it.
///
/// `run` does so by itself. Every page is checked first, and a backup is made in the folder `backups` and read back. Ended at
/// any moment, it can be run again.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The node's folder; no node may run on it.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    /// Make no backup before. There is no way back to the older format without one.
    #[arg(long)]
    no_backup: bool,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let datadir = DataDir::at_existing(&args.datadir)?;
    let mut bar = Bar::spinner("reading every page");
    let migrated = care::migrate(&datadir, !args.no_backup, &mut |at| {
        bar.show(at.step, at.done, at.total);
        Ok(())
    });
    drop(bar);
    let care::Migrated { from, backup } = migrated.map_err(|error| with_store_advice(error.into(), datadir.path()))?;
    let path = datadir.store();
    if args.json {
        println!("{}", json!({ "path": path, "from": from, "to": FORMAT_VERSION, "backup": backup }));
    } else if from == FORMAT_VERSION {
        println!("{} has format {FORMAT_VERSION} already, and nothing was written", path.display());
    } else {
        println!("Migrated  {}", path.display());
        println!("Format    {FORMAT_VERSION}, and {from} before");
        if let Some(backup) = backup {
            println!("Backup    {}\n\nOnce the node runs well, it may be removed.", backup.display());
        }
    }
    Ok(())
}
