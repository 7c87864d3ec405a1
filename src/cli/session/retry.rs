use super::{client::NodeArgs, wait::follow};
use crate::cli::address::parse_address;
use alloy_primitives::Address;
use lucid_types::SessionId;

/// Begin a failed or expired anchoring again, where the node's own account registers the session.
///
/// A session that was signed with --key is anchored again with `session anchor --key`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    node: NodeArgs,
    /// The session.
    session_id: SessionId,
    /// The account that registers the session; needed where several had it anchored.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    account: Option<Address>,
    /// Do not wait until the anchor is final.
    #[arg(long)]
    no_wait: bool,
    /// Write the result as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.node.client()?;
    let accepted = client.retry_anchoring(args.session_id, args.account).await?;
    follow(&client, &accepted, args.no_wait).await?.print(args.json)
}
