use super::{
    config::{self, ConfigArgs},
    db::with_store_advice,
    flight, init,
    serve::serve,
    signals::StopSignals,
};
use crate::{
    config::LogFormat as ConfiguredFormat,
    node::{self, DataDir, NewChain, NodeError, RunFacts, RunOptions, RunningNode},
    service::{FlightLog, LogFormat, Notifier, Recorder},
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

impl Args {
    /// How the log is to be written. What is wrong with the configuration is told when it is loaded to be used.
    pub(super) fn log_format(&self) -> LogFormat {
        match self.config.load().map(|config| config.log_format()) {
            Ok(ConfiguredFormat::Json) => LogFormat::Json,
            Ok(ConfiguredFormat::Text) => LogFormat::Text,
            Ok(ConfiguredFormat::Auto) | Err(_) => LogFormat::Auto,
        }
    }
}

pub(super) async fn run(args: Args, flight_log: &FlightLog) -> anyhow::Result<()> {
    let folder = args.config.datadir.clone();
    run_node(args, flight_log).await.map_err(|error| with_store_advice(error, &folder))
}

async fn run_node(args: Args, flight_log: &FlightLog) -> anyhow::Result<()> {
    let stop = StopSignals::listen().context("cannot wait for signals")?;
    let (datadir, facts) = open_folder(&args, flight_log)?;
    let config = args.config.load()?;
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    let options = RunOptions {
        datadir: datadir.clone(),
        config,
        accept_clock: args.accept_clock,
        accept_restored: args.accept_restored,
        notifier: Notifier::from_env(),
        facts,
    };
    let running = node::run(options).await?;
    print_banner(&running, &datadir).context("cannot write to standard output")?;
    drop(datadir);
    serve(running, stop).await
}

/// The folder with a chain in it; where there is none and a person is there, a new one. The start is on record from then
/// on, and before where the folder has a record: a disk that is not mounted stays empty.
fn open_folder(args: &Args, flight_log: &FlightLog) -> anyhow::Result<(DataDir, RunFacts)> {
    let interactive = io::stdin().is_terminal() && !args.no_init;
    if !args.config.datadir.exists() && !interactive {
        return Err(node::no_store(&args.config.datadir).into());
    }
    let datadir = DataDir::at(&args.config.datadir)?;
    let facts = Recorder::has_record(datadir.path()).then(|| flight::start(&datadir, flight_log));
    if !datadir.store().exists() {
        let reason = node::no_store(datadir.path());
        // Beside keys that have signed no chain is made anew, whoever is there.
        if !interactive || matches!(reason, NodeError::StoreGone { begun: true, .. }) {
            return Err(reason.into());
        }
        println!("{} holds no chain, so a new one of this node alone is made\n", args.config.datadir.display());
        let made = config::init(&datadir, NewChain::Solo)?;
        init::warn_of_clock(lucid_kernel::clock_synchronised().unwrap_or(false));
        init::print(&datadir, &made);
        println!();
    }
    let facts = facts.unwrap_or_else(|| flight::start(&datadir, flight_log));
    Ok((datadir, facts))
}

fn print_banner(running: &RunningNode, datadir: &DataDir) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let node = running.node();
    writeln!(out, "Lucid chain, id {}", node.spec().chain_id)?;
    writeln!(out, "Genesis   {}", node.genesis_hash())?;
    writeln!(out, "Data      {}", datadir.path().display())?;
    for stop in node.sealing_stops().iter() {
        writeln!(out, "No blocks: {stop}")?;
    }
    if let Some(ahead) = node.head_ahead_secs() {
        writeln!(out, "Ahead     the slot of the last block begins {ahead} s after what the clock shows")?;
    }
    writeln!(out, "Listening on http://{}", running.local_addr())?;
    out.flush()
}
