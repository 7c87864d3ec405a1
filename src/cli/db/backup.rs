use super::{
    place::{Found, Place, look, wait, with_store_advice},
    progress::Bar,
};
use crate::{
    cli::{
        exit_codes::{USAGE, coded},
        session::check_folder,
        time::unix_now,
    },
    keys::{ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, HIGHEST_SIGNED_FILE},
    node::{DataDir, care},
};
use anyhow::Context;
use lucid_rpc::DbBackupDocument;
use std::path::{Path, PathBuf};

/// Copy the store as it is at this moment to a new file, and read the copy back.
///
/// A running node (--rpc) goes on meanwhile, and writes the file into the folder `backups` of its data folder, under a
/// name of height and time. Keys are not part of a backup.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// The file to make, with --datadir; without it one in the folder `backups`.
    #[arg(short, long, value_name = "FILE", conflicts_with = "rpc")]
    output: Option<PathBuf>,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    if args.output.is_some() && !args.place.is_folder() {
        return Err(coded(
            USAGE,
            "-o FILE goes with --datadir DIR, where no node runs; a running node chooses the place itself",
        ));
    }
    let (backup, datadir) = match args.place.find()? {
        Found::Folder(datadir) => {
            let backup = copy(&datadir, args.output.as_deref())?;
            (backup, datadir.path().to_owned())
        }
        Found::Node(client) => {
            let job = wait(&client, client.db_backup().await?).await?;
            let backup = job.backup.context("the node's answer has no backup")?;
            // It lies in a folder of the data folder.
            let datadir = Path::new(&backup.path).ancestors().nth(2).unwrap_or(Path::new("")).to_owned();
            (backup, datadir)
        }
    };
    if args.json {
        println!("{}", serde_json::to_string(&backup)?);
    } else {
        print(&backup, &datadir);
    }
    Ok(())
}

fn copy(datadir: &DataDir, output: Option<&Path>) -> anyhow::Result<DbBackupDocument> {
    // Before all of the store is read. A backup is never written over another file.
    match output {
        Some(path) => {
            check_folder(path)?;
            datadir.check_new_file(path)?;
        }
        None => datadir.check_new_file(&datadir.backups())?,
    }
    // A copy of damage is no backup, so every page is looked at.
    let look = look(datadir)?;
    let mut bar = Bar::new();
    let progress = &mut |at: care::StepProgress| {
        bar.show(at.step, at.done, at.total);
        Ok(())
    };
    let copied = match output {
        Some(path) => care::backup(&look.snapshot, &look.meta, look.file_bytes, path, progress),
        None => {
            let folder = datadir.backups();
            care::backup_into(&folder, &look.snapshot, &look.meta, look.file_bytes, unix_now(), progress)
        }
    };
    copied.map_err(|error| with_store_advice(error.into(), datadir.path()))
}

fn print(backup: &DbBackupDocument, datadir: &Path) {
    println!("Backup    {}", backup.path);
    println!("Chain     id {}, genesis {}", backup.chain_id, backup.genesis_hash);
    println!("Height    {}, {}", backup.head.number, backup.head.hash);
    println!("Size      {} bytes, {} entries", backup.file_bytes, backup.entries);
    println!("Contents  {} (BLAKE3)", backup.digest);
    println!("\nIt was read back. A backup on the same disk is lost with it: copy it elsewhere.");
    println!("Keys are not in it. Where they were not copied off the machine yet, copy these by hand:");
    let keys = datadir.join("keys");
    for name in [ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE] {
        println!("  {}", keys.join(name).display());
    }
    println!("Never copy {}:", keys.join(HIGHEST_SIGNED_FILE).display());
    println!("an old copy of it would let the keys sign a block twice.");
}
