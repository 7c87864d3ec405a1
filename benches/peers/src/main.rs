//! The node's store beside SQLite and a server that speaks MongoDB's protocol, on the same documents with the same
//! durability, in one run; and the store alone while it grows to millions of documents. Figures and what they were
//! measured on are in docs/storage.md.

mod compare;
mod documents;
mod grow;
mod lucid;
mod measure;
mod peer;
mod picture;
mod server;
mod sqlite;
mod through;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use lucid::Lucid;
use lucid_storage::DEFAULT_CACHE_BYTES;
use measure::Size;
use peer::Peer;
use sqlite::{Layout, Sqlite};
use std::{fmt, path::PathBuf};

#[derive(Parser)]
#[command(about = "Measures the node's store")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures all of them in turns, each in a process of its own, in the folder for temporary files.
    Compare {
        #[command(flatten)]
        size: Size,
        /// How often; the table has medians.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Program of the server, such as secantusd-py; without it there is none.
        #[arg(long)]
        server: Option<String>,
    },
    /// Measures one and prints JSON.
    Run {
        peer: Peers,
        #[command(flatten)]
        size: Size,
        #[arg(long)]
        server: Option<String>,
    },
    /// Inserts millions of documents, measures on the way, prints CSV and draws a picture.
    Grow {
        #[arg(long, default_value_t = 10_000_000)]
        documents: u64,
        /// Sessions of a thousand documents that one commit has.
        #[arg(long, default_value_t = 1)]
        sessions: u64,
        /// Memory for pages of the store, in MiB, as `store.cache-mib` sets it; otherwise what the node gives it at most.
        #[arg(long, default_value_t = DEFAULT_CACHE_BYTES >> 20)]
        cache_mib: usize,
        /// The picture.
        #[arg(long)]
        picture: PathBuf,
    },
    /// Writes chunks into a folder as mongodump does, for `lucid-node import-mongo`.
    Dump {
        #[arg(long, default_value_t = 10_000_000)]
        documents: u64,
        #[arg(long)]
        out: PathBuf,
    },
    /// Asks a running node that has imported them, and prints the median times of its answers.
    Ask {
        /// Address of its JSON-RPC.
        #[arg(long, default_value = "127.0.0.1:8545")]
        address: String,
        #[arg(long, default_value_t = 10_000_000)]
        documents: u64,
        #[arg(long, default_value_t = 5_000)]
        reads: u64,
    },
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peers {
    Lucid,
    Sqlite,
    SqliteRowid,
    SqliteAlone,
    Server,
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lucid => "lucid",
            Self::Sqlite => "sqlite",
            Self::SqliteRowid => "sqlite-rowid",
            Self::SqliteAlone => "sqlite-alone",
            Self::Server => "server",
        })
    }
}

fn main() -> Result<()> {
    // As the node does; it is the same for all that run in this process.
    lucid_kernel::share_one_heap();
    let folder = tempfile::tempdir()?;
    match Args::parse().command {
        Command::Compare { size, rounds, server } => compare::compare(size, rounds, server.as_deref()),
        Command::Grow { documents, sessions, cache_mib, picture } => {
            let store = Lucid::new(folder.path(), cache_mib << 20)?;
            grow::grow(&store, folder.path(), documents, sessions, &picture)
        }
        Command::Dump { documents, out } => through::dump(&out, documents),
        Command::Ask { address, documents, reads } => through::ask(&address, documents, reads),
        Command::Run { peer, size, server } => {
            let peer: Box<dyn Peer> = match peer {
                Peers::Lucid => Box::new(Lucid::new(folder.path(), DEFAULT_CACHE_BYTES)?),
                Peers::Sqlite => Box::new(Sqlite::new(folder.path(), Layout::ByKey)?),
                Peers::SqliteRowid => Box::new(Sqlite::new(folder.path(), Layout::ByRowid)?),
                Peers::SqliteAlone => Box::new(Sqlite::new(folder.path(), Layout::ByKeyAlone)?),
                Peers::Server => {
                    let program = server.context("--server names its program")?;
                    Box::new(server::Server::new(folder.path(), &program)?)
                }
            };
            println!("{}", serde_json::to_string(&measure::measure(peer, size)?)?);
            Ok(())
        }
    }
}
