use super::{
    exit_codes::{NO_PERMISSION, coded},
    time::unix_now,
};
use crate::{
    config::{self, Config, ConfigError, ConfigFile, Flags, Source},
    node::{self, DataDir, Initialised, NewChain, NewConfig, NodeError, check_config},
};
use anyhow::Context;
use serde_json::json;
use std::{
    fs::{self, Metadata},
    io::{self, IsTerminal},
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Look at the configuration of a node: flags beat the environment, which beats the file, which beats the default.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print every setting with its value and where that came from.
    Show {
        #[command(flatten)]
        args: ConfigArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say whether a node would start with this configuration, as far as it can be told without starting it.
    Check {
        #[command(flatten)]
        args: ConfigArgs,
    },
}

/// What `run` and `config` take alike.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// The folder that `init` made.
    #[arg(long, value_name = "DIR")]
    pub(super) datadir: PathBuf,
    /// The configuration file, if it is not lucid.toml in the folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the JSON-RPC server.
    #[arg(long, value_name = "ADDR")]
    http_addr: Option<IpAddr>,
    /// Port of the JSON-RPC server; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Listen off this machine; needs --http-addr and --http-token-file too.
    #[arg(long)]
    http_allow_remote: bool,
    /// The file with the token that callers must send.
    #[arg(long, value_name = "FILE")]
    http_token_file: Option<PathBuf>,
    /// Refuse to start unless the chain has this parameter; may be given often.
    #[arg(long = "chain-param", value_name = "NAME=VALUE", value_parser = parse_parameter)]
    chain_params: Vec<(String, String)>,
}

fn parse_parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as slotDurationSecs=120")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl ConfigArgs {
    /// Puts the layers together.
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        let flags = Flags {
            http_addr: self.http_addr,
            http_port: self.http_port,
            http_allow_remote: self.http_allow_remote,
            http_token_file: self.http_token_file.clone(),
            chain_params: self.chain_params.clone(),
        };
        let files = files(&self.datadir, self.config.as_deref())?;
        let environment = config::text_of(std::env::vars_os())?;
        Ok(Config::load(&flags, environment, &files)?)
    }
}

/// The configuration file of a node that came with a package.
const INSTALLED_FILE: &str = "/etc/lucid-node/lucid-node.toml";

/// That file, for the folder of such a node.
fn installed_file(datadir: &Path) -> Option<&'static Path> {
    let is_installed = DataDir::is_installed(datadir);
    Some(Path::new(INSTALLED_FILE)).filter(|path| is_installed && path.exists())
}

/// The configuration of the node on a folder, for those who look at it from outside.
pub(super) fn load_for(datadir: &Path, named: Option<&Path>) -> anyhow::Result<Config> {
    Ok(Config::load(&Flags::default(), [], &files(datadir, named.or(installed_file(datadir)))?)?)
}

/// Makes a chain in a folder whose configuration is that of the package, where it is the package's folder.
pub(super) fn init(datadir: &DataDir, chain: NewChain) -> Result<Initialised, NodeError> {
    let text = config::template();
    let config = installed_file(datadir.path()).map_or(NewConfig::Text(&text), NewConfig::Shared);
    node::init(datadir, chain, config, unix_now())
}

/// Refuses a file of the configuration that whoever looks can read, and the user who has the folder cannot: as that user
/// the node runs.
pub(super) fn check_readable(datadir: &Path, named: Option<&Path>, config: &Config) -> anyhow::Result<()> {
    let Ok(folder) = fs::metadata(datadir) else { return Ok(()) };
    let files = files(datadir, named.or(installed_file(datadir)))?;
    for path in files.iter().map(|file| &*file.path).chain(config.token_file()) {
        for (path, bits) in path.parent().map(|parent| (parent, 0o1)).into_iter().chain([(path, 0o4)]) {
            let Ok(there) = fs::metadata(path) else { continue };
            if !is_allowed(&there, &folder, bits) {
                let (mode, uid) = (there.mode() & 0o7777, folder.uid());
                let text =
                    format!("{} has mode {mode:04o}, so the node's user (uid {uid}) cannot read it", path.display());
                return Err(coded(NO_PERMISSION, text));
            }
        }
    }
    Ok(())
}

/// Whether the owner of `folder` has these permissions (a digit as of `chmod`) for what is there. Which other groups that
/// user is in is not asked: a file for a group other than root's is taken for one of them.
fn is_allowed(there: &Metadata, folder: &Metadata, bits: u32) -> bool {
    let shift = match (there.uid() == folder.uid(), there.gid()) {
        (true, _) => 6,
        (false, 0) if folder.gid() != 0 => 0,
        (false, _) => 3,
    };
    folder.uid() == 0 || there.mode() >> shift & bits == bits
}

/// Files beside the configuration of the node on a folder that are not read for their names.
pub(super) fn passed_over(datadir: &Path, named: Option<&Path>) -> Vec<PathBuf> {
    let own = datadir.join("lucid.toml");
    ConfigFile::passed_over(named.or(installed_file(datadir)).unwrap_or(&own))
}

/// The configuration file and the parts beside it. One that is named must be there.
fn files(datadir: &Path, named: Option<&Path>) -> Result<Vec<ConfigFile>, ConfigError> {
    let path = named.map_or_else(|| datadir.join("lucid.toml"), Path::to_owned);
    let file = ConfigFile::read(&path)?;
    if file.is_none() && named.is_some() {
        return Err(ConfigError::Missing(path));
    }
    Ok(file.into_iter().chain(ConfigFile::read_parts(&path)?).collect())
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let (args, show) = match command {
        Command::Show { args, json } => (args, Some(*json)),
        Command::Check { args } => (args, None),
    };
    if show == Some(false) && DataDir::is_installed(&args.datadir) && io::stderr().is_terminal() {
        eprintln!("note: lucid-node.service adds to this: `systemctl show --property Environment lucid-node`");
    }
    if show.is_some() && !args.datadir.is_dir() {
        eprintln!("warning: there is no folder {}, so no lucid.toml in it was read", args.datadir.display());
    }
    let config = args.load()?;
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    match show {
        Some(true) => println!("{}", to_json(&config)),
        Some(false) => print(&config),
        None => check(&config, args)?,
    }
    Ok(())
}

fn to_json(config: &Config) -> serde_json::Value {
    let entry = |entry: crate::config::Entry| {
        let (kind, name) = match &entry.source {
            Source::Flag(name) => ("flag", Some(name.clone())),
            Source::Environment(name) => ("environment", Some(name.clone())),
            Source::File(path) => ("file", Some(path.display().to_string())),
            Source::Default => ("default", None),
        };
        json!({"key": entry.key, "value": entry.value, "source": kind, "name": name})
    };
    config.entries().into_iter().map(entry).collect()
}

fn print(config: &Config) {
    let entries = config.entries();
    let width = |text: fn(&crate::config::Entry) -> usize| entries.iter().map(text).max().unwrap_or_default();
    let (keys, values) = (width(|entry| entry.key.len()), width(|entry| entry.value.len()));
    for entry in &entries {
        println!("{:keys$}  {:values$}  {}", entry.key, entry.value, entry.source);
    }
}

/// Judges the configuration as `run` does, for the chain in the folder where there is one.
fn check(config: &Config, args: &ConfigArgs) -> anyhow::Result<()> {
    let datadir = DataDir::at_existing(&args.datadir)?;
    check_readable(datadir.path(), args.config.as_deref(), config)?;
    for path in passed_over(datadir.path(), args.config.as_deref()) {
        eprintln!("note: {} is not read: only names that end in .toml are", path.display());
    }
    let spec = datadir.read_chain_spec().with_context(|| datadir.chain_spec().display().to_string())?;
    check_config(&datadir, config, spec.as_ref())?;
    if let (Some(max), Some(taken)) = (config.max_store_bytes(), datadir.store_taken_bytes())
        && taken >= max
    {
        let (taken, max) = (taken >> 20, max >> 20);
        eprintln!(
            "note: the store's file takes {taken} MiB already, and storage.max-size-mib is {max}: it cannot grow"
        );
    }
    match spec {
        Some(spec) => println!("The configuration is good, and says nothing that the chain {} is not", spec.chain_id),
        None => println!("The configuration is good; {} holds no chain to hold it against", datadir.path().display()),
    }
    Ok(())
}
