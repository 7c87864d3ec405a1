//! A recorded session on its way to an anchor and to a proof that a stranger checks.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, run, text};
use lucid_node::keys::{DEV_ACCOUNTS, create_key_file};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

const CHUNKS: usize = 200;
const CHUNK_BYTES: usize = 1024 * 1024;

/// A folder of chunks with bytes that no two have in common.
fn record(folder: &Path, chunks: usize, bytes: usize) -> PathBuf {
    let recording = folder.join("recording");
    fs::create_dir(&recording).unwrap();
    for index in 0..chunks {
        let mut chunk = vec![0; bytes];
        let mut stream = blake3::Hasher::new().update(&index.to_be_bytes()).finalize_xof();
        stream.fill(&mut chunk);
        fs::write(recording.join(format!("chunk{index}.enc")), chunk).unwrap();
    }
    recording
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Anchors with `--json` and gives the answer.
fn anchor(node: &DevNode, recording: &Path, more: &[&str]) -> Value {
    let mut args = vec!["session", "anchor", "--rpc", node.url(), "--json"];
    args.extend(more);
    args.push(path(recording));
    let output = run(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs `session verify` and gives its exit code and what it said.
fn verify(file: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut args = vec!["session", "verify", path(file)];
    args.extend(more);
    let output = run(&args);
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// Flips a bit of a field of hex text.
fn flip(value: &mut Value) {
    let mut hex = value.as_str().unwrap().to_owned().into_bytes();
    let digit = hex.last_mut().unwrap();
    *digit = char::from_digit(char::from(*digit).to_digit(16).unwrap() ^ 1, 16).unwrap() as u8;
    *value = String::from_utf8(hex).unwrap().into();
}

#[test]
fn a_session_of_200_files_of_1_mib_is_anchored_and_its_proof_holds_offline() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), CHUNKS, CHUNK_BYTES);
    let node = DevNode::start_in(&folder.path().join("chain"));
    let anchored = anchor(&node, &recording, &[]);
    assert!(anchored["block_number"].is_u64() && anchored["transaction_hash"].is_string());
    let session_id = anchored["session_id"].as_str().unwrap();

    let file = folder.path().join("proof.json");
    let args =
        ["session", "proof", "--rpc", node.url(), session_id, "--chunk", "0", "--chunk", "199", "-o", path(&file)];
    let output = run(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let genesis = genesis_hash(&node);
    // From here on nothing asks the node.
    node.kill();

    // Natural order: chunk199 is the last, whatever order the letters have.
    let (first, last) = (recording.join("chunk0.enc"), recording.join("chunk199.enc"));
    let (first, last) = (format!("0={}", path(&first)), format!("199={}", path(&last)));
    let (code, said) = verify(&file, &["--genesis", &genesis, "--chunk-file", &first, "--chunk-file", &last]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("The proof holds") && said.contains("over 200 chunks"), "{said}");

    let (code, said) = verify(&file, &["--genesis", &format!("0x{}", "11".repeat(32))]);
    assert_eq!(code, Some(1));
    assert!(said.contains("genesis header has the hash"), "{said}");
    let (code, said) = verify(&file, &["--chunk-file", &format!("0={}", path(&recording.join("chunk7.enc")))]);
    assert_eq!(code, Some(1));
    assert!(said.contains("altered or is another one"), "{said}");
    let stranger = DEV_ACCOUNTS[1].address().to_string();
    let (code, said) = verify(&file, &["--by", &stranger]);
    assert_eq!(code, Some(1));
    assert!(said.contains("not by"), "{said}");
}

fn genesis_hash(node: &DevNode) -> String {
    let info = block_on(async { node.client().chain_info().await.unwrap() });
    info.genesis_hash.to_string()
}

#[test]
fn a_flipped_bit_anywhere_in_a_proof_is_refused_with_a_message_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), 5, 1_000);
    let node = DevNode::start_in(&folder.path().join("chain"));
    let anchored = anchor(&node, &recording, &[]);
    let file = folder.path().join("proof.json");
    let session_id = anchored["session_id"].as_str().unwrap();
    assert!(
        run(&["session", "proof", "--rpc", node.url(), session_id, "--chunk", "2", "-o", path(&file)]).status.success()
    );
    let genesis = genesis_hash(&node);
    let proof: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();

    type Change = fn(&mut Value);
    let changes: [(&str, Change); 11] = [
        ("chunk", |p| flip(&mut p["chunks"][0]["leaf"])),
        ("path", |p| flip(&mut p["chunks"][0]["siblings"][0])),
        ("event", |p| {
            let leaf = p["receiptPath"].as_array_mut().unwrap().last_mut().unwrap();
            flip(leaf);
        }),
        ("receipt path", |p| flip(&mut p["receiptPath"][0])),
        ("log", |p| p["logIndex"] = 7.into()),
        ("header", |p| flip(&mut p["header"])),
        ("certificate", |p| flip(&mut p["certificate"]["signatures"][0]["signature"])),
        ("validator set", |p| flip(&mut p["chainSpec"]["validators"][0]["node"])),
        ("genesis", |p| flip(&mut p["genesisHeader"])),
        ("manifest", |p| p["manifest"]["totalSize"] = 4_999.into()),
        ("account", |p| flip(&mut p["account"])),
    ];
    let mut sentences: Vec<(&str, String)> = Vec::new();
    for (part, change) in changes {
        let mut forged = proof.clone();
        change(&mut forged);
        assert_ne!(forged, proof, "{part}");
        let other = folder.path().join("forged.json");
        fs::write(&other, forged.to_string()).unwrap();
        let (code, said) = verify(&other, &["--genesis", &genesis]);
        assert_eq!(code, Some(1), "{part}: {said}");
        // What stays of a message without its numbers is what the reader learns.
        let words: String = said.split_whitespace().filter(|word| !word.contains("0x")).collect::<Vec<_>>().join(" ");
        sentences.push((part, words));
    }
    let pairs = [("chunk", "path"), ("event", "receipt path"), ("header", "certificate"), ("validator set", "genesis")];
    for (one, other) in pairs {
        let of = |part: &str| &sentences.iter().find(|(name, _)| *name == part).unwrap().1;
        println!("{one}: {}\n{other}: {}", of(one), of(other));
    }
    let parts: std::collections::BTreeSet<_> = sentences.iter().map(|(_, words)| words.as_str()).collect();
    // A changed chunk and a changed neighbour both leave a path that does not lead to the root; everything else has
    // a sentence of its own.
    assert!(parts.len() >= sentences.len() - 2, "{sentences:#?}");
}

#[test]
fn an_own_key_and_owner_are_what_the_chain_records() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), 3, 100);
    let node = DevNode::start_in(&folder.path().join("chain"));
    let key_file = folder.path().join("own.key");
    create_key_file(&key_file, &DEV_ACCOUNTS[2].secret_key()).unwrap();
    let owner = DEV_ACCOUNTS[5].address().to_string();
    let id = "7f1c2d3e-4b5a-4c6d-8e7f-901234567890";
    let more = ["--key", path(&key_file), "--owner", &owner, "--session-id", id];
    let anchored = anchor(&node, &recording, &more);
    assert_eq!(anchored["session_id"], id);
    let session = block_on(async {
        node.client().session(id.parse().unwrap(), None).await.unwrap().expect("the session is known")
    });
    assert_eq!(session.account, DEV_ACCOUNTS[2].address());
    assert_eq!(session.owner_addr, DEV_ACCOUNTS[5].address());
    let file = folder.path().join("proof.json");
    assert!(run(&["session", "proof", "--rpc", node.url(), id, "-o", path(&file)]).status.success());
    let by = DEV_ACCOUNTS[2].address().to_string();
    assert_eq!(verify(&file, &["--by", &by]).0, Some(0));

    // The same chunks again, by the same account: its root is used.
    let args = ["session", "anchor", "--rpc", node.url(), "--key", path(&key_file), path(&recording)];
    let again = run(&args);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("LUCID_ERR_6006"), "{}", text(&again.stderr));
    // By the node's own account it is another registration, and nobody is kept from it.
    anchor(&node, &recording, &[]);
}

#[test]
fn the_demo_tells_its_story_and_keeps_serving() {
    let node = DevNode::start_demo();
    let story = node.banner().join("\n");
    for word in ["Chain ", "Session ", "Anchored ", "Proof ", "Verified ", "Refused ", "until Ctrl-C"] {
        assert!(story.contains(word), "{story}");
    }
    let page = block_on(async { node.client().sessions(&Default::default()).await.unwrap() });
    assert_eq!(page.sessions.len(), 1);
    assert!(node.interrupt().success());
}

/// A pipe would keep its reader waiting for a writer that never comes.
#[test]
fn a_pipe_in_place_of_a_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (code, said) = verify(&pipe, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("is not a regular file"), "{said}");
    let output = run(&["session", "anchor", "--meta", path(&pipe), path(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is not a regular file"), "{}", text(&output.stderr));
}
