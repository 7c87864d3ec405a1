use super::{
    client::NodeArgs,
    output::{check_place, write_file},
};
use crate::cli::address::parse_address;
use alloy_primitives::Address;
use anyhow::Context;
use lucid_types::SessionId;
use std::path::PathBuf;

/// Fetch the proof of an anchored session: one file that anybody can check offline.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    node: NodeArgs,
    /// The session.
    session_id: SessionId,
    /// Prove too that the chunk with this index belongs to the session; may be given often.
    #[arg(long = "chunk", value_name = "I")]
    chunks: Vec<u32>,
    /// The account that registered the session; needed where several registered the same id.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    account: Option<Address>,
    /// Where the proof is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Put the proof in the place of a file that is there already.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(mut args: Args) -> anyhow::Result<()> {
    args.chunks.sort_unstable();
    args.chunks.dedup();
    // Before anybody is asked for it.
    check_place(&args.output, args.force)?;
    let client = args.node.client()?;
    let proof = client.anchor_proof(args.session_id, &args.chunks, args.account).await?;
    let text = serde_json::to_vec_pretty(&proof).context("the proof has no JSON form")?;
    write_file(&args.output, &text, args.force)?;
    let chunks = match proof.chunks.len() {
        0 => String::new(),
        1 => ", with the path of 1 chunk".to_owned(),
        count => format!(", with the paths of {count} chunks"),
    };
    println!("{} ({} bytes): session {}{chunks}", args.output.display(), text.len(), args.session_id);
    Ok(())
}
