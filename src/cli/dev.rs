use super::{db::with_store_advice, serve::serve, signals::StopSignals};
use crate::{
    keys::{DEV_ACCOUNTS, DEV_MNEMONIC},
    node::{DataDir, LaunchOptions, NodeError, RunningNode, Sealing, launch},
};
use anyhow::Context;
use lucid_rpc::StartError;
use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Longest time between blocks, in seconds.
const MAX_BLOCK_TIME_SECS: u64 = 3_600;

/// Run a development chain: chain id 31337, ten accounts with money whose keys everybody knows, a block as soon as a
/// transaction waits.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Keep the chain in this folder; without it, everything is removed on Ctrl-C.
    #[arg(long, value_name = "DIR")]
    datadir: Option<PathBuf>,
    /// Port of the JSON-RPC server; 0 takes a free one.
    #[arg(long, default_value_t = 8545)]
    port: u16,
    /// Address of the JSON-RPC server; only loopback addresses are accepted.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Make a block every so many seconds, where something waits, instead of at once.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..=MAX_BLOCK_TIME_SECS))]
    block_time: Option<u64>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let stop = StopSignals::listen().context("cannot wait for signals")?;
    let datadir = match &args.datadir {
        Some(path) => DataDir::at(path)?,
        None => DataDir::temporary()?,
    };
    let sealing = args.block_time.map_or(Sealing::Instant, |secs| Sealing::Every(Duration::from_secs(secs)));
    let options = LaunchOptions { datadir: datadir.clone(), http_addr: SocketAddr::new(args.host, args.port), sealing };
    let folder = datadir.path().to_owned();
    let running = launch(options).await.map_err(|error| with_store_advice(with_port_hint(error), &folder))?;
    print_banner(&running, &datadir, args.datadir.is_some()).context("cannot write to standard output")?;
    drop(datadir);
    serve(running, stop).await.map_err(|error| with_store_advice(error, &folder))
}

/// The error; where the port is taken, with the way to another.
fn with_port_hint(error: NodeError) -> anyhow::Error {
    let taken = matches!(error, NodeError::Start(StartError::AddressInUse(_)));
    let text = format!("{error}\n--port N names another one, and --port 0 takes a free one");
    if taken { anyhow::Error::new(error).context(text) } else { error.into() }
}

fn print_banner(running: &RunningNode, datadir: &DataDir, kept: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let node = running.node();
    writeln!(out, "Lucid development chain, chain id {}", node.spec().chain_id)?;
    writeln!(out, "Genesis   {}", node.genesis_hash())?;
    let fate = if kept { "kept" } else { "temporary: removed on Ctrl-C" };
    writeln!(out, "Data      {} ({fate})", datadir.path().display())?;
    writeln!(out, "\nAccounts with 10000 LUCID each, from the mnemonic\n  {DEV_MNEMONIC}\n")?;
    for (index, account) in DEV_ACCOUNTS.iter().enumerate() {
        writeln!(out, "({index}) {}  {}", account.address(), account.secret())?;
    }
    writeln!(out, "\nWARNING: everybody knows these keys. What is sent to these accounts on another chain is lost.\n")?;
    writeln!(out, "Listening on http://{}", running.local_addr())?;
    out.flush()
}
