use super::{
    serve::serve,
    session::{AnchorOptions, Anchored, submit_folder, wait_until_final},
    signals::StopSignals,
};
use crate::{
    anchoring,
    node::{DataDir, LaunchOptions, NodeError, RunningNode, Sealing, launch},
};
use anyhow::Context;
use lucid_rpc::{Client, StartError};
use lucid_types::AnchorProof;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// Chunks of the made-up session.
const CHUNKS: u32 = 8;

/// Bytes of each.
const CHUNK_BYTES: usize = 1024 * 1024;

/// The chunk whose path the proof holds.
const PROVED_CHUNK: u32 = 3;

/// See it work: a development chain, a made-up session of 8 encrypted chunks, anchored, proved and verified.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Port of the JSON-RPC server; a free one is taken where this one is in use.
    #[arg(long, default_value_t = 8545)]
    port: u16,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let stop = StopSignals::listen().context("cannot wait for signals")?;
    let datadir = DataDir::temporary()?;
    let running = launch_somewhere(&datadir, args.port).await?;
    let url = format!("http://{}", running.local_addr());
    let (chain_id, genesis_hash) = (running.node().spec().chain_id, running.node().genesis_hash());
    println!("Chain     id {chain_id}, genesis {genesis_hash}");
    println!("          all of it in one file, {}", datadir.store().display());

    let recording = datadir.path().join("recording");
    record(&recording)?;
    println!("Session   {CHUNKS} encrypted chunks of 1 MiB in {}", recording.display());

    let client = Client::new(&url)?;
    let accepted = submit_folder(&client, &recording, AnchorOptions::default()).await?;
    let anchored = Anchored::of(&accepted, Some(wait_until_final(&client, &accepted).await?));
    println!("Anchored  session {}", anchored.session_id);
    println!("          Merkle root {}", anchored.merkle_root);
    println!(
        "          block {}, transaction {}",
        anchored.block_number.unwrap_or_default(),
        anchored.transaction_hash
    );

    let proof = client.anchor_proof(anchored.session_id, &[PROVED_CHUNK], None).await?;
    let (path, bytes) = save(&proof, datadir.path())?;
    println!("Proof     {} ({bytes} bytes)", path.display());
    verify(&proof, genesis_hash, &recording)?;
    print_hints(&url, &anchored, &path, &recording);
    println!("\nServing on {url} until Ctrl-C, which removes everything");
    drop(datadir);
    serve(running, stop).await
}

/// Starts a dev node on the port that was asked for, or on a free one.
async fn launch_somewhere(datadir: &DataDir, port: u16) -> anyhow::Result<RunningNode> {
    let options = |port| LaunchOptions {
        datadir: datadir.clone(),
        http_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        sealing: Sealing::Instant,
    };
    match launch(options(port)).await {
        Err(NodeError::Start(StartError::AddressInUse(_))) => {
            println!("Port {port} is in use, so a free one is taken");
            Ok(launch(options(0)).await?)
        }
        outcome => Ok(outcome?),
    }
}

/// Makes up a recording: frames of text, encrypted with a key that nobody keeps.
fn record(folder: &Path) -> anyhow::Result<()> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).context("the operating system gives no random bytes")?;
    // BLAKE3 in keyed mode gives as long a stream as is read from it, which makes it a stream cipher.
    let mut stream = blake3::Hasher::new_keyed(&key).finalize_xof();
    fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for index in 0..CHUNKS {
        let mut chunk = vec![0; CHUNK_BYTES];
        stream.fill(&mut chunk);
        let frames = format!("frame of chunk {index} ").into_bytes();
        for (byte, plain) in chunk.iter_mut().zip(frames.iter().cycle()) {
            *byte ^= plain;
        }
        let path = folder.join(format!("chunk-{index}.enc"));
        fs::write(&path, chunk).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn save(proof: &AnchorProof, folder: &Path) -> anyhow::Result<(PathBuf, usize)> {
    let path = folder.join("proof.json");
    let text = serde_json::to_vec_pretty(proof)?;
    fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok((path, text.len()))
}

/// Checks the proof as a stranger would, with the chunk's file; then with a flipped bit, which must be refused.
fn verify(proof: &AnchorProof, genesis_hash: alloy_primitives::B256, recording: &Path) -> anyhow::Result<()> {
    let checked = anchoring::check(proof, genesis_hash).context("the proof does not hold")?;
    let digest = anchoring::digest_file(&recording.join(format!("chunk-{PROVED_CHUNK}.enc")))?;
    checked.check_chunk(PROVED_CHUNK, digest.blake3)?;
    let (signers, validators) = (checked.signers.len(), checked.validators);
    println!("Verified  offline, from the genesis hash to the signatures of {signers} of {validators} validators;");
    println!("          chunk {PROVED_CHUNK} belongs to the session");
    let mut changed = fs::read(recording.join(format!("chunk-{PROVED_CHUNK}.enc")))?;
    changed[0] ^= 1;
    let flipped = *blake3::hash(&changed).as_bytes();
    let refusal = checked.check_chunk(PROVED_CHUNK, flipped.into()).err().context("a changed chunk was accepted")?;
    println!("Refused   the same chunk with a bit flipped:");
    println!("          {refusal}");
    Ok(())
}

fn print_hints(url: &str, anchored: &Anchored, proof: &Path, recording: &Path) {
    // As it was called, so that the lines can be pasted.
    let program = std::env::args().next().unwrap_or_else(|| "lucid-node".to_owned());
    println!("\nTry, while this runs:");
    println!("  {program} session verify {} \\", proof.display());
    println!("    --chunk-file {PROVED_CHUNK}={}", recording.join(format!("chunk-{PROVED_CHUNK}.enc")).display());
    println!("  {program} session proof --rpc {url} {} --chunk 0 -o proof.json", anchored.session_id);
}
