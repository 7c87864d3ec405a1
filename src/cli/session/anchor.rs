use super::{client::NodeArgs, wait::follow};
use crate::{
    anchoring::{
        AnchorCall, ChunkFacts, ChunkFolder, ChunkMetadata, MAX_META_BYTES, MerkleTree, ReadChunk, Registration,
        SessionMeta, anchor_calls,
    },
    cli::{
        address::parse_address,
        exit_codes::{NO_INPUT, coded},
        input::read_file,
        time::unix_now,
    },
    keys::{SecretKey, read_key_file},
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use lucid_rpc::{AnchorAcceptedDocument, AnchorRequestDocument, Client, SessionDocument};
use lucid_types::{Manifest, SessionId};
use serde::Serialize;
use std::path::{Path, PathBuf};

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

/// What is anchored, and how.
#[derive(Debug, Default)]
pub(in crate::cli) struct AnchorOptions {
    /// Signs the transactions; the node does where absent.
    pub(in crate::cli) key: Option<SecretKey>,
    /// Whose session it is.
    pub(in crate::cli) owner: Option<Address>,
    /// The session's id.
    pub(in crate::cli) session_id: Option<SessionId>,
    /// What is known of it.
    pub(in crate::cli) meta: SessionMeta,
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

fn read_meta(path: &Path) -> anyhow::Result<SessionMeta> {
    SessionMeta::from_json(&read_file(path, MAX_META_BYTES)?).with_context(|| path.display().to_string())
}

/// Reads a folder of encrypted chunks and has its root anchored: when this returns the node has it on disk.
pub(in crate::cli) async fn submit_folder(
    client: &Client,
    folder: &Path,
    options: AnchorOptions,
) -> anyhow::Result<AnchorAcceptedDocument> {
    if folder.is_file() {
        let text = format!("{} is a file; name the folder that holds the session's encrypted chunks", folder.display());
        return Err(coded(NO_INPUT, text));
    }
    let folder = ChunkFolder::open(folder)?;
    let started_at = options.meta.started_at.or_else(|| folder.oldest_modified_secs());
    let started_at = started_at.context("the chunks are older than 1970; give startedAt with --meta")?;
    let chunks = tokio::task::block_in_place(|| read_chunks(&folder))?;
    let tree = MerkleTree::new(chunks.iter().map(|chunk| chunk.digest.blake3).collect())?;
    let session_id = match options.session_id {
        Some(id) => id,
        None => new_session_id()?,
    };
    let facts = ChunkFacts {
        chunk_count: tree.count(),
        total_size: chunks.iter().map(|chunk| chunk.digest.size_bytes).sum(),
        merkle_root: tree.root(),
    };
    let manifest = options.meta.into_manifest(session_id, facts, unix_now())?;
    let transactions = match &options.key {
        Some(key) => Some(sign_calls(client, key, &manifest, started_at, options.owner, &chunks).await?),
        None => None,
    };
    let request = AnchorRequestDocument {
        leaves: chunks.iter().map(|chunk| chunk.digest.blake3).collect(),
        ciphertext_sha256: chunks.iter().map(|chunk| chunk.digest.sha256).collect(),
        size_bytes: chunks.iter().map(|chunk| chunk.digest.size_bytes).collect(),
        local_path: Some(chunks.into_iter().map(|chunk| chunk.file_name).collect()),
        manifest,
        started_at,
        owner: options.owner,
        transactions,
        user_id: None,
    };
    Ok(client.anchor_session(&request).await?)
}

fn read_chunks(folder: &ChunkFolder) -> anyhow::Result<Vec<ReadChunk>> {
    let bar = ProgressBar::new(folder.total_bytes()).with_style(ProgressStyle::with_template(
        "Reading {bar:30} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta} {msg}",
    )?);
    let chunks = folder.read(|progress| {
        bar.set_position(progress.bytes);
        bar.set_message(format!("({}/{} chunks)", progress.files, progress.files_total));
    });
    bar.finish_and_clear();
    Ok(chunks?)
}

/// The session's calls as transactions that the caller's own key signs.
async fn sign_calls(
    client: &Client,
    key: &SecretKey,
    manifest: &Manifest,
    started_at: u64,
    owner: Option<Address>,
    chunks: &[ReadChunk],
) -> anyhow::Result<Vec<Bytes>> {
    let account = key.address();
    let session = Registration {
        session_id: manifest.session_id,
        manifest_hash: manifest.hash()?,
        started_at,
        owner: owner.unwrap_or(account),
        merkle_root: manifest.merkle_root,
    };
    let metadata: Vec<_> = chunks
        .iter()
        .map(|chunk| ChunkMetadata { ciphertext_sha256: chunk.digest.sha256, size_bytes: chunk.digest.size_bytes })
        .collect();
    let calls = anchor_calls(&session, &metadata)?;
    let chain_id = client.chain_id().await?;
    let nonce = client.pending_nonce(account).await?;
    let tip: u128 = client.max_priority_fee_per_gas().await?.saturating_to();
    let price: u128 = client.gas_price().await?.saturating_to();
    // Twice today's price: the base fee rises by an eighth a block at most, and what is not needed is not paid.
    let sign = |(nonce, call): (u64, AnchorCall)| sign_call(key, chain_id, nonce, call, price.saturating_mul(2), tip);
    Ok((nonce..).zip(calls).map(sign).collect())
}

fn sign_call(key: &SecretKey, chain_id: u64, nonce: u64, call: AnchorCall, max_fee: u128, tip: u128) -> Bytes {
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: call.gas_limit,
        max_fee_per_gas: max_fee.max(tip),
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(call.to),
        input: call.input,
        ..TxEip1559::default()
    };
    let signature = key.sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

fn new_session_id() -> anyhow::Result<SessionId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
    Ok(SessionId::from_random(bytes))
}
