use super::{anchor, client::with_hint, list, proof, retry, status, verify, watch};

/// Anchor recorded sessions, see how they stand, fetch their proofs, check proofs offline.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    Anchor(anchor::Args),
    List(list::Args),
    Status(status::Args),
    Watch(watch::Args),
    Retry(retry::Args),
    Proof(proof::Args),
    Verify(verify::Args),
}

impl Command {
    /// Whether it works on and on, and says what happens.
    pub(in crate::cli) const fn is_service(&self) -> bool {
        matches!(self, Self::Watch(_))
    }
}

pub(in crate::cli) async fn run(command: Command) -> anyhow::Result<()> {
    let outcome = match command {
        Command::Anchor(args) => anchor::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Watch(args) => watch::run(args).await,
        Command::Retry(args) => retry::run(args).await,
        Command::Proof(args) => proof::run(args).await,
        Command::Verify(args) => verify::run(args),
    };
    outcome.map_err(with_hint)
}
