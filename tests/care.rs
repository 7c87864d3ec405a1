//! The store is looked after: a backup made under load comes back elsewhere, and damage is told from health.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, eventually, fast_chain, lucid_node, run, send, text, transfer};
use alloy_primitives::{Address, B256, keccak256};
use lucid_node::{chain, keys::DEV_ACCOUNTS};
use lucid_rpc::Client;
use lucid_storage::{Direction, Options, Reader, Store, TableId};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `db` with `--json` and gives what it wrote.
fn db(args: &[&str]) -> Value {
    let output = run(&[&["db"], args, &["--json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs `db`, which has to fail with a code and a sentence.
fn refused(args: &[&str], code: i32, sentence: &str) -> Output {
    let output = run(&[&["db"], args].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(sentence), "{args:?}: {said}");
    output
}

/// A folder with a dev chain of a few blocks, whose node was stopped in order.
fn stopped_chain(folder: &Path) -> PathBuf {
    let datadir = folder.join("chain");
    let node = DevNode::start_in(&datadir);
    block_on(async {
        for nonce in 0..3 {
            send(&node.client(), &transfer(&DEV_ACCOUNTS[0], nonce, Address::with_last_byte(9))).await;
        }
    });
    assert!(node.interrupt().success());
    datadir
}

/// Anchors one small session and gives its id.
fn anchor(node: &DevNode, folder: &Path) -> String {
    let recording = folder.join("recording");
    fs::create_dir(&recording).unwrap();
    for index in 0..3 {
        fs::write(recording.join(format!("chunk-{index}")), format!("ciphertext {index}")).unwrap();
    }
    let output = run(&["session", "anchor", "--rpc", node.url(), "--json", path(&recording)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["session_id"].as_str().unwrap().to_owned()
}

fn proof(node: &DevNode, session: &str, file: &Path) -> Value {
    let output = run(&["session", "proof", "--rpc", node.url(), session, "--chunk", "1", "-o", path(file)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Sends transfers until it is told to stop; gives how many.
async fn load(client: &Client, stop: &AtomicBool) -> u64 {
    let mut nonce = 0;
    while !stop.load(Ordering::Relaxed) {
        send(client, &transfer(&DEV_ACCOUNTS[1], nonce, Address::with_last_byte(7))).await;
        nonce += 1;
    }
    nonce
}

#[test]
fn a_backup_is_checked_by_itself_and_what_is_not_named_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = stopped_chain(folder.path());
    let file = folder.path().join("backup.redb");
    refused(&["backup", "--datadir", path(&datadir), "-o", "/nosuch/b.redb"], 66, "there is no folder /nosuch");
    db(&["backup", "--datadir", path(&datadir), "-o", path(&file)]);
    let before = fs::read(&file).unwrap();
    assert_eq!(db(&["verify", path(&file)])["clean"], true);
    assert_eq!(fs::read(&file).unwrap(), before);
    refused(&["verify", path(&datadir)], 2, "--datadir");
    refused(&["verify", path(&folder.path().join("none"))], 66, "no store");
    let mut damaged = before.clone();
    let half = damaged.len() / 2;
    damaged[half..].fill(0x5a);
    fs::write(&file, damaged).unwrap();
    assert!(!run(&["db", "verify", path(&file)]).status.success());

    refused(&["backup"], 2, "--datadir DIR");
    refused(&["backup", "-o", path(&file)], 2, "-o FILE goes with --datadir");
    let node = DevNode::start();
    let with_variable = |args: &[&str]| {
        let output = lucid_node().arg("db").args(args).env("ON_SYSTEM_CHAIN_RPC", node.url()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let of_node = with_variable(&["stats"]);
    let of_folder = with_variable(&["stats", "--datadir", path(&datadir)]);
    assert!(of_node.contains("Head      block 0") && of_folder.contains("Head      block 3"), "{of_node} {of_folder}");
}

#[test]
fn a_backup_made_under_load_comes_back_elsewhere_with_head_balances_and_proofs() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let node = DevNode::start_in(&first);
    let session = anchor(&node, folder.path());
    // What a kill left of an earlier one.
    fs::create_dir_all(first.join("backups")).unwrap();
    fs::write(first.join("backups/lucid-00000001-1.redb.new"), "half").unwrap();

    let stop = AtomicBool::new(false);
    let (backup, sent) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| block_on(load(&node.client(), &stop)));
        let backup = db(&["backup", "--rpc", node.url()]);
        assert_eq!(db(&["verify", "--rpc", node.url()])["clean"], true);
        stop.store(true, Ordering::Relaxed);
        (backup, sender.join().unwrap())
    });
    assert!(sent > 0);
    let file = PathBuf::from(backup["path"].as_str().unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&file).unwrap().len(), backup["file_bytes"].as_u64().unwrap());
    assert_eq!(fs::read_dir(first.join("backups")).unwrap().count(), 1, "what a kill left is cleared away");

    let restored = db(&["restore", "--datadir", path(&second), path(&file)]);
    assert_eq!((&restored["head"], &restored["keys"]), (&backup["head"], &"missing".into()));
    assert_eq!(fs::metadata(second.join("lucid.redb")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(db(&["verify", "--datadir", path(&second)])["clean"], true);
    let stats = db(&["stats", "--datadir", path(&second)]);
    assert_eq!((&stats["head"], &stats["sequence"]), (&backup["head"], &backup["sequence"]));

    fs::create_dir(second.join("keys")).unwrap();
    fs::set_permissions(second.join("keys"), fs::Permissions::from_mode(0o700)).unwrap();
    for name in ["account.key", "consensus.key"] {
        fs::copy(first.join("keys").join(name), second.join("keys").join(name)).unwrap();
    }
    let copy = DevNode::start_in(&second);
    let height = backup["head"]["number"].as_u64().unwrap();
    let at = format!("{height:#x}");
    assert_eq!(copy.request("eth_blockNumber", ()), at);
    for account in [DEV_ACCOUNTS[1].address(), Address::with_last_byte(7)] {
        assert_eq!(copy.request("eth_getBalance", (account, "latest")), node.request("eth_getBalance", (account, &at)));
    }
    assert_eq!(
        copy.request("eth_getBlockByNumber", (&at, true)),
        node.request("eth_getBlockByNumber", (&at, true)),
        "the same head"
    );
    let (ours, theirs) = (folder.path().join("ours.json"), folder.path().join("theirs.json"));
    assert_eq!(proof(&copy, &session, &ours), proof(&node, &session, &theirs));
    let genesis = backup["genesis_hash"].as_str().unwrap();
    assert!(run(&["session", "verify", path(&ours), "--genesis", genesis]).status.success());
}

/// Keys without the file of what they have signed make no blocks: that file is no part of a backup.
#[test]
fn a_restored_node_serves_and_signs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = stopped_chain(folder.path());
    let file = folder.path().join("copy.redb");
    db(&["backup", "--datadir", path(&datadir), "-o", path(&file)]);
    let newer = DevNode::start_in(&datadir);
    block_on(async { send(&newer.client(), &transfer(&DEV_ACCOUNTS[0], 3, Address::ZERO)).await });
    assert!(newer.interrupt().success());
    fs::rename(datadir.join("lucid.redb"), folder.path().join("lost.redb")).unwrap();

    let restored = db(&["restore", "--datadir", path(&datadir), path(&file)]);
    assert_eq!((&restored["keys"], &restored["signed_height"]), (&"signed_above".into(), &4.into()));
    let node = DevNode::start_in(&datadir);
    block_on(async {
        let client = node.client();
        client.send_raw_transaction(&transfer(&DEV_ACCOUNTS[0], 3, Address::ZERO)).await.unwrap();
        eventually("the wait in the pool", || async {
            (client.pending_nonce(DEV_ACCOUNTS[0].address()).await.unwrap() == 4).then_some(())
        })
        .await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(client.block_number().await.unwrap(), 3);
    });
}

#[test]
fn a_damaged_index_is_a_finding_and_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = stopped_chain(folder.path());
    let store = Store::open(datadir.join("lucid.redb"), &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    let entry = batch.raw_prefix(TableId::TransactionsByHash, &[], Direction::Forward).unwrap().next();
    let entry = entry.unwrap().unwrap().0;
    batch.raw_remove(TableId::TransactionsByHash, entry);
    batch.raw_put(TableId::StorageSlots, [7; 52], [1]);
    store.commit(batch).unwrap();
    drop(store);
    let output = refused(&["verify", "--datadir", path(&datadir)], 1, "findings in");
    let said = text(&output.stdout);
    assert!(said.contains("has no entry in transactions.by_hash"), "{said}");
    assert!(said.contains("storage_slots"), "{said}");
    assert!(text(&output.stderr).contains("lucid-node db restore --datadir"));
    let output = refused(&["verify", "--datadir", path(&datadir), "--json"], 1, "findings in");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["clean"], false);
    assert_eq!(report["finding_count"], report["findings"].as_array().unwrap().len());
    // A backup of it can be made, for somebody may want to look at it, and is not put back.
    let file = folder.path().join("damaged.redb");
    db(&["backup", "--datadir", path(&datadir), "-o", path(&file)]);
    let other = folder.path().join("other");
    refused(&["restore", "--datadir", path(&other), path(&file)], 65, "is damaged and is not restored");
    assert!(!other.join("lucid.redb").exists());
}

/// A disk that gives back other bits than were written, and a file that was cut short.
#[test]
fn a_file_with_damaged_pages_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = stopped_chain(folder.path());
    let file = datadir.join("lucid.redb");
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    // The chain spec, in whatever pages it lies.
    for place in whole.windows(10).enumerate().filter(|(_, bytes)| bytes == b"slotOrigin").map(|(place, _)| place) {
        flipped[place] ^= 1;
    }
    assert!(flipped != whole);
    for damaged in [flipped.as_slice(), &whole[..whole.len() / 2], &whole[..100], b""] {
        fs::write(&file, damaged).unwrap();
        for command in ["verify", "backup"] {
            refused(&[command, "--datadir", path(&datadir)], 65, "put the last backup in its place");
        }
        let other = folder.path().join("other");
        let sentence = if damaged.is_empty() { "is not a store" } else { "is damaged" };
        refused(&["restore", "--datadir", path(&other), path(&file)], 65, sentence);
        assert!(!other.join("lucid.redb").exists());
        assert!(fs::read(&file).unwrap() == damaged, "it is left as it is");
    }
    assert_eq!(fs::read_dir(datadir.join("backups")).map_or(0, Iterator::count), 0);
}

#[test]
fn nothing_is_overwritten_and_nothing_strange_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = stopped_chain(folder.path());
    let (dir, taken) = (path(&datadir), folder.path().join("taken"));
    fs::write(&taken, "mine").unwrap();
    refused(&["backup", "--datadir", dir, "-o", path(&taken)], 73, "exists already");
    assert_eq!(fs::read(&taken).unwrap(), b"mine");
    let backup = db(&["backup", "--datadir", dir]);
    let file = backup["path"].as_str().unwrap();
    assert!(Path::new(file).starts_with(datadir.join("backups")));
    refused(&["restore", "--datadir", dir, file], 73, "is there already");
    // Of another chain, as the keys say, and as the chain spec says.
    let (keys, spec) = (folder.path().join("keys only"), folder.path().join("spec only"));
    assert!(run(&["key", "new", "--datadir", path(&keys)]).status.success());
    refused(&["restore", "--datadir", path(&keys), file], 65, "whose only validator is");
    assert!(run(&["init", "--datadir", path(&spec)]).status.success());
    fs::remove_file(spec.join("lucid.redb")).unwrap();
    refused(&["restore", "--datadir", path(&spec), file], 65, "describes another one");
    assert!(!keys.join("lucid.redb").exists() && !spec.join("lucid.redb").exists());

    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    refused(&["verify", "--datadir", path(&empty)], 66, "there is no store");
    refused(&["stats", "--datadir", path(&folder.path().join("nowhere"))], 66, "nowhere");
    refused(&["stats"], 2, "--datadir");
    refused(&["stats", "--datadir", dir, "--rpc", "http://127.0.0.1:1"], 2, "cannot be used with");
    refused(&["backup", "--rpc", "http://127.0.0.1:1", "-o", "x"], 2, "cannot be used with");
    refused(&["stats", "--rpc", "http://127.0.0.1:1"], 1, "cannot be reached");

    let node = DevNode::start_in(&datadir);
    for command in ["stats", "verify", "backup"] {
        refused(&[command, "--datadir", dir], 69, "A node runs on this folder");
    }
    let stats = db(&["stats", "--rpc", node.url(), "--sizes"]);
    let blocks = stats["tables"].as_array().unwrap().iter().find(|table| table["name"] == "blocks").unwrap();
    assert_eq!((&blocks["entries"], &stats["head"]["number"]), (&4.into(), &3.into()));
    assert!(blocks["stored_bytes"].as_u64().unwrap() > 4 * 500);
    assert_eq!(stats["since_start"]["commits"], 0);
    assert!(node.interrupt().success());
}

/// On a chain that is no development chain only the admin may have the node do it.
#[test]
fn a_running_chain_asks_for_the_admin_token() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, other) = (folder.path().join("chain"), folder.path().join("other"));
    fast_chain(&datadir);
    let node = DevNode::run_in(&datadir, &["--accept-clock"]);
    let tokens = datadir.join("tokens");
    let (admin, anchor) = (tokens.join("admin"), tokens.join("anchor"));
    for command in ["stats", "verify", "backup"] {
        refused(&[command, "--rpc", node.url()], 77, "Name its file with --token-file");
        refused(&[command, "--rpc", node.url(), "--token-file", path(&anchor)], 77, "LUCID_ERR_2004");
    }
    assert!(!datadir.join("backups").exists());
    let recording = folder.path().join("recording");
    fs::create_dir(&recording).unwrap();
    fs::write(recording.join("chunk-0"), "ciphertext").unwrap();
    let anchored = run(&["session", "anchor", "--rpc", node.url(), "--token-file", path(&anchor), path(&recording)]);
    assert!(anchored.status.success(), "{}", text(&anchored.stderr));
    let with_token = ["--rpc", node.url(), "--token-file", path(&admin)];
    let report = db(&[&["verify"], &with_token[..]].concat());
    assert_eq!((&report["clean"], report["blocks"].as_u64() > Some(1)), (&true.into(), true));
    let backup = db(&[&["backup"], &with_token[..]].concat());
    assert!(node.terminate().success());
    db(&["restore", "--datadir", path(&other), backup["path"].as_str().unwrap()]);
    assert_eq!(db(&["verify", "--datadir", path(&other)])["blocks"], report["blocks"]);
    assert!(fs::read(other.join("chain.json")).unwrap() == fs::read(datadir.join("chain.json")).unwrap());
}

/// Neither look nor backup touches the file: what a node opens afterwards is what it closed.
#[test]
fn care_leaves_a_killed_nodes_store_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("chain");
    let node = DevNode::start_in(&datadir);
    block_on(async { send(&node.client(), &transfer(&DEV_ACCOUNTS[0], 0, Address::ZERO)).await });
    node.kill();
    let file = datadir.join("lucid.redb");
    let before = fs::read(&file).unwrap();
    assert_eq!(db(&["verify", "--datadir", path(&datadir)])["clean"], true);
    db(&["stats", "--datadir", path(&datadir), "--sizes"]);
    let backup = db(&["backup", "--datadir", path(&datadir)]);
    assert!(fs::read(&file).unwrap() == before);
    let store = Store::open(backup["path"].as_str().unwrap(), &Options::default()).unwrap();
    assert_eq!(chain::read_head(&store.snapshot().unwrap()).unwrap().number, 1);
}

/// Everything that a store holds, in one digest.
fn contents(file: &Path) -> B256 {
    let (_, snapshot) = Store::inspect(file, &Options::default(), true).unwrap();
    let mut all = Vec::new();
    for table in TableId::ALL {
        let rows = snapshot.raw_prefix(table, &[], Direction::Forward).unwrap();
        all.extend(rows.flat_map(|row| {
            let (key, value) = row.unwrap();
            [&[table as u8], &key.len().to_be_bytes()[..], &key, &value].concat()
        }));
    }
    keccak256(all)
}

/// A stopped dev chain whose file has mostly holes.
pub(crate) fn chain_with_holes(folder: &Path) -> (PathBuf, PathBuf) {
    let datadir = stopped_chain(folder);
    let file = datadir.join("lucid.redb");
    let store = Store::open(&file, &Options::default()).unwrap();
    for rows in [40_000u32, 36_000] {
        let mut batch = store.begin().unwrap();
        for n in 0..rows {
            let key = [n.to_be_bytes(), [0xee; 4]].concat();
            // The second batch takes most of the first out again.
            match rows {
                40_000 => batch.raw_put(TableId::ConsensusLog, key, vec![n as u8; 900]),
                _ => batch.raw_remove(TableId::ConsensusLog, key),
            }
        }
        store.commit(batch).unwrap();
    }
    (datadir, file)
}

#[test]
fn a_compacted_store_is_smaller_and_its_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, file) = chain_with_holes(folder.path());
    let before = contents(&file);
    let size = || fs::metadata(&file).unwrap().len();
    let was = size();
    let compacted = db(&["compact", "--datadir", path(&datadir)]);
    assert_eq!((compacted["bytes_before"].as_u64(), compacted["bytes_after"].as_u64()), (Some(was), Some(size())));
    assert!(size() * 3 < was, "{compacted}");
    assert_eq!(compacted["path"], path(&file));
    assert!(contents(&file) == before);
    assert_eq!(db(&["verify", "--datadir", path(&datadir)])["clean"], true);
    let said = run(&["db", "compact", "--datadir", path(&datadir)]);
    assert!(text(&said.stdout).contains("written anew it would take no fewer"), "{}", text(&said.stdout));
    let node = DevNode::start_in(&datadir);
    refused(&["compact", "--datadir", path(&datadir)], 69, "A node runs on this folder");
    block_on(async { send(&node.client(), &transfer(&DEV_ACCOUNTS[0], 3, Address::ZERO)).await });
    assert!(node.interrupt().success());
    refused(&["compact", "--datadir", path(&folder.path().join("nowhere"))], 66, "there is no folder");
    refused(&["compact", "--datadir", path(folder.path())], 66, "there is no store");
}

/// The disk fills up in its midst, for which the limit that the system has on the size of a file stands in.
#[test]
fn a_compaction_without_room_leaves_the_store_and_nothing_beside_it() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        return println!("skipped: there is no prlimit here");
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (datadir, file) = chain_with_holes(folder.path());
    let before = fs::read(&file).unwrap();
    let mut command = Command::new("sh");
    // A write beyond the limit is an error, as on a full disk, where the signal is not taken.
    command.args(["-c", "trap '' XFSZ; exec prlimit --fsize=2000000: -- \"$@\"", "sh"]).arg(lucid_node().get_program());
    let output = command.args(["db", "compact", "--datadir", path(&datadir)]).env_remove("RUST_LOG").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("File too large"), "{said}");
    assert!(fs::read(&file).unwrap() == before);
    assert!(!datadir.join("lucid.redb.new").exists());
    db(&["compact", "--datadir", path(&datadir)]);
}

/// Killed at any moment: the store is as it was or as it is to be, and what was not finished goes when it is opened.
#[test]
fn a_killed_compaction_loses_nothing() {
    let rounds = std::env::var("LUCID_KILL_ROUNDS").map_or(25, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (datadir, file) = chain_with_holes(folder.path());
    let before = contents(&file);
    let with_holes = folder.path().join("with-holes");
    fs::copy(&file, &with_holes).unwrap();
    let compact = || {
        let mut command = lucid_node();
        command.args(["db", "compact", "--datadir", path(&datadir)]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let start = Instant::now();
    assert!(compact().wait().unwrap().success());
    let whole = start.elapsed();
    let unfinished = datadir.join("lucid.redb.new");
    let (mut under_way, mut done) = (0, 0);
    for round in 0..rounds {
        fs::copy(&with_holes, &file).unwrap();
        let mut child = compact();
        // Spread evenly, and a little beyond the end.
        thread::sleep(whole * (round * 7 % rounds + 1) / rounds * 11 / 10);
        child.kill().unwrap();
        child.wait().unwrap();
        under_way += u32::from(unfinished.exists());
        done += u32::from(fs::metadata(&file).unwrap().len() < fs::metadata(&with_holes).unwrap().len());
        assert!(contents(&file) == before, "round {round}");
        drop(Store::open(&file, &Options::default()).unwrap());
        assert!(!unfinished.exists(), "round {round}");
    }
    println!("{rounds} kills: {under_way} with a file that was not finished, {done} after its end");
    assert!(under_way > 0, "it was over before it was killed");
    assert_eq!(db(&["verify", "--datadir", path(&datadir)])["clean"], true);
    db(&["compact", "--datadir", path(&datadir)]);
    assert!(contents(&file) == before);
}
