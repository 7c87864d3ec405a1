use super::{
    exit_codes::{UNAVAILABLE, coded},
    signals::StopSignals,
    time::unix_now,
};
use crate::{
    keys::{DEV_ACCOUNTS, DEV_MNEMONIC},
    node::{DevnetNode, DevnetOptions, make_devnet},
};
use anyhow::{Context, bail};
use lucid_rpc::Client;
use std::{
    env,
    fs::File,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

/// Nodes that one machine runs at most: each lets in so many connections from one address.
const MAX_NODES: u64 = 8;

/// Longest slot, in seconds.
const MAX_SLOT_SECS: u64 = 3_600;

/// How long a node may take to answer after it was started.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a node may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a node that starts is asked whether it answers.
const ASK_INTERVAL: Duration = Duration::from_millis(100);

/// Run a chain of several nodes on this machine, each a process of its own: the consensus of a real chain with short
/// slots. Chain id 31337, ten accounts with money whose keys everybody knows.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many nodes there are.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=MAX_NODES))]
    nodes: u64,
    /// How many of them, the first ones, are validators from the beginning; all without it. The others follow, and may register.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_NODES))]
    validators: Option<u64>,
    /// Length of a slot, in seconds: a block comes once in a slot, where something waits.
    #[arg(long, value_name = "SECS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=MAX_SLOT_SECS))]
    slot: u64,
    /// Keep the chain in this folder; without it, everything is removed on Ctrl-C.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Port of the first node's JSON-RPC server; the others have the ports after it.
    #[arg(long, value_name = "PORT", default_value_t = 8545)]
    http_port: u16,
    /// Port where peers reach the first node; the others have the ports after it.
    #[arg(long, value_name = "PORT", default_value_t = 30_400)]
    p2p_port: u16,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let mut stop = StopSignals::listen().context("cannot wait for signals")?;
    let (folder, _temporary) = match &args.dir {
        Some(dir) => (dir.clone(), None),
        None => {
            let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    let ports = ports(&args)?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let validators = args.validators.map_or(ports.len(), |validators| validators as usize);
    let (slot_secs, now) = (args.slot, unix_now());
    let options = DevnetOptions { folder: folder.clone(), slot_secs, validators, ports, now };
    let nodes = make_devnet(&options)?;
    let mut processes = Vec::new();
    let started = start_all(&nodes, &folder, &mut processes);
    let ended = tokio::select! {
        ended = async { started?; wait_for_all(&nodes).await } => ended,
        () = stop.received() => return stop_all(processes).await,
    };
    if let Err(error) = ended {
        stop_all(processes).await?;
        return Err(error);
    }
    print_banner(&args, &nodes, &folder).context("cannot write to standard output")?;
    tokio::select! {
        () = all_ended(&mut processes) => bail!("every node has ended; their logs are in {}", folder.display()),
        () = stop.received() => {}
    }
    stop_all(processes).await
}

/// Ports that are free now, for each node.
fn ports(args: &Args) -> anyhow::Result<Vec<(u16, u16)>> {
    let port = |first: u16, place: u64| {
        let port = u16::try_from(u64::from(first) + place).context("there is no port above 65535")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).map_err(|error| {
            let advice = "--http-port and --p2p-port name others. Nodes of a devnet that was killed may still run";
            coded(UNAVAILABLE, format!("port {port} is taken ({error}); {advice}"))
        })?;
        Ok::<_, anyhow::Error>(port)
    };
    (0..args.nodes).map(|place| Ok((port(args.http_port, place)?, port(args.p2p_port, place)?))).collect()
}

fn start_all(nodes: &[DevnetNode], folder: &Path, processes: &mut Vec<(usize, Child)>) -> anyhow::Result<()> {
    let program = env::current_exe().context("cannot tell which program this is")?;
    for (place, node) in nodes.iter().enumerate() {
        let number = place + 1;
        let path = folder.join(format!("node-{number}.log"));
        let log = File::options().create(true).append(true).open(&path).with_context(|| path.display().to_string())?;
        let child = Command::new(&program)
            .args(["run", "--no-init", "--accept-clock", "--datadir"])
            .arg(&node.datadir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().with_context(|| path.display().to_string())?)
            .stderr(log)
            .kill_on_drop(true)
            // Ctrl-C is for this program, which stops them in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        processes.push((number, child));
    }
    Ok(())
}

/// Waits until each node answers.
async fn wait_for_all(nodes: &[DevnetNode]) -> anyhow::Result<()> {
    for node in nodes {
        let answers = async {
            loop {
                if let Ok(client) = Client::new(&format!("http://{}", node.http_addr))
                    && client.chain_info().await.is_ok()
                {
                    return;
                }
                sleep(ASK_INTERVAL).await;
            }
        };
        let started = timeout(START_TIMEOUT, answers).await;
        started.with_context(|| format!("{} does not answer; see its log", node.datadir.display()))?;
    }
    Ok(())
}

fn print_banner(args: &Args, nodes: &[DevnetNode], folder: &Path) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let genesis = nodes.first().map(|node| node.genesis_hash).unwrap_or_default();
    writeln!(out, "Lucid network of {} nodes, chain id 31337, slots of {} s", args.nodes, args.slot)?;
    writeln!(out, "Genesis   {genesis}")?;
    let fate = if args.dir.is_some() { "kept" } else { "temporary: removed on Ctrl-C" };
    writeln!(out, "Data      {} ({fate})\n", folder.display())?;
    for (place, node) in nodes.iter().enumerate() {
        writeln!(out, "node-{}  http://{}  {}", place + 1, node.http_addr, node.address)?;
    }
    writeln!(out, "\nAccounts with 10000 LUCID each, from the mnemonic\n  {DEV_MNEMONIC}\n")?;
    for (index, account) in DEV_ACCOUNTS.iter().enumerate() {
        writeln!(out, "({index}) {}  {}", account.address(), account.secret())?;
    }
    writeln!(out, "\nWARNING: everybody knows these keys. What is sent to these accounts on another chain is lost.\n")?;
    writeln!(out, "All nodes answer")?;
    out.flush()
}

/// Waits until no process is left, and tells of each that ends: the others go on without it.
async fn all_ended(processes: &mut [(usize, Child)]) {
    loop {
        let mut running = false;
        for (number, child) in processes.iter_mut() {
            match child.try_wait() {
                Ok(Some(status)) if *number > 0 => {
                    eprintln!("node-{number} ended: {status}");
                    *number = 0;
                }
                Ok(Some(_)) => {}
                Ok(None) => running = true,
                Err(error) => eprintln!("node-{number}: {error}"),
            }
        }
        if !running {
            return;
        }
        sleep(ASK_INTERVAL).await;
    }
}

/// Asks all to stop, and kills who does not.
async fn stop_all(processes: Vec<(usize, Child)>) -> anyhow::Result<()> {
    for (_, child) in &processes {
        if let Some(id) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
    }
    for (number, mut child) in processes {
        if timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
            eprintln!("node-{number} does not stop, and is killed");
            child.kill().await.context("cannot kill a node")?;
        }
    }
    Ok(())
}
