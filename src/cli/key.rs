use super::{
    address::parse_address,
    exit_codes::{USAGE, coded},
};
use crate::{
    keys::{
        ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, KeyError, NetworkKey, NodeKeys, SecretKey, create_key_file,
        create_key_folder, read_key, read_key_file, write_token_file,
    },
    network::Network,
    node::DataDir,
};
use alloy_primitives::{Address, hex};
use anyhow::{Context, bail};
use clap::ValueEnum;
use lucid_types::{ConsensusKey, GenesisValidator};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Make, look at and move keys. A key lies in a file of mode 0600; no command prints one unless asked to by --stdout.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make new keys: those of a node (account and consensus key), or one account key in a file.
    New {
        #[command(flatten)]
        place: Place,
        /// Print one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what everybody may know of keys: addresses and public keys.
    Show {
        #[command(flatten)]
        place: Place,
        /// Print one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write what a chain's first block says of a node, as a line of JSON: for `genesis new --validators`.
    Consensus {
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        datadir: PathBuf,
        /// Account of the person who runs it; the node's own without it.
        #[arg(long, value_name = "ADDR", value_parser = parse_address)]
        operator: Option<Address>,
    },
    /// Write the name by which peers know a node, as their `network.peers` has it. Its key is made where there is none.
    Peer {
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        datadir: PathBuf,
    },
    /// Write a node's key as 64 hexadecimal digits, to a new file of mode 0600 or, if asked, to standard output.
    Export {
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        datadir: PathBuf,
        /// The consensus key instead of the account key.
        #[arg(long)]
        consensus: bool,
        /// The file to make.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Print the secret on standard output instead.
        #[arg(long, conflicts_with = "output")]
        stdout: bool,
    },
    /// Take a key for a node that has none of its kind yet.
    Import {
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        datadir: PathBuf,
        /// The consensus key instead of the account key.
        #[arg(long)]
        consensus: bool,
        /// The file with the key (mode 0600); `-` or nothing reads standard input.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Write a new access token for a scope. A running node takes it, and no longer the old one, when it is started again.
    RotateToken {
        /// What the token allows.
        #[arg(value_enum)]
        scope: Scope,
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        datadir: PathBuf,
    },
}

/// Where keys are: in a node's folder, or one in a file.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Place {
    /// The node's folder.
    #[arg(long, value_name = "DIR")]
    datadir: Option<PathBuf>,
    /// A key file.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Scope {
    /// Everything.
    Admin,
    /// Anchor sessions.
    Anchor,
    /// Read and write payouts.
    Payout,
    /// Read what is not public.
    Read,
}

impl Scope {
    const fn file_name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Anchor => "anchor",
            Self::Payout => "payout",
            Self::Read => "read",
        }
    }
}

/// What anybody may know of a node's keys, as a chain spec has it.
fn consensus(datadir: &Path, operator: Option<Address>) -> anyhow::Result<()> {
    let keys = NodeKeys::load(&DataDir::at(datadir)?.keys())?;
    let node = keys.account().address();
    let consensus_key = ConsensusKey::from_bytes(keys.consensus().public_key_compressed())?;
    let validator = GenesisValidator { node, operator: operator.unwrap_or(node), consensus_key };
    println!("{}", serde_json::to_string(&validator)?);
    Ok(())
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::New { place, json } => new(&place, json),
        Command::Show { place, json } => show(&place, json),
        Command::Consensus { datadir, operator } => consensus(&datadir, operator),
        Command::Peer { datadir } => {
            let key = NetworkKey::load_or_create(&DataDir::at_existing(&datadir)?.keys())?;
            println!("{}", Network::id_of(&key.seed())?);
            Ok(())
        }
        Command::Export { datadir, consensus, output, stdout } => {
            if output.is_none() && !stdout {
                return Err(coded(
                    USAGE,
                    "name the file to make with --output FILE, or print the secret with --stdout",
                ));
            }
            export(&datadir, consensus, output.as_deref())
        }
        Command::Import { datadir, consensus, file } => import(&datadir, consensus, file.as_deref()),
        Command::RotateToken { scope, datadir } => rotate_token(&datadir, scope),
    }
}

fn new(place: &Place, json: bool) -> anyhow::Result<()> {
    if let Some(path) = &place.file {
        // Before a key is drawn: the path may be a secret that was pasted into the wrong place.
        if !matches!(read_key_file(path), Err(KeyError::NotFound { .. })) {
            read_key_file(path)?;
            return Err(KeyError::AlreadyExists { path: path.clone() }.into());
        }
        let key = SecretKey::generate()?;
        create_key_file(path, &key)?;
        print(&account_json(&key), json);
        return Ok(());
    }
    let datadir = DataDir::at(place.datadir.as_deref().unwrap_or(Path::new(".")))?;
    // A kill may have come between the two: then the missing one is made, unless the keys have signed already.
    let paths = [ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE].map(|name| datadir.keys().join(name));
    let is_half_made = paths[0].exists() && !paths[1].exists() && !datadir.store().exists();
    for path in paths {
        if path.exists() && !is_half_made {
            return Err(KeyError::AlreadyExists { path }.into());
        }
    }
    if datadir.store().exists() {
        bail!("{} holds a chain; beside it keys are never made anew", datadir.path().display());
    }
    print(&node_json(&NodeKeys::load_or_create(&datadir.keys())?), json);
    Ok(())
}

fn show(place: &Place, json: bool) -> anyhow::Result<()> {
    let value = match &place.file {
        Some(path) => account_json(&read_key_file(path)?),
        None => {
            let datadir = DataDir::at_existing(place.datadir.as_deref().unwrap_or(Path::new(".")))?;
            node_json(&NodeKeys::load(&datadir.keys()).map_err(with_credentials_hint)?)
        }
    };
    print(&value, json);
    Ok(())
}

/// The error; where it is that there are no keys, with who may have them.
fn with_credentials_hint(error: KeyError) -> anyhow::Error {
    let is_missing = matches!(error, KeyError::NotFound { .. });
    let text = format!("{error}; systemd may have the node's keys (LoadCredential= of its unit, see credentials.conf)");
    let error = anyhow::Error::new(error);
    if is_missing { error.context(text) } else { error }
}

fn account_json(key: &SecretKey) -> Value {
    json!({"account": key.address().to_string(), "publicKey": hex::encode_prefixed(key.public_key_compressed())})
}

/// With the names of a chain spec's validators, into which people copy it.
fn node_json(keys: &NodeKeys) -> Value {
    let node = keys.account().address().to_string();
    let consensus_key = hex::encode_prefixed(keys.consensus().public_key_compressed());
    json!({"node": node, "operator": node, "consensusKey": consensus_key})
}

fn print(value: &Value, json: bool) {
    if json {
        println!("{value}");
        return;
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        println!("{name:13} {}", value.as_str().unwrap_or_default());
    }
}

/// The file of a node's key.
fn key_path(datadir: &DataDir, consensus: bool) -> PathBuf {
    datadir.keys().join(if consensus { CONSENSUS_KEY_FILE } else { ACCOUNT_KEY_FILE })
}

fn export(datadir: &Path, consensus: bool, output: Option<&Path>) -> anyhow::Result<()> {
    let datadir = DataDir::at_existing(datadir)?;
    let key = read_key_file(&key_path(&datadir, consensus))?;
    warn_of_open_folder(&datadir.keys());
    match output {
        Some(path) => {
            datadir.check_new_file(path)?;
            create_key_file(path, &key)?;
            println!("{}", path.display());
        }
        None => {
            let mut out = io::stdout().lock();
            key.write_line(&mut out).and_then(|()| out.flush()).context("cannot write to standard output")?;
        }
    }
    Ok(())
}

/// The folder of keys that others can look into is no reason to keep a key from its owner, and one to tell him.
fn warn_of_open_folder(folder: &Path) {
    let mode = fs::metadata(folder).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let shown = folder.display();
        eprintln!("warning: {shown} has mode {mode:04o} and so is open to other users; run: chmod 700 {shown}");
    }
}

fn import(datadir: &Path, consensus: bool, file: Option<&Path>) -> anyhow::Result<()> {
    let key = match file.filter(|path| *path != Path::new("-")) {
        Some(path) => read_key_file(path)?,
        None => read_key(&mut io::stdin().lock(), Path::new("standard input"))?,
    };
    let datadir = DataDir::at(datadir)?;
    create_key_folder(&datadir.keys())?;
    let other = key_path(&datadir, !consensus);
    if other.exists() && read_key_file(&other)? == key {
        return Err(KeyError::SharedKey { account: key.address() }.into());
    }
    let path = key_path(&datadir, consensus);
    create_key_file(&path, &key)?;
    println!("{}", path.display());
    if consensus {
        eprintln!(
            "note: nobody knows here what this key has signed, so the node makes no blocks until it is run once with \
             --accept-restored"
        );
    }
    Ok(())
}

fn rotate_token(datadir: &Path, scope: Scope) -> anyhow::Result<()> {
    let datadir = DataDir::at_existing(datadir)?.to_write()?;
    create_key_folder(&datadir.tokens())?;
    let path = datadir.tokens().join(scope.file_name());
    write_token_file(&path)?;
    println!("{}", path.display());
    Ok(())
}
