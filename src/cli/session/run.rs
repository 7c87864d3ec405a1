use super::{anchor, proof, verify};

/// Anchor recorded sessions, fetch their proofs, check proofs offline.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    Anchor(anchor::Args),
    Proof(proof::Args),
    Verify(verify::Args),
}

pub(in crate::cli) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Anchor(args) => anchor::run(args).await,
        Command::Proof(args) => proof::run(args).await,
        Command::Verify(args) => verify::run(args),
    }
}
