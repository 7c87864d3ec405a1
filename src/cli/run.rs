use super::{config::ConfigArgs, db::with_damage_advice, init, serve::serve, signals::StopSignals, time::unix_now};
use crate::{
    config::template,
    node::{self, DataDir, NewChain, NodeError, RunOptions, RunningNode},
};
use anyhow::Context;
use std::io::{self, IsTerminal, Write};

/// Run the node of a chain.
///
/// Where the folder is empty and a person sits at the terminal, a solo chain is made first. A service never makes one:
/// an empty folder there is most likely a disk that is not mounted.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Never make a chain in an empty folder: end with code 78.
    #[arg(long)]
    no_init: bool,
    /// Seal by the clock as it is, for this run: it was looked at, and it is right.
    #[arg(long)]
    accept_clock: bool,
    /// Go on from the last block of a restored store, once. Blocks after it that went out may then exist twice.
    #[arg(long)]
    accept_restored: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let folder = args.config.datadir.clone();
    run_node(args).await.map_err(|error| with_damage_advice(error, &folder))
}

async fn run_node(args: Args) -> anyhow::Result<()> {
    let stop = StopSignals::listen().context("cannot wait for signals")?;
    let datadir = open_folder(&args)?;
    let config = args.config.load()?;
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    let options = RunOptions {
        datadir: datadir.clone(),
        config,
        accept_clock: args.accept_clock,
        accept_restored: args.accept_restored,
    };
    let running = node::run(options).await?;
    print_banner(&running, &datadir).context("cannot write to standard output")?;
    drop(datadir);
    serve(running, stop).await
}

/// The folder with a chain in it; where there is none and a person is there, a new one.
fn open_folder(args: &Args) -> anyhow::Result<DataDir> {
    let no_chain = || NodeError::NoChain(args.config.datadir.clone());
    let interactive = io::stdin().is_terminal() && !args.no_init;
    if !args.config.datadir.exists() && !interactive {
        return Err(no_chain().into());
    }
    let datadir = DataDir::at(&args.config.datadir)?;
    if !datadir.store().exists() {
        if !interactive {
            return Err(no_chain().into());
        }
        println!("{} holds no chain, so a new one of this node alone is made\n", args.config.datadir.display());
        let made = node::init(&datadir, NewChain::Solo, &template(), unix_now())?;
        init::print(&datadir, &made);
        println!();
    }
    Ok(datadir)
}

fn print_banner(running: &RunningNode, datadir: &DataDir) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let node = running.node();
    writeln!(out, "Lucid chain, id {}", node.spec().chain_id)?;
    writeln!(out, "Genesis   {}", node.genesis_hash())?;
    writeln!(out, "Data      {}", datadir.path().display())?;
    if let Some(stop) = node.sealing_stop() {
        writeln!(out, "No blocks: {stop}")?;
    }
    writeln!(out, "Listening on http://{}", running.local_addr())?;
    out.flush()
}
