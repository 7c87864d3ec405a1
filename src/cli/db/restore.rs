use super::progress::Bar;
use crate::{
    cli::app::with_causes,
    node::{
        DataDir,
        care::{self, KeysBeside, Restored},
    },
};
use serde_json::json;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Put a backup into a folder that has no store. Keys and configuration may be there already.
///
/// The backup is checked whole before, as `db verify` does it, and the copy is read back.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    /// The backup. It is read and stays as it is.
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let datadir = DataDir::at(&args.datadir)?;
    let mut bar = Bar::spinner("reading every page of the backup");
    let restored = care::restore(&datadir, &args.backup, &mut |at| {
        bar.show(at.step, at.done, at.total);
        Ok(())
    });
    let restored = restored.map_err(|error| with_reading_advice(error.into(), &args.backup))?;
    drop(bar);
    if args.json {
        println!("{}", to_json(&datadir, &restored));
    } else {
        print(datadir.path(), &restored);
    }
    Ok(())
}

/// The error; where it is that this user may not read the backup, with how to make that right.
fn with_reading_advice(error: anyhow::Error, backup: &Path) -> anyhow::Error {
    let of_this_user = File::open(backup);
    if !of_this_user.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return error;
    }
    let shown = backup.display();
    let text = format!(
        "{}\nThe node's user has to be able to read it. With the package, a copy that it can read is made, and restored, by\n  \
         sudo install -o lucid-node -g lucid-node -m 600 {shown} /var/tmp/lucid-restore.redb\n  \
         sudo -u lucid-node lucid-node db restore --datadir {} /var/tmp/lucid-restore.redb",
        with_causes(&error),
        DataDir::INSTALLED
    );
    error.context(text)
}

fn to_json(datadir: &DataDir, restored: &Restored) -> serde_json::Value {
    let (keys, signed) = match restored.keys {
        KeysBeside::Missing => ("missing", None),
        KeysBeside::SignedUnknown => ("signed_unknown", None),
        KeysBeside::SignedAbove(height) => ("signed_above", Some(height)),
        KeysBeside::SignedWithin => ("signed_within", None),
    };
    json!({
        "path": datadir.store(),
        "chain_id": restored.spec.chain_id,
        "head": restored.head,
        "file_bytes": restored.file_bytes,
        "keys": keys,
        "signed_height": signed,
    })
}

fn print(datadir: &Path, restored: &Restored) {
    let dir = datadir.display();
    println!("Restored  {dir}/lucid.redb, {} bytes", restored.file_bytes);
    println!("Chain     id {}", restored.spec.chain_id);
    println!("Height    {}, {}", restored.head.number, restored.head.hash);
    println!();
    let is_installed = DataDir::is_installed(datadir);
    // In the package's folder an empty disk is never a reason for a new chain.
    let no_init = if is_installed { " --no-init" } else { "" };
    let run = format!("{} run{no_init} --datadir {dir}", DataDir::program(datadir));
    match restored.keys {
        KeysBeside::SignedWithin => {
            let start = if is_installed { "sudo systemctl start lucid-node" } else { &run };
            println!("The keys have signed nothing that the store does not have. Run it:  {start}");
            if is_installed {
                println!("{RESTART_WATCH}");
            }
            return;
        }
        KeysBeside::Missing => {
            println!(
                "There are no keys in {dir}/keys. Where they are no credentials of the service manager, put account.key"
            );
            println!("and consensus.key back there (mode 0600, the folder 0700).");
        }
        KeysBeside::SignedUnknown => println!("Nobody knows here what the keys have signed."),
        KeysBeside::SignedAbove(height) => {
            println!("The keys have signed block {height}: what came after block {} is lost.", restored.head.number);
        }
    }
    println!("The node then serves and makes no blocks, because it could sign a second block for a height.");
    if restored.spec.validators.len() == 1 {
        println!("The chain has one validator, so nobody else can decide. To go on from here, once:");
        println!("  {run} --accept-restored");
        if is_installed {
            println!("  sudo systemctl start lucid-node        # after Ctrl-C, once it listens");
            println!("{RESTART_WATCH}");
        }
        println!("Blocks that were made after the backup and went out (to a client, in a proof) then exist twice,");
        println!("and those proofs and receipts no longer hold here. First make sure that no other machine runs with");
        println!("these keys. Sessions anchored after the backup have to be anchored again.");
    }
}

/// What has the recordings that the store no longer knows of anchored again.
const RESTART_WATCH: &str =
    "  sudo systemctl try-restart lucid-node-watch  # it then holds what it has anchored against the node";
