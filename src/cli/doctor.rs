use super::{app::with_causes, config, exit_codes, status::INSTALLED_SOCKET, time::unix_now, why};
use crate::{
    config::Config,
    doctor::{Finding, Level, Machine, Running, Silence, Subject, examine},
    node::DataDir,
};
use lucid_rpc::{StatusDocument, StatusError, read_status};
use std::path::PathBuf;

/// Look at the machine and at the node's files, and say what should be mended, and how. Changes nothing, and ends with
/// code 1 where something must be mended.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The node's folder.
    #[arg(long, value_name = "DIR", default_value = DataDir::INSTALLED)]
    datadir: PathBuf,
    /// The configuration file, if it is neither that of the package nor lucid.toml in the folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The operator's page, which remedies name, and where the package has it.
const PAGE: &str = "operate.md";
const PAGE_FOLDER: &str = "/usr/share/doc/lucid-node";

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    // What is wrong with it is a finding like others: this is the moment to ask a doctor.
    let named = args.config.as_deref();
    let loaded = config::load_for(&args.datadir, named);
    let readable = |config: &Config| config::check_readable(&args.datadir, named, config);
    let (config, config_fault) = match loaded.and_then(|config| readable(&config).map(|()| config)) {
        Ok(config) => (config, None),
        Err(error) => (Config::default(), Some(with_causes(&error))),
    };
    let socket = config.status_socket().map_or_else(|| PathBuf::from(INSTALLED_SOCKET), PathBuf::from);
    let is_installed = DataDir::is_installed(&args.datadir);
    // A socket that nobody named may be that of another node.
    let asked = is_installed || config.status_socket().is_some();
    let (running, silence) = match asked.then(|| read_status(&socket)) {
        None => (None, Silence::NotAsked),
        Some(Ok(status)) => (Some(running_node(status)), Silence::default()),
        Some(Err(StatusError::NotAllowed(_))) => (None, Silence::NotAllowed),
        Some(Err(_)) => (None, Silence::NoAnswer),
    };
    let subject = Subject {
        datadir: args.datadir.clone(),
        http_addr: config.http_addr(),
        config_fault,
        max_store_bytes: config.max_store_bytes(),
        config_passed_over: config::passed_over(&args.datadir, named),
        clock_synchronised: lucid_kernel::clock_synchronised().unwrap_or(false),
        now: unix_now(),
        last_ending: why::last_ending(&args.datadir),
        running,
        silence,
    };
    let findings = examine(&Machine::this(), &subject);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        print(&findings);
    }
    let bad = findings.iter().filter(|finding| finding.level == Level::Bad).count();
    match bad {
        0 => Ok(()),
        bad => Err(exit_codes::coded(exit_codes::FAILED, format!("{bad} of these must be mended"))),
    }
}

fn running_node(status: StatusDocument) -> Running {
    Running {
        version: status.version,
        uptime_secs: status.uptime_secs,
        height: status.head.number,
        clock_synchronised: status.clock_synchronised,
        head_ahead_secs: status.head_ahead_secs.unwrap_or_default(),
        sealing_stop: status.sealing_stop,
        stuck: status.stuck,
        bytes_written: status.store.bytes_written,
        starts: status.starts,
    }
}

fn print(findings: &[Finding]) {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    for finding in findings {
        let mark = match finding.level {
            Level::Good => "ok  ",
            Level::Note => "note",
            Level::Warn => "WARN",
            Level::Bad => "BAD ",
        };
        println!("{mark}  {:width$}  {}", finding.check, finding.found);
        if let Some(remedy) = &finding.remedy {
            println!("      {:width$}  -> {remedy}", "");
        }
    }
    if findings.iter().any(|finding| finding.remedy.as_ref().is_some_and(|remedy| remedy.contains(PAGE))) {
        println!("\n{PAGE} is {PAGE_FOLDER}/{PAGE} where the package is, and docs/{PAGE} in the source.");
    }
}
