use crate::{
    anchoring::{self, Checked, digest_file, parse_proof},
    cli::{address::parse_address, app::with_causes, input::read_file, time::utc},
};
use alloy_primitives::{Address, B256, keccak256};
use anyhow::{Context, bail};
use lucid_rpc::{AnchorVerdictDocument, VerifiedAnchorDocument};
use lucid_types::{AnchorProof, Manifest};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Check a proof file offline, from the chain's genesis down to the validators' signatures.
///
/// Exits with 0 only when everything holds; else it names what failed.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The proof file.
    file: PathBuf,
    /// Check too that the file PATH is the chunk with index I; may be given often.
    #[arg(long = "chunk-file", value_name = "I=PATH", value_parser = parse_chunk_file)]
    chunk_files: Vec<(u32, PathBuf)>,
    /// Hash of the chain's genesis header, from a source that you trust.
    #[arg(long, value_name = "HASH", value_parser = parse_hash)]
    genesis: Option<B256>,
    /// The account that must have registered the session.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    by: Option<Address>,
    /// Write the verdict as one JSON object, whether the proof holds or not.
    #[arg(long)]
    json: bool,
}

/// The verdict as `lucid_verifyAnchorProof` gives it, and what else the file shows.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    #[serde(flatten)]
    verdict: AnchorVerdictDocument,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    more: Option<More<'a>>,
}

/// What a proof that holds shows beside the anchor.
#[derive(Debug, Serialize)]
struct More<'a> {
    chain_id: u64,
    /// Whether the genesis hash was given, and not taken from the file.
    genesis_given: bool,
    signers: &'a [Address],
    validators: usize,
    started_at: u64,
    manifest: &'a Manifest,
    /// Chunks that were held against a file.
    chunk_files: Vec<u32>,
}

fn parse_hash(text: &str) -> Result<B256, String> {
    text.parse().map_err(|_| "a hash has 0x and 64 hexadecimal digits; `lucid_chainInfo` of a node gives it".to_owned())
}

fn parse_chunk_file(text: &str) -> Result<(u32, PathBuf), String> {
    let (index, path) = text.split_once('=').ok_or("expected I=PATH, such as 3=recording/0003.enc")?;
    let index = index.parse().map_err(|_| format!("`{index}` is not the index of a chunk"))?;
    Ok((index, PathBuf::from(path)))
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let outcome = judge(&args);
    if args.json {
        let verdict = match &outcome {
            Ok((proof, checked)) => Verdict::of(proof, checked, &args),
            Err(error) => Verdict::against(error),
        };
        println!("{}", serde_json::to_string(&verdict)?);
    }
    let (proof, checked) = outcome?;
    if !args.json {
        print_verdict(&proof.manifest, &checked, &args);
    }
    if args.genesis.is_none() {
        eprintln!(
            "warning: the genesis hash above is the file's own; give the one that you trust with --genesis HASH,\n\
             or anybody's chain will do"
        );
    }
    Ok(())
}

/// Reads and checks the file, and holds the chunks against theirs.
fn judge(args: &Args) -> anyhow::Result<(AnchorProof, Checked)> {
    let proof = read_proof(&args.file)?;
    let genesis_hash = args.genesis.unwrap_or_else(|| keccak256(&proof.genesis_header));
    let checked = anchoring::check(&proof, genesis_hash).context("the proof does not hold")?;
    if let Some(by) = args.by.filter(|by| *by != checked.account) {
        bail!("the session was registered by {}, not by {by}", checked.account);
    }
    for (index, path) in &args.chunk_files {
        let digest = digest_file(path)?;
        checked.check_chunk(*index, digest.blake3).with_context(|| path.display().to_string())?;
    }
    Ok((proof, checked))
}

impl<'a> Verdict<'a> {
    fn of(proof: &'a AnchorProof, checked: &'a Checked, args: &Args) -> Self {
        let anchor = VerifiedAnchorDocument {
            session_id: checked.session_id,
            account: checked.account,
            owner_addr: checked.owner,
            merkle_root: checked.merkle_root,
            manifest_hash: checked.manifest_hash,
            chunk_count: checked.chunk_count,
            chunks: checked.chunk_indexes().collect(),
            block_number: checked.block_number,
            block_hash: checked.block_hash,
            block_timestamp: checked.block_time,
            genesis_hash: checked.genesis_hash,
        };
        let more = More {
            chain_id: checked.chain_id,
            genesis_given: args.genesis.is_some(),
            signers: &checked.signers,
            validators: checked.validators,
            started_at: checked.started_at,
            manifest: &proof.manifest,
            chunk_files: args.chunk_files.iter().map(|(index, _)| *index).collect(),
        };
        let verdict = AnchorVerdictDocument { valid: true, reason: None, anchor: Some(anchor) };
        Self { verdict, more: Some(more) }
    }

    fn against(error: &anyhow::Error) -> Self {
        let reason = Some(with_causes(error));
        Self { verdict: AnchorVerdictDocument { valid: false, reason, anchor: None }, more: None }
    }
}

fn read_proof(path: &Path) -> anyhow::Result<AnchorProof> {
    parse_proof(&read_file(path, anchoring::MAX_PROOF_BYTES)?)
        .with_context(|| format!("{} is no proof file as `session proof` writes it", path.display()))
}

fn print_verdict(manifest: &Manifest, checked: &Checked, args: &Args) {
    println!("The proof holds.");
    println!("Session     {}, started {} as its account says", checked.session_id, utc(checked.started_at));
    println!("Registered  by {} in block {} of {}", checked.account, checked.block_number, utc(checked.block_time));
    println!("Owner       {}", checked.owner);
    println!("Root        {} over {} chunks", checked.merkle_root, checked.chunk_count);
    println!("Final       signed by {} of {} validators", checked.signers.len(), checked.validators);
    let chunks = checked.chunk_indexes().len();
    if chunks > 0 {
        println!("Chunks      {chunks} shown to belong to it, {} held against a file", args.chunk_files.len());
    }
    println!("Chain       id {}, genesis {}", checked.chain_id, checked.genesis_hash);
    println!("Manifest    {}", checked.manifest_hash);
    print_manifest(manifest);
}

/// What the manifest says. Text is shown escaped: whoever made the session chose it.
fn print_manifest(manifest: &Manifest) {
    println!("  created            {}", utc(manifest.created_at));
    println!("  size               {} bytes", manifest.total_size);
    for (name, text) in [
        ("codec", &manifest.codec),
        ("recorder version", &manifest.recorder_version),
        ("device fingerprint", &manifest.device_fingerprint),
    ] {
        if let Some(text) = text {
            println!("  {name:18} {}", text.escape_debug());
        }
    }
    if let Some(hash) = &manifest.policy_hash {
        println!("  policy hash        {hash}");
    }
    for (name, keys) in [("participant", &manifest.participants), ("observer", &manifest.observers)] {
        for key in keys.iter().flatten() {
            println!("  {name:18} {key}");
        }
    }
}
