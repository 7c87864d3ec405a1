use super::{
    place::{Found, Place, look, restore_advice, wait, with_damage_advice},
    progress::Bar,
};
use crate::node::care;
use anyhow::{Context, bail};
use std::path::Path;

/// Check the store: rows against indexes, blocks against their hashes, the state against its root, seals, sessions.
///
/// Ends with 0 where all of it is as it has to be, and with 1 where something is not: each finding is a line, at most 100
/// of them. With --datadir every page of the file is checked first.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (report, datadir) = match args.place.find()? {
        Found::Folder(datadir) => {
            let look = look(&datadir)?;
            let mut bar = Bar::new();
            let report = care::verify(&look.snapshot, &look.meta, &mut |at| {
                bar.show(at.step, at.done, at.total);
                Ok(())
            });
            let report = report.map_err(|error| with_damage_advice(error.into(), datadir.path()))?;
            (report, datadir.path().to_owned())
        }
        Found::Node(client) => {
            let job = wait(&client, client.db_verify().await?).await?;
            (job.verified.context("the node's answer has no report")?, Path::new("DIR").to_owned())
        }
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
    bail!(
        "{} findings in {rows} rows, {blocks} blocks, {accounts} accounts\n{}",
        report.finding_count,
        restore_advice(&datadir)
    );
}
