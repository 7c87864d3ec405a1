//! A folder of encrypted chunks becomes a request to the node.

use crate::{
    anchoring::{
        AnchorCall, ChunkFacts, ChunkFolder, ChunkMetadata, MAX_META_BYTES, MerkleTree, Progress, ReadChunk,
        Registration, SessionMeta, anchor_calls,
    },
    cli::{
        exit_codes::{NO_INPUT, coded},
        input::read_file,
        time::unix_now,
    },
    keys::SecretKey,
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use lucid_rpc::{AnchorAcceptedDocument, AnchorRequestDocument, Client};
use lucid_types::{Manifest, SessionId};
use std::path::Path;

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

/// Most bytes that the names of chunks may take in a request. They are only recorded: with longer ones and as many chunks as
/// a session may have, the request would be larger than one that is sent.
const MAX_NAMES_BYTES: usize = 512 * 1024;

/// A folder's chunks as they were read.
#[derive(Debug)]
pub(super) struct Recording {
    /// What they say of the session.
    pub(super) facts: ChunkFacts,
    started_at: u64,
    chunks: Vec<ReadChunk>,
}

impl Recording {
    /// Reads every chunk once. `started_at` (Unix seconds) is when the session began where that is known.
    pub(super) fn read(
        folder: &ChunkFolder,
        started_at: Option<u64>,
        on_progress: impl FnMut(Progress),
    ) -> anyhow::Result<Self> {
        let started_at = started_at.or_else(|| folder.oldest_modified_secs());
        let started_at =
            started_at.context("the chunks are older than 1970; give startedAt in the session's description")?;
        let chunks = folder.read(on_progress)?;
        let tree = MerkleTree::new(chunks.iter().map(|chunk| chunk.digest.blake3).collect())?;
        let facts = ChunkFacts {
            chunk_count: tree.count(),
            total_size: chunks.iter().map(|chunk| chunk.digest.size_bytes).sum(),
            merkle_root: tree.root(),
        };
        Ok(Self { facts, started_at, chunks })
    }

    /// What the node is asked for.
    pub(super) fn into_request(
        self,
        manifest: Manifest,
        owner: Option<Address>,
        transactions: Option<Vec<Bytes>>,
    ) -> AnchorRequestDocument {
        let names: Vec<String> = self.chunks.iter().map(|chunk| chunk.file_name.clone()).collect();
        let names_bytes = serde_json::to_string(&names).map_or(usize::MAX, |text| text.len());
        AnchorRequestDocument {
            leaves: self.chunks.iter().map(|chunk| chunk.digest.blake3).collect(),
            ciphertext_sha256: self.chunks.iter().map(|chunk| chunk.digest.sha256).collect(),
            size_bytes: self.chunks.iter().map(|chunk| chunk.digest.size_bytes).collect(),
            local_path: (names_bytes <= MAX_NAMES_BYTES).then_some(names),
            manifest,
            started_at: self.started_at,
            owner,
            transactions,
            user_id: None,
        }
    }
}

/// Reads a description of a session.
pub(super) fn read_meta(path: &Path) -> anyhow::Result<SessionMeta> {
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
    let recording = tokio::task::block_in_place(|| read_shown(&folder, options.meta.started_at))?;
    let session_id = match options.session_id {
        Some(id) => id,
        None => new_session_id()?,
    };
    let manifest = options.meta.into_manifest(session_id, recording.facts, unix_now())?;
    let transactions = match &options.key {
        Some(key) => Some(sign_calls(client, key, &manifest, options.owner, &recording).await?),
        None => None,
    };
    Ok(client.anchor_session(&recording.into_request(manifest, options.owner, transactions)).await?)
}

fn read_shown(folder: &ChunkFolder, started_at: Option<u64>) -> anyhow::Result<Recording> {
    let bar = reading_bar(folder.total_bytes())?;
    let recording = Recording::read(folder, started_at, |progress| show(&bar, progress));
    bar.finish_and_clear();
    recording
}

/// A bar on standard error for `bytes` that are to be read; without a terminal it shows nothing.
pub(super) fn reading_bar(bytes: u64) -> anyhow::Result<ProgressBar> {
    Ok(ProgressBar::new(bytes).with_style(ProgressStyle::with_template(
        "Reading {bar:30} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta} {msg}",
    )?))
}

/// Shows on the bar how far the reading has come.
pub(super) fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.bytes);
    bar.set_message(format!("({}/{} chunks)", progress.files, progress.files_total));
}

/// The session's calls as transactions that the caller's own key signs.
async fn sign_calls(
    client: &Client,
    key: &SecretKey,
    manifest: &Manifest,
    owner: Option<Address>,
    recording: &Recording,
) -> anyhow::Result<Vec<Bytes>> {
    let account = key.address();
    let session = Registration {
        session_id: manifest.session_id,
        manifest_hash: manifest.hash()?,
        started_at: recording.started_at,
        owner: owner.unwrap_or(account),
        merkle_root: manifest.merkle_root,
    };
    let metadata = |chunk: &ReadChunk| ChunkMetadata {
        ciphertext_sha256: chunk.digest.sha256,
        size_bytes: chunk.digest.size_bytes,
    };
    let metadata: Vec<_> = recording.chunks.iter().map(metadata).collect();
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
