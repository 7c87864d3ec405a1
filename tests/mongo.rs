//! The collections go to a live server, whatever is killed meanwhile, and only what is new the next time.
//!
//! The server is SecantusDB, which the tests install and start. `LUCID_MONGO_DOCUMENTS` says how many documents of each sharded
//! collection are exported, `LUCID_KILL_SEED` repeats the moments of the kills.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

mod proxy;
mod server;

use crate::support::{DevNode, block_on, lucid_node, run, send, text, transfer};
use alloy_primitives::{Address, B256, B512};
use lucid_node::keys::DEV_ACCOUNTS;
use lucid_storage::{
    ChunkKey, ChunkRecord, ChunkStatus, Chunks, Options, Store, TaskProofKey, TaskProofRecord, TaskProofType,
    TaskProofs, TaskValue,
};
use lucid_types::SessionId;
use proxy::Proxy;
use serde_json::{Value, json};
use server::{Server, scripts};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Output, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Documents of each sharded collection, unless told otherwise.
const DOCUMENTS: u64 = 10_000;

/// How often an export is killed.
const KILLS: u64 = 8;

/// Documents of each where the server is killed: some seconds of its time.
const FEWER_DOCUMENTS: u64 = 4_000;

/// Documents that are written to the store in one commit.
const COMMIT_DOCUMENTS: u64 = 2_000;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the tests need of a folder.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn datadir(&self) -> PathBuf {
        self.path("chain")
    }

    /// A file with a secret.
    fn secret(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A chain with so many documents of each sharded collection.
    fn make_chain(&self, documents: u64) {
        let node = DevNode::start_in(&self.datadir());
        block_on(async {
            for nonce in 0..3 {
                send(&node.client(), &transfer(&DEV_ACCOUNTS[0], nonce, Address::with_last_byte(9))).await;
            }
        });
        assert!(node.interrupt().success());
        for first in (0..documents).step_by(COMMIT_DOCUMENTS as usize) {
            self.write_documents(first..documents.min(first + COMMIT_DOCUMENTS));
        }
    }

    fn store(&self) -> Store {
        Store::open(self.datadir().join("lucid.redb"), &Options::default()).unwrap()
    }

    fn write_documents(&self, numbers: std::ops::Range<u64>) {
        let store = self.store();
        let mut batch = store.begin().unwrap();
        for number in numbers {
            let mut id = [7; 16];
            id[..8].copy_from_slice(&(number / 200).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let session_id = SessionId::from_bytes(id).unwrap();
            let key = ChunkKey { session_id, idx: (number % 200) as u32, account: Address::repeat_byte(3) };
            let chunk = ChunkRecord {
                local_path: (number % 3 > 0).then(|| format!("/srv/recordings/{number}.enc")),
                ciphertext_sha256: B256::left_padding_from(&number.to_be_bytes()),
                size_bytes: number << 20,
                status: ChunkStatus::Stored,
            };
            batch.put::<Chunks>(&key, &chunk).unwrap();
            let node_id = Address::left_padding_from(&(number % 100).to_be_bytes());
            let key = TaskProofKey { slot: number / 100, node_id, kind: TaskProofType::RelayBandwidth };
            let proof = TaskProofRecord {
                pool_id: None,
                value: TaskValue::Relay { bytes_transferred: number, sessions_relayed: 1 },
                sig: B512::repeat_byte(number as u8),
                ts: 1_767_225_600 + number,
            };
            batch.put::<TaskProofs>(&key, &proof).unwrap();
        }
        store.commit(batch).unwrap();
    }

    fn sequence(&self) -> u64 {
        self.store().snapshot().unwrap().sequence().unwrap()
    }

    /// Arguments of an export of this folder.
    fn export<'a>(&self, uri_file: &'a str, more: &[&'a str]) -> Vec<String> {
        let datadir = self.datadir();
        let fixed = ["export", "mongo", "--uri-file", uri_file, "--datadir", datadir.to_str().unwrap()];
        fixed.iter().chain(more).map(|argument| (*argument).to_owned()).collect()
    }

    /// Exports this folder, which has to go well, and gives what was written of each collection.
    fn exported(&self, uri_file: &str) -> Value {
        let output = run_all(&self.export(uri_file, &["--json"]));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let of = said["collections"].as_array().unwrap().iter();
        of.map(|of| (of["collection"].as_str().unwrap().to_owned(), of["documents"].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Holds what the server has against the files of an export of this folder.
    fn compare(&self, server: &Server, uri: &str) -> Value {
        let out = self.path("dump");
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
        let datadir = self.datadir();
        let dumped = run(&["export", "bson", "--datadir", datadir.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        assert!(dumped.status.success(), "{}", text(&dumped.stderr));
        server.ask_as(uri, "compare", &["lucid", out.join("lucid").to_str().unwrap()])
    }
}

fn run_all(arguments: &[String]) -> Output {
    lucid_node().args(arguments).output().unwrap()
}

/// Begins an export that goes on by itself.
fn begin(arguments: &[String]) -> Child {
    lucid_node().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A sequence of numbers that looks random and can be had again (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Waits for what the server has to say.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn an_export_that_is_killed_again_and_again_brings_every_document_and_then_nothing() {
    let site = Site::new();
    let test = "an_export_that_is_killed_again_and_again_brings_every_document_and_then_nothing";
    let Some(server) = Server::start(test, &site.path("server")) else { return };
    let documents = number("LUCID_MONGO_DOCUMENTS").unwrap_or(DOCUMENTS);
    site.make_chain(documents);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut seed = number("LUCID_KILL_SEED").unwrap_or(now);
    println!("LUCID_KILL_SEED={seed}");
    let proxy = Proxy::start(server.port());
    let uri_file = site.secret("uri", &proxy.uri());
    let (begun, mut kills) = (Instant::now(), 0);
    let updates = || proxy.counts().get("update").copied().unwrap_or_default();
    // Some are killed in their first moments, in which the store is opened and the target is looked at and marked, and the
    // others after so many commands that they get on: a page is five, and what it has is noted after two seconds.
    for round in 0..KILLS {
        let mut export = begin(&site.export(&uri_file, &[]));
        let until = updates() + if round % 2 == 0 { 0 } else { next(&mut seed) % (documents / 1_000) };
        while updates() < until && export.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(next(&mut seed) % 300));
        kills += u64::from(export.try_wait().unwrap().is_none());
        export.kill().unwrap();
        export.wait().unwrap();
    }
    let last = site.exported(&uri_file);
    let took = begun.elapsed();
    assert!(kills >= KILLS / 2, "{kills} exports were killed under way: too few to say anything");
    let counts = site.compare(&server, &server.uri());
    assert_eq!((&counts["chunks"], &counts["task_proofs"]), (&json!(documents), &json!(documents)));
    println!("{documents} documents of each in {} s over {kills} kills; the last export: {last}", took.as_secs());

    // Nothing is new: nothing goes to the server but questions, and nothing into the store.
    let (sequence, before) = (site.sequence(), proxy.counts());
    assert!(before["update"] > 0 && before["createIndexes"] > 0, "{before:?}");
    assert_eq!(site.exported(&uri_file), json!({}));
    assert_eq!(site.sequence(), sequence);
    let after = proxy.counts();
    let writes = |counts: &std::collections::BTreeMap<String, u64>| {
        let reads = ["hello", "isMaster", "ismaster", "find", "listCollections", "endSessions"];
        counts
            .iter()
            .filter(|(name, _)| !reads.contains(&name.as_str()))
            .map(|(n, c)| (n.clone(), *c))
            .collect::<Vec<_>>()
    };
    assert_eq!(writes(&after), writes(&before), "{after:?}");
    assert!(after["find"] > before["find"]);

    // Only what is new, and what has changed.
    site.write_documents(documents..documents + 3);
    assert_eq!(site.exported(&uri_file), json!({ "chunks": 3, "task_proofs": 3 }));
    site.compare(&server, &server.uri());
}

#[test]
fn an_export_goes_on_by_itself_where_the_server_is_killed_and_comes_back() {
    let site = Site::new();
    let test = "an_export_goes_on_by_itself_where_the_server_is_killed_and_comes_back";
    let Some(mut server) = Server::start(test, &site.path("server")) else { return };
    site.make_chain(FEWER_DOCUMENTS);
    let uri_file = site.secret("uri", &server.uri());
    let export = begin(&site.export(&uri_file, &[]));
    until("the first documents", || server.ask("count", &["lucid", "chunks"]).as_u64() > Some(500));
    server.kill();
    thread::sleep(Duration::from_secs(7));
    server.start_again();
    let output = export.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("tried again in"), "the server was gone and nobody noticed: {said}");
    let counts = site.compare(&server, &server.uri());
    assert_eq!(counts["chunks"], json!(FEWER_DOCUMENTS));
}

#[test]
fn what_was_dropped_or_is_of_another_past_is_written_again() {
    let site = Site::new();
    let test = "what_was_dropped_or_is_of_another_past_is_written_again";
    let Some(server) = Server::start(test, &site.path("server")) else { return };
    site.make_chain(20);
    let uri_file = site.secret("uri", &server.uri());
    assert_eq!(site.exported(&uri_file)["chunks"], 20);
    let backup = site.path("backup");
    fs::copy(site.datadir().join("lucid.redb"), &backup).unwrap();

    server.ask("drop", &["lucid", "chunks"]);
    assert_eq!(site.exported(&uri_file), json!({ "chunks": 20 }), "the collection alone");
    server.ask("drop", &["lucid"]);
    let whole = site.exported(&uri_file);
    assert!(whole["chunks"] == 20 && whole["blocks"] == 4 && whole["accounts"].as_u64() > Some(1), "{whole}");
    site.compare(&server, &server.uri());

    // What came after the backup changes documents that the store then has as they were before.
    site.write_documents(10..25);
    assert_eq!(site.exported(&uri_file), json!({ "chunks": 5, "task_proofs": 5 }), "the same rows are not new");
    fs::copy(&backup, site.datadir().join("lucid.redb")).unwrap();
    let output = run_all(&site.export(&uri_file, &[]));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("everything is written again"), "{said}");
    assert!(text(&output.stdout).contains("chunks"), "{}", text(&output.stdout));

    // Collections that nobody says are an export's may be another program's.
    server.ask("drop", &["lucid", "lucid_export"]);
    let output = run_all(&site.export(&uri_file, &[]));
    assert_eq!(output.status.code(), Some(65), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("with --adopt"), "{}", text(&output.stderr));
    let output = run_all(&site.export(&uri_file, &["--adopt"]));
    assert!(output.status.success() && text(&output.stdout).contains("chunks "), "{}", text(&output.stderr));

    // Documents of another chain, or in another form, do not go among those of this one.
    let output = run_all(&site.export(&uri_file, &["--hex"]));
    assert_eq!(output.status.code(), Some(65), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("name another with --database"), "{}", text(&output.stderr));
    let output = run_all(&site.export(&uri_file, &["--hex", "--database", "as-hex", "--collection", "chunks"]));
    assert!(output.status.success() && text(&output.stdout).starts_with("chunks "), "{}", text(&output.stdout));
}

#[test]
fn a_database_of_another_program_that_bears_no_index_is_left_as_it_was() {
    let site = Site::new();
    let test = "a_database_of_another_program_that_bears_no_index_is_left_as_it_was";
    let Some(server) = Server::start(test, &site.path("server")) else { return };
    site.make_chain(20);
    let uri_file = site.secret("uri", &server.uri());
    // The sessions of an older program, which have no account; its chunks could bear the indexes.
    let old = r#"[{"_id": "a", "sessionId": "1"}, {"_id": "b", "sessionId": "2"}]"#;
    server.ask("insert", &["lucid", "task_proofs", old]);
    server.ask("insert", &["lucid", "chunks", r#"[{"_id": "a", "session_id": "1", "idx": 1}]"#]);
    let before = server.ask("names", &["lucid"]);
    assert_eq!(before, json!({ "task_proofs": ["_id_"], "chunks": ["_id_"] }));
    for _ in 0..2 {
        let output = run_all(&site.export(&uri_file, &["--adopt"]));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(65), "{said}");
        for words in
            ["lucid.task_proofs", "slot_1_nodeId_1_type_1", "import-mongo", "No document was written", "--database"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(server.ask("names", &["lucid"]), before);
        assert_eq!(server.ask("count", &["lucid", "chunks"]), 1);
    }
    // And it is refused without --adopt as it was before.
    let output = run_all(&site.export(&uri_file, &[]));
    assert_eq!(output.status.code(), Some(65), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("with --adopt"), "{}", text(&output.stderr));

    server.ask("drop", &["lucid", "task_proofs"]);
    let output = run_all(&site.export(&uri_file, &["--adopt", "--json"]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(server.ask("count", &["lucid", "chunks"]), 21);
    assert_eq!(site.exported(&uri_file), json!({}));
}

#[test]
fn a_login_and_tls_are_asked_for_and_nothing_secret_is_said() {
    let site = Site::new();
    let test = "a_login_and_tls_are_asked_for_and_nothing_secret_is_said";
    let Some(mut server) = Server::start(test, &site.path("server")) else { return };
    site.make_chain(20);
    server.ask("user", &["lucid-export", "p@ss/word%1"]);
    let (tls, port) = (scripts().join("tls"), server.port());
    let file = |name: &str| tls.join(name).to_str().unwrap().to_owned();
    let host = |ca: &str| format!("localhost:{port}/?tls=true&tlsCAFile={}", file(ca));
    let login = "lucid%2Dexport:p%40ss%2Fword%251@";
    let uri = format!("mongodb://{login}{}", host("ca.pem"));

    // While the server has no TLS that is said at once, and is not waited for.
    let begun = Instant::now();
    let output = run_all(&site.export(&site.secret("uri", &uri), &[]));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("answers without TLS") && !said.contains("tried again"), "{said}");
    assert!(!said.contains("p@ss") && !said.contains("lucid-export"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(60), "it was tried again and again");

    let key = file("server.key");
    server.start_with(&["--auth", "--tls-cert-file", &file("server.pem"), "--tls-key-file", &key], &uri);

    let uri_file = site.secret("uri", &uri);
    assert_eq!(site.exported(&uri_file)["chunks"], 20);
    site.compare(&server, &uri);
    let uri_file = site.secret("uri", &format!("mongodb://{}", host("ca.pem")));
    let login_file = site.secret("login", "lucid-export\np@ss/word%1\n");
    let output = run_all(&site.export(&uri_file, &["--login-file", &login_file]));
    assert_eq!(
        (output.status.code(), &*text(&output.stdout)),
        (Some(0), "nothing is new\n"),
        "{}",
        text(&output.stderr)
    );

    let refused = |uri: &str, more: &[&str], code: i32, words: &str| {
        let begun = Instant::now();
        let output = run_all(&site.export(&site.secret("uri", uri), more));
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words) && said.contains("localhost:"), "{said}");
        for secret in ["p@ss", "p%40ss", "lucid-export", "lucid%2Dexport", "wrong-password"] {
            assert!(!said.contains(secret), "{secret} in: {said}");
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it was tried again and again");
    };
    refused(&format!("mongodb://lucid%2Dexport:wrong-password@{}", host("ca.pem")), &[], 77, "refuses the login");
    refused(&format!("mongodb://{}", host("ca.pem")), &["--json"], 77, "");
    refused(&format!("mongodb://{login}{}", host("other-ca.pem")), &["--json"], 78, "certificate");

    fs::set_permissions(&uri_file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = run_all(&site.export(&uri_file, &[]));
    assert_eq!((output.status.code(), text(&output.stderr).contains("chmod 600")), (Some(77), true));
}

#[test]
fn what_is_new_at_a_running_node_follows_until_it_is_asked_to_stop() {
    let site = Site::new();
    let test = "what_is_new_at_a_running_node_follows_until_it_is_asked_to_stop";
    let Some(server) = Server::start(test, &site.path("server")) else { return };
    let node = DevNode::start_in(&site.datadir());
    let uri_file = site.secret("uri", &server.uri());
    let through_node = ["export", "mongo", "--uri-file", &uri_file, "--rpc", node.url()];
    let output = run(&[&through_node[..], &["--collection", "blocks", "--json"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));

    let follow = [&through_node[..], &["--follow", "--interval-secs", "1"]].concat();
    let mut export = lucid_node().args(follow).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let recording = site.path("recording");
    fs::create_dir(&recording).unwrap();
    for index in 0..3 {
        fs::write(recording.join(format!("chunk-{index}")), format!("ciphertext {index}")).unwrap();
    }
    assert!(run(&["session", "anchor", "--rpc", node.url(), recording.to_str().unwrap()]).status.success());
    until("the chunks", || server.ask("count", &["lucid", "chunks"]) == 3);
    let account = &DEV_ACCOUNTS[0];
    block_on(async {
        send(&node.client(), &transfer(account, 0, Address::with_last_byte(9))).await;
    });
    until("the transfer", || server.ask("count", &["lucid", "transactions"]) == 3);
    assert!(export.try_wait().unwrap().is_none(), "it ended by itself");
    let stop = format!("kill -TERM {}", export.id());
    assert!(std::process::Command::new("sh").args(["-c", &stop]).status().unwrap().success());
    let output = export.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("following to 127.0.0.1:"), "{}", text(&output.stderr));

    // The way through the node and the way to its folder note the same.
    let output = run(&[&through_node[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(node.interrupt().success());
    assert_eq!(site.exported(&uri_file), json!({}));
    site.compare(&server, &server.uri());
}

#[test]
fn a_server_that_is_not_there_is_tried_again_and_a_wrong_file_is_not() {
    let site = Site::new();
    site.make_chain(1);
    let output = run_all(&site.export("/nowhere/uri", &[]));
    assert_eq!(output.status.code(), Some(66), "{}", text(&output.stderr));
    let output = run_all(&site.export(&site.secret("uri", "mongodb://lucid:secret"), &[]));
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.contains("secret")), (Some(78), false), "{said}");
    let mut export =
        begin(&site.export(&site.secret("uri", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200"), &[]));
    thread::sleep(Duration::from_secs(3));
    assert!(export.try_wait().unwrap().is_none(), "it gave up at once");
    export.kill().unwrap();
    let said = text(&export.wait_with_output().unwrap().stderr);
    assert!(said.matches("tried again in").count() > 1 && said.contains("127.0.0.1:9"), "{said}");
}

#[test]
fn what_was_exported_to_a_server_is_imported_from_it_as_it_was() {
    let site = Site::new();
    let Some(mut server) = Server::start("an import from a live server", &site.path("server")) else { return };
    site.make_chain(300);
    let uri_file = site.secret("uri", &server.uri());
    site.exported(&uri_file);
    let path = |name: &str| site.path(name).to_str().unwrap().to_owned();
    assert!(DevNode::start_in(&site.path("empty")).interrupt().success());
    let import = |from: &[&str]| {
        let into = path("empty");
        let output = run(&[&["import-mongo", "--json", "--datadir", &into], from].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let chunks = said["collections"].as_array().unwrap().iter().find(|of| of["collection"] == "chunks").unwrap();
        (chunks["added"].clone(), chunks["unchanged"].clone(), chunks["not_taken"].clone())
    };
    assert_eq!(import(&["--from", &server.uri()]), (300.into(), 0.into(), 0.into()));
    for (chain, out) in [("chain", "before"), ("empty", "after")] {
        let args = ["export", "bson", "--datadir", &path(chain), "--out", &path(out)];
        assert!(run(&args).status.success());
    }
    for name in ["chunks", "task_proofs"] {
        let of = |out: &str| fs::read(site.path(out).join(format!("lucid/{name}.bson"))).unwrap();
        assert!(!of("before").is_empty() && of("before") == of("after"), "{name}");
    }

    // What was imported goes to a server as well, and once.
    let again =
        ["export", "mongo", "--uri-file", &uri_file, "--datadir", &path("empty"), "--database", "again", "--json"];
    for expected in [Some(300), None] {
        let output = run(&again);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let chunks = said["collections"].as_array().unwrap().iter().find(|of| of["collection"] == "chunks");
        assert_eq!(chunks.map(|of| of["documents"].as_u64().unwrap()), expected, "{said}");
    }
    server.ask("compare", &["again", site.path("after").join("lucid").to_str().unwrap()]);

    // With a login, which is nowhere but in its file.
    server.ask("user", &["importer", "pa55word-of-it"]);
    let login = format!("mongodb://importer:pa55word-of-it@127.0.0.1:{}/", server.port());
    server.start_with(&["--auth"], &login);
    let uri_file = site.secret("login", &login);
    assert_eq!(import(&["--from-uri-file", &uri_file]), (0.into(), 300.into(), 0.into()));
    let refused = run(&["import-mongo", "--from", &server.uri(), "--datadir", &path("empty")]);
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && !said.contains("pa55word"), "{said}");
    server.kill();
    let gone = run(&["import-mongo", "--from-uri-file", &uri_file, "--datadir", &path("empty")]);
    let said = text(&gone.stderr);
    assert_eq!(gone.status.code(), Some(69), "{said}");
    assert!(!said.contains("pa55word"), "{said}");
}
