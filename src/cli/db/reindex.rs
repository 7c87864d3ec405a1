use super::{
    place::{Found, Place, restore_advice, wait, with_store_advice},
    progress::Bar,
};
use crate::node::{DataDir, care};
use anyhow::{Context, bail};
use lucid_rpc::DbReindexDocument;
use std::path::Path;

/// Make the indexes, the shard ranges and the counts of imported documents anew from the rows, where they are not what these
/// ask for.
///
/// With --datadir also the rows of consensus (task proofs, tallies, schedules, members), from the chain's blocks. No other row
/// is ever changed. Only what differs is written, so where nothing is wrong nothing is; ended at any moment, it can be run
/// again. A running node (--rpc) goes on meanwhile. Ends with 1 where a row is damaged, of which nothing can be made.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (report, advice) = match args.place.find()? {
        Found::Folder(datadir) => (reindex(&datadir)?, restore_advice(datadir.path())),
        Found::Node(client) => {
            let job = wait(&client, client.db_reindex().await?).await?;
            (job.reindexed.context("the node's answer has no report")?, restore_advice(Path::new("DIR")))
        }
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    match report.finding_count {
        0 => Ok(()),
        count => bail!("{count} findings in {} rows, of which nothing can be made anew\n{advice}", report.rows),
    }
}

fn reindex(datadir: &DataDir) -> anyhow::Result<DbReindexDocument> {
    let mut bar = Bar::spinner("reading every page");
    let reindexed = care::reindex_folder(datadir, &mut |at| {
        bar.show(at.step, at.done, at.total);
        Ok(())
    });
    drop(bar);
    reindexed.map_err(|error| with_store_advice(error.into(), datadir.path()))
}

fn print(report: &DbReindexDocument) {
    for finding in &report.findings {
        println!("{}", finding.text);
    }
    if report.tables.is_empty() {
        println!("nothing was wrong with the indexes of {} rows, and nothing was written", report.rows);
        return;
    }
    println!("{:46} {:>10} {:>10} {:>12}", "table", "missing", "wrong", "superfluous");
    for table in &report.tables {
        println!("{:46} {:>10} {:>10} {:>12}", table.name, table.missing, table.wrong, table.superfluous);
    }
    println!("mended, from {} rows", report.rows);
}
