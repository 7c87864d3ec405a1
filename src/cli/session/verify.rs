use crate::{
    anchoring::{self, Checked, digest_file, parse_proof},
    cli::input::read_file,
};
use alloy_primitives::{Address, B256, keccak256};
use anyhow::{Context, bail};
use lucid_types::AnchorProof;
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
    #[arg(long, value_name = "HASH")]
    genesis: Option<B256>,
    /// The account that must have registered the session.
    #[arg(long, value_name = "ADDR")]
    by: Option<Address>,
}

fn parse_chunk_file(text: &str) -> Result<(u32, PathBuf), String> {
    let (index, path) = text.split_once('=').ok_or("expected I=PATH, such as 3=recording/0003.enc")?;
    let index = index.parse().map_err(|_| format!("`{index}` is not the index of a chunk"))?;
    Ok((index, PathBuf::from(path)))
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
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
    print_verdict(&checked, &args);
    if args.genesis.is_none() {
        eprintln!(
            "warning: the genesis hash above is the file's own; give the one that you trust with --genesis HASH,\n\
             or anybody's chain will do"
        );
    }
    Ok(())
}

fn read_proof(path: &Path) -> anyhow::Result<AnchorProof> {
    parse_proof(&read_file(path, anchoring::MAX_PROOF_BYTES)?)
        .with_context(|| format!("{} is no proof", path.display()))
}

fn print_verdict(checked: &Checked, args: &Args) {
    println!("The proof holds.");
    println!("Session     {}", checked.session_id);
    println!("Registered  by {} in block {} (time {})", checked.account, checked.block_number, checked.block_time);
    println!("Owner       {}", checked.owner);
    println!("Root        {} over {} chunks", checked.merkle_root, checked.chunk_count);
    println!("Manifest    {}", checked.manifest_hash);
    println!("Final       signed by {} of {} validators", checked.signers.len(), checked.validators);
    let chunks = checked.chunk_indexes().len();
    if chunks > 0 {
        println!("Chunks      {chunks} shown to belong to it, {} held against a file", args.chunk_files.len());
    }
    println!("Chain       id {}, genesis {}", checked.chain_id, checked.genesis_hash);
}
