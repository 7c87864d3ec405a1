//! A recorded session on its way to an anchor and to a proof that a stranger checks.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, eventually, fast_chain, lucid_node, run, text};
use lucid_node::keys::{DEV_ACCOUNTS, create_key_file};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
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
        ("validator set", |p| flip(&mut p["chainSpec"]["validators"][0]["operator"])),
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
    let said = refused(&args);
    assert!(said.contains("LUCID_ERR_6006") && said.contains(id) && said.contains(&by), "{said}");
    // By the node's own account it is another registration, and nobody is kept from it. Then the id alone names two.
    let by_node = anchor(&node, &recording, &["--session-id", id]);
    let said = refused(&["session", "proof", "--rpc", node.url(), id, "--force", "-o", path(&file)]);
    for word in [&by, by_node["account"].as_str().unwrap(), "--account"] {
        assert!(said.to_lowercase().contains(&word.to_lowercase()), "{word}: {said}");
    }
    let args = ["session", "proof", "--rpc", node.url(), id, "--account", &by, "--force", "-o", path(&file)];
    assert!(run(&args).status.success());
    let status = output(&["session", "status", "--rpc", node.url(), id, "--account", &by]);
    assert!(status.contains("confirmed") && status.contains("in block 1"), "{status}");
    let status_of = |account: &str| refused(&["session", "status", "--rpc", node.url(), id, "--account", account]);
    let other = status_of("0x0000000000000000000000000000000000000012");
    assert!(other.contains("has no session") && other.contains(&by), "{other}");
    let misread = run(&["session", "status", "--rpc", node.url(), id, "--account", "0x12"]);
    assert_eq!(misread.status.code(), Some(2));
    assert!(text(&misread.stderr).contains("40 hexadecimal digits"), "{}", text(&misread.stderr));
}

/// Runs a command line that must fail with exit code 1, and gives what it said.
fn refused(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

/// Runs a command line that must succeed, and gives its output.
fn output(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn sessions_are_listed_and_each_tells_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), 3, 100);
    let datadir = folder.path().join("chain");
    // No block for an hour, so that the anchoring waits.
    let node = DevNode::start_in_with(&datadir, &["--block-time", "3600"]);
    let list = |node: &DevNode, more: &[&str]| output(&[&["session", "list", "--rpc", node.url()], more].concat());
    assert_eq!(list(&node, &[]), "");
    let anchored = anchor(&node, &recording, &["--no-wait"]);
    let id = anchored["session_id"].as_str().unwrap();
    assert!(list(&node, &[]).contains(id) && list(&node, &["--status", "confirmed"]).is_empty());
    let status = output(&["session", "status", "--rpc", node.url(), id]);
    assert!(status.contains("in no block yet") && status.contains("for the next block"), "{status}");
    let said = refused(&["session", "retry", "--rpc", node.url(), id]);
    assert!(said.contains("only a failed or expired one is begun again"), "{said}");
    node.kill();

    let node = DevNode::start_in(&datadir);
    let confirmed = || {
        let status = output(&["session", "status", "--rpc", node.url(), id, "--json"]);
        serde_json::from_str::<Value>(&status).unwrap()
    };
    let status = block_on(eventually("the anchor", async || {
        let status = confirmed();
        (status["status"] == "confirmed").then_some(status)
    }));
    assert_eq!((&status["block_number"], &status["slots_to_wait"]), (&1.into(), &Value::Null));
    // The chunks may come a block after the registration.
    assert!(status["transactions"][1]["block_number"].is_u64() && status["retryable"] == false, "{status}");
    let listed: Value = serde_json::from_str(&list(&node, &["--status", "confirmed", "--json"])).unwrap();
    assert_eq!(listed[0]["session_id"], id);
    let account = "0x0000000000000000000000000000000000000012";
    let said = refused(&["session", "status", "--rpc", node.url(), id, "--account", account]);
    let registered = format!("{} has registered it", anchored["account"].as_str().unwrap());
    assert!(said.to_lowercase().contains(&registered), "{said}");
    let stranger = "7f1c2d3e-4b5a-4c6d-8e7f-901234567890";
    assert!(refused(&["session", "status", "--rpc", node.url(), stranger]).contains("session list"));
    assert!(refused(&["session", "retry", "--rpc", node.url(), stranger]).contains("was not asked to anchor"));
}

/// Each sentence names what the user gave and what he can do.
#[test]
fn what_a_user_gets_wrong_is_said_in_his_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), 2, 100);
    let node = DevNode::start_in(&folder.path().join("chain"));
    let id = anchor(&node, &recording, &[])["session_id"].as_str().unwrap().to_owned();

    let poor = DEV_ACCOUNTS[0].secret_key();
    let poor = lucid_node::keys::SecretKey::from_bytes(&blake3::hash(poor.address().as_slice()).into()).unwrap();
    let key_file = folder.path().join("k.key");
    create_key_file(&key_file, &poor).unwrap();
    let said = refused(&["session", "anchor", "--rpc", node.url(), "--key", path(&key_file), path(&recording)]);
    assert!(said.contains(&poor.address().to_string()) && said.contains("has 0.0"), "{said}");

    let (code, said) = verify(&key_file, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains(path(&key_file)) && said.contains("session proof") && said.contains("JSON object"), "{said}");
    let meta = folder.path().join("meta.json");
    fs::write(&meta, "{\n  \"codec\": h264\n}").unwrap();
    let said = refused(&["session", "anchor", "--rpc", node.url(), "--meta", path(&meta), path(&recording)]);
    assert!(said.contains(path(&meta)) && said.contains("line 2"), "{said}");
    let nowhere = "/nosuch/proof.json";
    let output = run(&["session", "proof", "--rpc", node.url(), &id, "-o", nowhere]);
    assert_eq!(output.status.code(), Some(66));
    let said = text(&output.stderr);
    assert!(said.contains(nowhere) && said.contains("no folder /nosuch") && !said.contains(".tmp"), "{said}");
    let url = node.url().to_owned();
    node.kill();
    let said = refused(&["session", "list", "--rpc", &url]);
    assert!(["lucid-node run --datadir", "lucid-node dev", "--rpc"].iter().all(|hint| said.contains(hint)), "{said}");
}

#[test]
fn a_verdict_has_the_manifest_and_a_form_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), 2, 100);
    let meta = folder.path().join("meta.json");
    fs::write(&meta, r#"{"codec": "h264", "recorderVersion": "1.4.2\u001b[2J", "startedAt": 1704067200}"#).unwrap();
    let node = DevNode::start_in(&folder.path().join("chain"));
    let id = anchor(&node, &recording, &["--meta", path(&meta)])["session_id"].as_str().unwrap().to_owned();
    let file = folder.path().join("proof.json");
    output(&["session", "proof", "--rpc", node.url(), &id, "--chunk", "1", "-o", path(&file)]);
    let (_, said) = verify(&file, &[]);
    assert!(said.contains("h264") && said.contains("1.4.2") && said.contains("2024-01-01T00:00:00Z"), "{said}");
    assert!(!said.contains('\u{1b}'), "the terminal obeys nobody's manifest: {said}");

    let chunk = format!("1={}", path(&recording.join("chunk1.enc")));
    let verdict = output(&["session", "verify", path(&file), "--json", "--chunk-file", &chunk]);
    let verdict: Value = serde_json::from_str(&verdict).unwrap();
    assert_eq!((&verdict["valid"], &verdict["anchor"]["session_id"]), (&true.into(), &id.as_str().into()));
    assert_eq!((&verdict["manifest"]["codec"], &verdict["chunk_files"][0]), (&"h264".into(), &1.into()));
    let stranger = DEV_ACCOUNTS[1].address().to_string();
    let refused = run(&["session", "verify", path(&file), "--json", "--by", &stranger]);
    assert_eq!(refused.status.code(), Some(1));
    let verdict: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert!(verdict["valid"] == false && verdict["reason"].as_str().unwrap().contains("not by"), "{verdict}");
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

/// What the node has taken is on its disk, whatever becomes of the node.
#[test]
fn who_waits_for_a_node_that_stops_is_told_that_the_anchoring_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), 2, 100);
    let node = DevNode::start_in_with(&folder.path().join("chain"), &["--block-time", "3600"]);
    let mut command = lucid_node();
    command.args(["session", "anchor", "--rpc", node.url(), path(&recording)]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let id = lines.next().unwrap().split([' ', ':']).nth(1).unwrap().to_owned();
    assert!(node.terminate().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let rest = lines.collect::<Vec<_>>().join("\n");
    assert!(rest.contains("is kept") && rest.contains(&format!("session status {id}")), "{rest}");
    assert!(!rest.contains("lucid-node dev"), "{rest}");
}

/// The node serves and seals nothing: without a word its user would wait for ever.
#[test]
fn who_waits_for_a_node_that_makes_no_blocks_is_told_why_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, recording) = (folder.path().join("node"), record(folder.path(), 2, 100));
    fast_chain(&datadir);
    fs::remove_file(datadir.join("keys/highest-signed")).unwrap();
    let node = DevNode::run_in(&datadir, &["--accept-clock"]);
    let token = datadir.join("tokens/anchor");
    let mut command = lucid_node();
    command.args(["session", "anchor", "--rpc", node.url(), "--token-file", path(&token), path(&recording)]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let first = lines.next().unwrap();
    let id = first.split([' ', ':']).nth(1).unwrap().to_owned();
    let reason = lines.next().unwrap();
    assert!(reason.contains("makes no blocks") && reason.contains("--accept-restored"), "{reason}");

    let status = run(&["session", "status", "--rpc", node.url(), &id, "--json"]);
    assert!(text(&status.stderr).contains("makes no blocks"), "{}", text(&status.stderr));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status["sealing_stop"].as_str().unwrap().contains("--accept-restored"), "{status}");

    let interrupt = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let rest: Vec<String> = lines.collect();
    assert!(rest.last().unwrap().contains(&format!("session status {id}")), "{rest:?}");
    assert_eq!(rest.iter().filter(|line| line.contains("makes no blocks")).count(), 0, "it is told once: {rest:?}");
    assert!(node.terminate().success());

    // It went on: the next run seals, and there is nothing more to say.
    let node = DevNode::run_in(&datadir, &["--accept-clock", "--accept-restored"]);
    block_on(eventually("the anchor", async || {
        let session = node.client().session(id.parse().unwrap(), None).await.unwrap().unwrap();
        (session.status == lucid_storage::AnchoringStatus::Confirmed).then_some(())
    }));
    let status = run(&["session", "status", "--rpc", node.url(), &id]);
    assert_eq!(text(&status.stderr), "");
}

#[test]
fn a_file_in_place_of_a_folder_and_a_proof_in_the_place_of_another_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let recording = record(folder.path(), 1, 100);
    let node = DevNode::start_in(&folder.path().join("chain"));
    let id = anchor(&node, &recording, &[])["session_id"].as_str().unwrap().to_owned();
    let chunk = recording.join("chunk0.enc");
    let output = run(&["session", "anchor", "--rpc", node.url(), path(&chunk)]);
    assert_eq!(output.status.code(), Some(66));
    assert!(text(&output.stderr).contains("is a file; name the folder"), "{}", text(&output.stderr));
    let prove =
        |more: &[&str]| run(&[&["session", "proof", "--rpc", node.url(), &id, "-o", path(&chunk)], more].concat());
    let before = fs::read(&chunk).unwrap();
    let refused = prove(&[]);
    assert_eq!(refused.status.code(), Some(73));
    assert!(text(&refused.stderr).contains("--force"), "{}", text(&refused.stderr));
    assert_eq!(fs::read(&chunk).unwrap(), before);
    assert!(prove(&["--force"]).status.success());
    assert_ne!(fs::read(&chunk).unwrap(), before);
    for (args, words) in [
        (vec!["session", "list", "--limit", "0"], "from 1 on"),
        (vec!["session", "verify", path(&chunk), "--genesis", "0x12"], "64 hexadecimal digits"),
        (vec!["session", "list", "--rpc", "127.0.0.1:8545"], "http://127.0.0.1:8545"),
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(words), "{args:?}: {}", text(&output.stderr));
    }
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
