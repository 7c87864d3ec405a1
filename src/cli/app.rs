use super::{
    config, db, demo, dev, devnet, doctor,
    exit_codes::{self, exit_code},
    export, flight, genesis, import, init, key, proofs, run, session, status, validator, why,
};
use crate::{
    node::{DataDir, NodeError},
    service::{FlightLog, LogFormat, LogOptions, init_log},
};
use clap::{CommandFactory, Parser, Subcommand};
use std::{env, ffi::OsString, panic, process::ExitCode, time::Duration};

/// Threads that answer and wait; what blocks or computes has threads of its own.
const WORKER_THREADS: usize = 2;

/// Threads for what blocks: more than the interface lets run at once, so that block making never waits for it.
/// Those are 16 reads and 2 executions; the rest is for what the node does itself.
const MAX_BLOCKING_THREADS: usize = 24;

/// How long a thread that has nothing to do is kept: long enough for a burst of calls, and then its stack is given back.
const IDLE_THREAD: Duration = Duration::from_secs(5);

/// How long the end waits for threads that still answer somebody: a call may compute for seconds. What writes has ended
/// before.
const LAST_WORK: Duration = Duration::from_millis(300);

/// A Lucid host's own chain, document store and JSON-RPC in one program with one file.
#[derive(Debug, Parser)]
#[command(
    name = "lucid-node",
    version,
    about,
    after_help = exit_codes::HELP,
    arg_required_else_help = true,
    propagate_version = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Run(run::Args),
    Dev(dev::Args),
    Devnet(devnet::Args),
    Demo(demo::Args),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Genesis(genesis::Command),
    #[command(subcommand)]
    Validator(validator::Command),
    #[command(subcommand)]
    Proofs(proofs::Command),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Db(db::Command),
    #[command(subcommand)]
    Export(export::Command),
    ImportMongo(import::Args),
    #[command(subcommand)]
    Session(session::Command),
    Status(status::Args),
    Doctor(doctor::Args),
    Why(why::Args),
}

/// The definition of the command line, from which manual pages and completions are made.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line, runs the subcommand, and gives the exit code.
pub fn main() -> ExitCode {
    // Where they are not taken the program runs all the same, in more memory.
    let _ = lucid_kernel::share_one_heap();
    let cli = Cli::parse();
    panic::set_hook(Box::new(end_at_panic));
    let flight_log = FlightLog::default();
    init_logs(&cli.command, &flight_log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .thread_keep_alive(IDLE_THREAD)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(dispatch(cli.command, &flight_log));
            runtime.shutdown_timeout(LAST_WORK);
            outcome
        }
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the runtime")),
    };
    match outcome {
        Ok(()) => {
            flight::stop(0, "it was asked to");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let (text, code) = (with_causes(&error), exit_code(&error));
            eprintln!("error: {text}");
            if let Some(command) = for_nodes_user(&error, env::args_os().skip(1)) {
                eprintln!("  {command}");
            }
            flight::stop(code, &text);
            ExitCode::from(code)
        }
    }
}

/// The command as it has to be given, where root was refused to write into the folder of the package's node.
fn for_nodes_user(error: &anyhow::Error, arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let refused = error.chain().find_map(|cause| match cause.downcast_ref::<NodeError>() {
        Some(NodeError::OtherUsersFolder { path, .. }) => Some(path),
        _ => None,
    })?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = |argument: OsString| {
        let text = printable(&argument.to_string_lossy());
        match !text.is_empty() && text.chars().all(plain) {
            true => text,
            false => format!("'{}'", text.replace('\'', "'\\''")),
        }
    };
    let words: Vec<String> = arguments.map(quoted).collect();
    DataDir::is_installed(refused).then(|| format!("{} {}", DataDir::program(refused), words.join(" ")))
}

/// Ends the program at a panic, wherever it happens: a task that is gone would leave a node that only looks alive. What
/// is on disk is whole in any case.
fn end_at_panic(info: &panic::PanicHookInfo<'_>) {
    // Whoever read the output (`head`) has enough of it. That is no fault, and nobody is left to tell.
    if info.payload_as_str().is_some_and(|text| text.starts_with("failed printing to std")) {
        std::process::exit(exit_codes::BROKEN_PIPE.into());
    }
    if info.location().is_some_and(|place| exit_codes::is_in_database(place.file())) {
        eprintln!("error: the database could not be read or written. Most likely its file is damaged.");
        flight::stop(exit_codes::DATA, "the database could not be read or written: its file is most likely damaged");
        eprintln!("{}", db::damage_advice(None));
        std::process::exit(exit_codes::DATA.into());
    }
    eprintln!("error: internal fault: {info}");
    flight::fault(&info.to_string());
    eprintln!("If it comes back, the store may be damaged: restore a backup, and report this with the lines above.");
    std::process::exit(exit_codes::SOFTWARE.into());
}

/// An error with what lies behind it, each text once: many errors name their cause in their own text.
pub(super) fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    // Some of it may be a stranger's: what a server answered, what a file has.
    printable(&text)
}

/// A text without what would move a terminal's cursor, change its colours or its title. Lines stay lines.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

async fn dispatch(command: Command, flight_log: &FlightLog) -> anyhow::Result<()> {
    match command {
        Command::Init(args) => init::run(&args),
        Command::Run(args) => run::run(args, flight_log).await,
        Command::Dev(args) => dev::run(args).await,
        Command::Devnet(args) => devnet::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Key(command) => key::run(command),
        Command::Genesis(command) => genesis::run(command),
        Command::Validator(command) => validator::run(command).await,
        Command::Proofs(command) => proofs::run(command).await,
        Command::Config(command) => config::run(&command),
        Command::Db(command) => db::run(command).await,
        Command::Export(command) => export::run(command).await,
        Command::ImportMongo(args) => import::run(args).await,
        Command::Session(command) => session::run(command).await,
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Why(args) => why::run(&args),
    }
}

/// Logs go to standard error. `RUST_LOG` says how much; a node says what happens, other commands only what goes wrong.
fn init_logs(command: &Command, flight_log: &FlightLog) {
    // The server library warns of what single clients do wrong, and those would fill the log.
    let filter = match command {
        Command::Dev(_) | Command::Run(_) => "info,jsonrpsee-server=error,arc_malachitebft=warn,libp2p_gossipsub=error",
        Command::Session(command) if command.is_service() => "info",
        _ => "warn,jsonrpsee-server=error",
    };
    let (limited, format) = match command {
        Command::Run(args) => (true, args.log_format()),
        Command::Session(command) => (command.is_service(), LogFormat::Auto),
        _ => (false, LogFormat::Auto),
    };
    init_log(LogOptions { format, filter, limited, flight_log: flight_log.clone() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_told_the_whole_command_for_the_package() {
        let arguments = || ["key", "import", "--datadir", "/var/lib/lucid-node", "it's a.key"].map(OsString::from);
        let said = |path: &str| {
            let error = NodeError::OtherUsersFolder { path: path.into(), owner: 900 };
            for_nodes_user(&anyhow::Error::new(error).context("refused"), arguments().into_iter())
        };
        let command = r"sudo -u lucid-node lucid-node key import --datadir /var/lib/lucid-node 'it'\''s a.key'";
        assert_eq!(said("/var/lib/lucid-node").as_deref(), Some(command));
        assert_eq!(said("/var/lib/lucid"), None, "whose user that is nobody knows here");
        assert_eq!(for_nodes_user(&anyhow::anyhow!("else"), arguments().into_iter()), None);
    }
}
