use super::{backup, compact, find, migrate, reindex, restore, shards, sources, stats, verify};
use crate::cli::session::with_hint;

/// Ask the store, and look after it: documents, its numbers, a check of all of it, backups, its indexes, its size.
///
/// With --datadir the file is read while no node runs, and stays as it is (but for `reindex` and `migrate`, which mend it,
/// `sources remove`, and `compact`, which writes it anew); with --rpc the running node does it.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    Find(find::FindArgs),
    Count(find::CountArgs),
    Shards(shards::Args),
    Sources(sources::Args),
    Stats(stats::Args),
    Verify(verify::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Reindex(reindex::Args),
    Compact(compact::Args),
    Migrate(migrate::Args),
}

pub(in crate::cli) async fn run(command: Command) -> anyhow::Result<()> {
    let outcome = match command {
        Command::Find(args) => find::run(args).await,
        Command::Count(args) => find::run_count(args).await,
        Command::Shards(args) => shards::run(args).await,
        Command::Sources(args) => sources::run(args).await,
        Command::Stats(args) => stats::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => restore::run(&args),
        Command::Reindex(args) => reindex::run(args).await,
        Command::Compact(args) => compact::run(args).await,
        Command::Migrate(args) => migrate::run(&args),
    };
    outcome.map_err(with_hint)
}
