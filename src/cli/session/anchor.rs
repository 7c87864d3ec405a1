use super::{
    client::NodeArgs,
    submit::{AnchorOptions, read_meta, submit_folder},
    wait::follow,
};
use crate::{cli::address::parse_address, keys::read_key_file};
use alloy_primitives::{Address, B256};
use lucid_rpc::{AnchorAcceptedDocument, SessionDocument};
use lucid_types::SessionId;
use serde::Serialize;
use std::path::PathBuf;

/// Anchor a recorded session: read its encrypted chunks, and put their Merkle root on the chain.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    node: NodeArgs,
    /// Sign with the key in this file: 64 hex digits, mode 0600. Its account registers the session and pays the fees;
    /// without it the node's own does.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Whose session it is; the registering account where absent.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    owner: Option<Address>,
    /// The session's id; a new one where absent.
    #[arg(long, value_name = "UUID")]
    session_id: Option<SessionId>,
    /// What is known of the session beside its chunks, as JSON: participants, codec, recorderVersion,
    /// deviceFingerprint, policyHash, observers, createdAt, startedAt.
    #[arg(long, value_name = "FILE")]
    meta: Option<PathBuf>,
    /// Do not wait until the anchor is final.
    #[arg(long)]
    no_wait: bool,
    /// Write the result as one JSON object.
    #[arg(long)]
    json: bool,
    /// Folder of the encrypted chunks: their order is the natural order of the file names.
    #[arg(value_name = "CHUNK_DIR")]
    folder: PathBuf,
}

/// A session that the node has taken.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Anchored {
    /// The session.
    pub(in crate::cli) session_id: SessionId,
    /// The account that registers it.
    pub(in crate::cli) account: Address,
    /// Root over its chunks.
    pub(in crate::cli) merkle_root: B256,
    /// The transaction that registers it.
    pub(in crate::cli) transaction_hash: B256,
    /// Height of its block; absent where it was not waited for.
    pub(in crate::cli) block_number: Option<u64>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let options = AnchorOptions {
        key: args.key.as_deref().map(read_key_file).transpose()?,
        owner: args.owner,
        session_id: args.session_id,
        meta: args.meta.as_deref().map(read_meta).transpose()?.unwrap_or_default(),
    };
    let client = args.node.client()?;
    let accepted = submit_folder(&client, &args.folder, options).await?;
    follow(&client, &accepted, args.no_wait).await?.print(args.json)
}

impl Anchored {
    /// What came of an anchoring that the node has taken, with the session where it is final.
    pub(in crate::cli) fn of(accepted: &AnchorAcceptedDocument, final_session: Option<SessionDocument>) -> Self {
        let on_chain = final_session.as_ref().and_then(|session| session.anchor_txid);
        Self {
            session_id: accepted.session_id,
            account: accepted.account,
            merkle_root: accepted.merkle_root,
            // With a raised fee it may be another than the one that was sent first.
            transaction_hash: on_chain.unwrap_or(accepted.transaction_hash),
            block_number: final_session.and_then(|session| session.block_number),
        }
    }

    /// Writes it to standard output.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        println!("Session      {}", self.session_id);
        println!("Account      {}", self.account);
        println!("Merkle root  {}", self.merkle_root);
        println!("Transaction  {}", self.transaction_hash);
        match self.block_number {
            Some(height) => println!("Final in block {height}"),
            None => println!("The node goes on until it is final; `session status {}` tells", self.session_id),
        }
        Ok(())
    }
}
