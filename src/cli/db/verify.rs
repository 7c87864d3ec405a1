use super::{
    place::{Found, Look, Place, look, look_at_backup, repair_advice, wait, with_store_advice},
    progress::Bar,
};
use crate::node::care;
use anyhow::{Context, bail};
use lucid_rpc::DbVerifyDocument;
use std::path::{Path, PathBuf};

/// Check the store: rows against indexes, blocks against their hashes, the state against its root, seals, sessions.
///
/// Ends with 0 where all of it is as it has to be, and with 1 where something is not: each finding is a line, at most 100
/// of them. With --datadir every page of the file is checked first.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// A backup, instead of a node's store. It is read and stays as it is.
    #[arg(value_name = "FILE", conflicts_with_all = ["datadir", "rpc", "token_file"])]
    backup: Option<PathBuf>,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (report, advice) = match &args.backup {
        Some(path) => (check(&look_at_backup(path)?)?, BACKUP_ADVICE.to_owned()),
        None => match args.place.find()? {
            Found::Folder(datadir) => {
                let report = check(&look(&datadir)?).map_err(|error| with_store_advice(error, datadir.path()))?;
                (report, repair_advice(datadir.path()))
            }
            Found::Node(client) => {
                let job = wait(&client, client.db_verify().await?).await?;
                (job.verified.context("the node's answer has no report")?, repair_advice(Path::new("DIR")))
            }
        },
    };
    let (rows, blocks, accounts) = (report.rows, report.blocks, report.accounts);
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        for finding in &report.findings {
            println!("{}", finding.text);
        }
        if report.clean {
            println!("clean: {rows} rows, {blocks} blocks, {accounts} accounts, up to batch {}", report.sequence);
        }
    }
    if report.clean {
        return Ok(());
    }
    bail!("{} findings in {rows} rows, {blocks} blocks, {accounts} accounts\n{advice}", report.finding_count);
}

const BACKUP_ADVICE: &str = "This backup cannot be restored. Make another, and look after the disk that this one is on";

fn check(look: &Look) -> anyhow::Result<DbVerifyDocument> {
    let mut bar = Bar::new();
    Ok(care::verify(&look.snapshot, &look.meta, &mut |at| {
        bar.show(at.step, at.done, at.total);
        Ok(())
    })?)
}
