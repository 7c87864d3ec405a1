//! Documents of other databases come in, and go out again as they were: into a folder, through the node that has it, and
//! whatever is killed meanwhile.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, lucid_node, run, text};
use alloy_primitives::{Address, B256, B512};
use lucid_storage::{
    AnchoringStatus, Batch, ChunkKey, ChunkRecord, ChunkStatus, Chunks, Options, PayoutRecord, Payouts, SessionKey,
    SessionRecord, Sessions, Store, TaskProofKey, TaskProofRecord, TaskProofType, TaskProofs, TaskValue,
};
use lucid_types::SessionId;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

const COLLECTIONS: [&str; 4] = ["sessions", "chunks", "task_proofs", "payouts"];
const AT: u64 = 1_769_860_800;

fn command(args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(args);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What a command says that succeeds.
fn done(args: &[&str]) -> String {
    let (code, said, error) = command(args);
    assert_eq!(code, Some(0), "{args:?}: {error}");
    said
}

fn imported(args: &[&str]) -> Value {
    serde_json::from_str(&done(&[&["import-mongo", "--json"], args].concat())).unwrap()
}

/// What an import says of a collection.
fn of<'a>(said: &'a Value, collection: &str) -> &'a Value {
    let mut collections = said["collections"].as_array().unwrap().iter();
    collections.find(|of| of["collection"] == collection).unwrap()
}

/// A chain of its own that does not run.
fn chain(folder: &Path, name: &str) -> String {
    let datadir = folder.join(name);
    assert!(DevNode::start_in(&datadir).interrupt().success());
    datadir.to_str().unwrap().to_owned()
}

fn open(datadir: &str) -> Store {
    Store::open(Path::new(datadir).join("lucid.redb"), &Options::default()).unwrap()
}

fn sequence(datadir: &str) -> u64 {
    open(datadir).snapshot().unwrap().sequence().unwrap()
}

fn id(n: u32) -> SessionId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    SessionId::from_bytes(bytes).unwrap()
}

fn hash(n: u32) -> B256 {
    B256::from(alloy_primitives::U256::from(u64::from(n) + 1) << 17)
}

/// Documents of every collection that is imported, with values of every kind.
fn fill(batch: &mut Batch, chunks: u32) {
    let account = Address::repeat_byte(3);
    for n in 0..20 {
        let record = SessionRecord {
            owner_addr: Address::repeat_byte(n as u8),
            started_at: if n == 7 { u64::MAX } else { AT + u64::from(n) },
            ended_at: (n % 2 == 0).then_some(AT + 100),
            manifest_hash: hash(n),
            merkle_root: hash(n + 1),
            chunk_count: n,
            anchor_txid: (n % 3 == 0).then(|| hash(n + 2)),
            block_number: (n % 3 == 0).then_some(u64::MAX - u64::from(n)),
            gas_used: (n % 5 == 0).then_some(0),
            status: AnchoringStatus::ALL[n as usize % AnchoringStatus::ALL.len()],
        };
        batch.put::<Sessions>(&SessionKey { session_id: id(n), account }, &record).unwrap();
        let record = PayoutRecord {
            session_id: id(n),
            to_addr: format!("T{n}"),
            usdt_amount: if n == 3 { u64::MAX } else { u64::from(n) * 1_000_001 },
            router: "PayoutRouterKYC".to_owned(),
            reason: String::new(),
            txid: (n % 2 == 0).then(|| format!("tx{n}")),
            status: "pending".to_owned(),
            created_at: AT,
            kyc_hash: (n % 4 == 0).then(|| hash(n)),
            compliance_sig: (n % 4 == 1).then(String::new),
        };
        batch.put::<Payouts>(&format!("{}_T{n}", id(n)), &record).unwrap();
    }
    for idx in 0..chunks {
        let record = ChunkRecord {
            local_path: (idx % 2 == 0).then(|| format!("/data/{idx}")),
            ciphertext_sha256: hash(idx),
            size_bytes: idx.into(),
            status: ChunkStatus::ALL[idx as usize % ChunkStatus::ALL.len()],
        };
        batch.put::<Chunks>(&ChunkKey { session_id: id(idx % 3), idx, account }, &record).unwrap();
    }
    for slot in 0..60 {
        let (kind, value) = match slot % 3 {
            0 => (TaskProofType::RelayBandwidth, TaskValue::Relay { bytes_transferred: 5 << 60, sessions_relayed: 2 }),
            1 => (TaskProofType::StorageAvailability, TaskValue::Storage { chunks_stored: 7, size_bytes: u64::MAX }),
            _ => (TaskProofType::UptimeBeacon, TaskValue::Uptime { uptime_seconds: 120 }),
        };
        let key = TaskProofKey { slot, node_id: Address::repeat_byte(9), kind };
        let pool_id = (slot % 2 == 0).then(|| Address::repeat_byte(8));
        let record = TaskProofRecord { pool_id, value, sig: B512::repeat_byte(slot as u8), ts: AT + slot };
        batch.put::<TaskProofs>(&key, &record).unwrap();
    }
}

/// A chain with documents of its own.
fn filled_chain(folder: &Path, name: &str, chunks: u32) -> String {
    let datadir = chain(folder, name);
    let store = open(&datadir);
    let mut batch = store.begin().unwrap();
    fill(&mut batch, chunks);
    store.commit(batch).unwrap();
    datadir
}

/// The exported files of the four collections, with those of their indexes.
fn exported(folder: &Path, name: &str, kind: &[&str], place: [&str; 2]) -> Vec<Vec<u8>> {
    let out = folder.join(name);
    done(&[&["export"], kind, &["--out", out.to_str().unwrap()], &place].concat());
    let (inner, extension) = if kind[0] == "bson" { (out.join("lucid"), "bson") } else { (out, "jsonl") };
    let read = |path: PathBuf| fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<_> = COLLECTIONS.iter().map(|of| read(inner.join(format!("{of}.{extension}")))).collect();
    if extension == "bson" {
        files.extend(COLLECTIONS.iter().map(|of| read(inner.join(format!("{of}.metadata.json")))));
    }
    files
}

fn verify(datadir: &str) {
    let said = done(&["db", "verify", "--datadir", datadir, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["clean"], true, "{said}");
}

#[test]
fn what_is_exported_and_imported_into_an_empty_node_is_exported_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let first = filled_chain(folder.path(), "first", 2_500);
    let at_first = ["--datadir", &first];
    let plain = exported(folder.path(), "plain", &["bson"], at_first);
    let hex = exported(folder.path(), "hex", &["bson", "--hex"], at_first);
    let lines = exported(folder.path(), "lines", &["jsonl"], at_first);
    assert_ne!(plain, hex);

    // Into a folder.
    let second = chain(folder.path(), "second");
    let at_second = ["--datadir", &second];
    let from_plain = ["--from", &out("plain")];
    let said = imported(&[from_plain, at_second].concat());
    for (collection, documents) in [("sessions", 20), ("chunks", 2_500), ("task_proofs", 60), ("payouts", 20)] {
        let of = of(&said, collection);
        assert_eq!((&of["added"], &of["not_taken"]), (&documents.into(), &0.into()), "{said}");
    }
    assert_eq!(said["source"], "lucid");
    assert!(said["not_imported"].as_array().unwrap().iter().any(|name| name == "blocks"), "{said}");
    for (name, kind, files) in
        [("plain2", &["bson"][..], &plain), ("hex2", &["bson", "--hex"], &hex), ("lines2", &["jsonl"], &lines)]
    {
        assert_eq!(&exported(folder.path(), name, kind, at_second), files, "{name}");
    }
    // A second time nothing is written.
    let before = sequence(&second);
    let again = imported(&[from_plain, at_second].concat());
    assert_eq!((&of(&again, "chunks")["unchanged"], &of(&again, "chunks")["added"]), (&2_500.into(), &0.into()));
    assert_eq!(sequence(&second), before);
    verify(&second);
    // The own documents are what they were: none.
    assert_eq!(done(&["db", "count", "chunks", at_second[0], at_second[1]]), "0\n");
    assert_eq!(done(&["db", "count", "chunks", "--source", "lucid", at_second[0], at_second[1]]), "2500\n");
    let sources: Value = serde_json::from_str(&done(&["db", "sources", "--json", at_second[0], at_second[1]])).unwrap();
    assert_eq!(sources[0]["documents"]["payouts"], 20);

    // Through a node, from hex text, beside what the node itself has.
    let third = filled_chain(folder.path(), "third", 10);
    let node = DevNode::start_in(Path::new(&third));
    let at_node = ["--rpc", node.url()];
    let said = imported(&[&["--from", &out("hex"), "--source", "old.pi"], &at_node[..]].concat());
    assert_eq!(of(&said, "chunks")["added"], 2_500);
    let said = done(&["export", "bson", "--out", &out("third1"), "--json", at_node[0], at_node[1]]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let chunks = of(&said, "chunks");
    assert_eq!(
        (&chunks["documents"], &chunks["imported"], &chunks["left_out"]),
        (&2_500.into(), &2_490.into(), &10.into())
    );
    let found = done(&["db", "find", "chunks", r#"{"idx": 2499}"#, "--source", "old.pi", at_node[0], at_node[1]]);
    assert_eq!(found.lines().count(), 1);
    let (code, _, error) = command(&["db", "find", "chunks", "--source", "other", at_node[0], at_node[1]]);
    assert!(code == Some(1) && error.contains("there are old.pi"), "{error}");
    assert!(node.interrupt().success());
    let of_file = exported(folder.path(), "third2", &["bson"], ["--datadir", &third]);
    assert_eq!(of_file[1], fs::read(folder.path().join("third1/lucid/chunks.bson")).unwrap());
}

/// A BSON document of texts and numbers.
struct Bson(Vec<u8>);

impl Bson {
    fn new() -> Self {
        Self(vec![0; 4])
    }

    fn named(mut self, kind: u8, name: &str) -> Self {
        self.0.push(kind);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self
    }

    fn text(self, name: &str, text: &str) -> Self {
        let mut document = self.named(2, name);
        document.0.extend_from_slice(&(text.len() as i32 + 1).to_le_bytes());
        document.0.extend_from_slice(text.as_bytes());
        document.0.push(0);
        document
    }

    fn int(self, name: &str, number: i64) -> Self {
        let mut document = self.named(18, name);
        document.0.extend_from_slice(&number.to_le_bytes());
        document
    }

    fn done(mut self) -> Vec<u8> {
        self.0.push(0);
        let len = (self.0.len() as i32).to_le_bytes();
        self.0[..4].copy_from_slice(&len);
        self.0
    }
}

/// A chunk as the older programs wrote it.
fn old_chunk(idx: u32) -> Vec<u8> {
    let document = Bson::new().text("_id", &format!("{}_{idx:03}", id(1))).text("session_id", &id(1).to_string());
    let document = document.int("idx", idx.into()).text("local_path", &format!("/data/{idx}"));
    document.text("ciphertext_sha256", &format!("{:x}", hash(idx))).int("size_bytes", 4_096).done()
}

/// A dump with one file of chunks.
fn dump(folder: &Path, name: &str, chunks: &[u8]) -> String {
    let database = folder.join(name).join("lucid_db");
    fs::create_dir_all(&database).unwrap();
    fs::write(database.join("chunks.bson"), chunks).unwrap();
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn each_document_is_taken_or_listed_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let bad = Bson::new().text("_id", "bad").text("session_id", "session_1").int("idx", 1).done();
    let other = {
        // Another document with the key of the first.
        let document = Bson::new().text("_id", "other").text("session_id", &id(1).to_string()).int("idx", 0);
        document.text("ciphertext_sha256", &"ab".repeat(32)).int("size_bytes", 1).done()
    };
    let mut broken = old_chunk(9);
    broken[4] = 0x7e;
    let before_other = [old_chunk(0), bad, old_chunk(1)].concat();
    let other_begins = before_other.len();
    let chunks = [before_other, other, broken, old_chunk(2)].concat();
    let from = dump(folder.path(), "dump", &chunks);
    fs::write(Path::new(&from).join("lucid_db/users.bson"), []).unwrap();
    let datadir = chain(folder.path(), "chain");
    let report = folder.path().join("report.jsonl");
    let args = ["--from", &from, "--datadir", &datadir];

    let dry = imported(&["--from", &from, "--dry-run"]);
    assert_eq!((&of(&dry, "chunks")["readable"], &of(&dry, "chunks")["not_taken"]), (&4.into(), &2.into()), "{dry}");

    let said = imported(&[&args[..], &["--report", report.to_str().unwrap()]].concat());
    let chunks = of(&said, "chunks");
    assert_eq!((&chunks["documents"], &chunks["added"], &chunks["not_taken"]), (&6.into(), &3.into(), &3.into()));
    assert_eq!((&said["source"], &said["not_imported"][0]), (&"lucid_db".into(), &"users".into()));
    let lines = fs::read_to_string(&report).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    let reason_of = |id: &str| lines.iter().find(|line| line["_id"] == id).unwrap()["reason"].as_str().unwrap_or("");
    assert_eq!(reason_of("bad"), "session_id is \"session_1\", and must be a UUID");
    let other = reason_of("other");
    assert!(other.starts_with("another document of lucid_db is known here as"), "{other}");
    let offset = lines.iter().find(|line| line["_id"] == "other").unwrap()["offset"].as_u64().unwrap();
    assert_eq!(offset, other_begins as u64, "{lines:#?}");
    let nameless: Vec<_> = lines.iter().filter(|line| line["_id"].is_null()).collect();
    let [nameless] = nameless[..] else { panic!("{lines:#?}") };
    assert!(nameless["reason"].as_str().unwrap().starts_with("it is no BSON document"), "{nameless}");
    assert!(nameless["offset"].as_u64().unwrap() > 0, "{nameless}");
    assert_eq!(lines.iter().filter(|line| line["taken"] == "added").count(), 3);

    // The first of two stays, however often it is done; a report takes the place of an earlier one, and of nothing else.
    let before = sequence(&datadir);
    let (code, said, error) = command(&[&["import-mongo", "--strict"], &args[..]].concat());
    assert_eq!(code, Some(65), "{error}");
    assert!(said.contains("0 added, 0 changed, 3 unchanged, 3 not taken"), "{said}");
    assert!(error.contains("chunks: bad is not taken") && error.contains("3 documents were not taken"), "{error}");
    assert_eq!(sequence(&datadir), before);
    let with_report =
        |report: &Path| command(&[&["import-mongo", "--report", report.to_str().unwrap()], &args[..]].concat());
    let (code, _, error) = with_report(&report);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(fs::read_to_string(&report).unwrap().lines().count(), 6);
    let mine = report.with_file_name("mine");
    fs::write(&mine, "mine").unwrap();
    let (code, _, error) = with_report(&mine);
    assert!(code == Some(73) && error.contains("is no report of an import"), "{error}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    let (code, _, error) = command(&["import-mongo", "--from", "mongodb://me:secret@host/", "--dry-run"]);
    assert!(code == Some(2) && error.contains("--from-uri-file") && !error.contains("secret"), "{error}");
    let (code, _, error) = command(&["import-mongo", "--from", &datadir, "--dry-run"]);
    assert!(code == Some(66) && error.contains("has no sessions.bson"), "{error}");
    verify(&datadir);
}

#[test]
fn of_a_file_that_is_cut_all_before_the_cut_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut chunks: Vec<u8> = (0..1_500).flat_map(old_chunk).collect();
    chunks.truncate(chunks.len() - 7);
    let from = dump(folder.path(), "dump", &chunks);
    let sessions = Bson::new().text("_id", "x").done();
    fs::write(Path::new(&from).join("lucid_db/sessions.bson"), sessions).unwrap();
    let datadir = chain(folder.path(), "chain");
    let (code, said, error) = command(&["import-mongo", "--from", &from, "--datadir", &datadir]);
    assert_eq!(code, Some(65), "{error}");
    assert!(error.contains("chunks.bson is damaged at byte") && error.contains("ends after"), "{error}");
    assert!(said.contains("1499 added, 0 changed"), "{said}");
    assert_eq!(done(&["db", "count", "chunks", "--source", "lucid_db", "--datadir", &datadir]), "1499\n");
    // Mended, it goes on.
    dump(folder.path(), "dump", &(0..1_500).flat_map(old_chunk).collect::<Vec<_>>());
    let said = imported(&["--from", &from, "--datadir", &datadir]);
    assert_eq!((&of(&said, "chunks")["added"], &of(&said, "chunks")["unchanged"]), (&1.into(), &1_499.into()));
    verify(&datadir);
}

/// The limit that the system has on the size of a file stands in for the disk.
#[test]
fn an_import_that_finds_no_room_says_how_many_documents_are_on_disk() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        return println!("skipped: there is no prlimit here");
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let from = dump(folder.path(), "dump", &(0..12_000).flat_map(old_chunk).collect::<Vec<_>>());
    let datadir = chain(folder.path(), "chain");
    let bytes = fs::metadata(Path::new(&datadir).join("lucid.redb")).unwrap().len() + (2 << 20);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec prlimit --fsize=\"$0\": -- \"$@\"", &bytes.to_string()]);
    command.arg(lucid_node().get_program()).args(["import-mongo", "--from", &from, "--datadir", &datadir]);
    let output = command.output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{error}");
    let said = error.lines().find_map(|line| line.split_once(" documents of lucid_db were written before that"));
    let written: u64 = said.unwrap_or_else(|| panic!("{error}")).0.parse().unwrap();
    assert!((1_000..12_000).contains(&written) && written.is_multiple_of(1_000), "{error}");
    assert!(error.contains("no room") && !error.contains("nothing was written"), "{error}");
    let count = done(&["db", "count", "chunks", "--source", "lucid_db", "--datadir", &datadir]);
    assert_eq!(count, format!("{written}\n"));
    let said = imported(&["--from", &from, "--datadir", &datadir]);
    assert_eq!(
        (&of(&said, "chunks")["added"], &of(&said, "chunks")["unchanged"]),
        (&(12_000 - written).into(), &written.into())
    );
    verify(&datadir);
}

/// Begins an import and kills it after a while; says whether it had ended by itself.
fn killed_after(args: &[&str], millis: u64) -> bool {
    let mut command = lucid_node();
    command.arg("import-mongo").args(args).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    thread::sleep(Duration::from_millis(millis));
    let ended = child.try_wait().unwrap().is_some();
    // Where it has ended already, this fails, and that is well.
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

#[test]
fn an_import_that_is_killed_goes_on_where_it_was() {
    const DOCUMENTS: u32 = 12_000;
    let folder = tempfile::tempdir().unwrap();
    let from = dump(folder.path(), "dump", &(0..DOCUMENTS).flat_map(old_chunk).collect::<Vec<_>>());
    let whole = chain(folder.path(), "whole");
    imported(&["--from", &from, "--datadir", &whole]);
    let wanted = done(&[
        "export",
        "jsonl",
        "--out",
        folder.path().join("w").to_str().unwrap(),
        "--collection",
        "chunks",
        "--datadir",
        &whole,
    ]);
    assert!(wanted.contains(&DOCUMENTS.to_string()), "{wanted}");
    let wanted = fs::read(folder.path().join("w/chunks.jsonl")).unwrap();

    let check = |datadir: &str, name: &str| {
        let said = imported(&["--from", &from, "--datadir", datadir]);
        let chunks = of(&said, "chunks");
        let (added, unchanged) = (chunks["added"].as_u64().unwrap(), chunks["unchanged"].as_u64().unwrap());
        assert_eq!((added + unchanged, &chunks["changed"]), (DOCUMENTS.into(), &0.into()), "{said}");
        let out = folder.path().join(name);
        done(&["export", "jsonl", "--out", out.to_str().unwrap(), "--collection", "chunks", "--datadir", datadir]);
        assert!(fs::read(out.join("chunks.jsonl")).unwrap() == wanted, "{name} has other documents");
        verify(datadir);
        unchanged
    };

    // On the folder.
    let datadir = chain(folder.path(), "killed");
    let mut part = 0;
    for millis in [50, 150, 300, 500, 800] {
        killed_after(&["--from", &from, "--datadir", &datadir], millis);
        let count = command(&["db", "count", "chunks", "--source", "lucid_db", "--datadir", &datadir]);
        let count: u64 = count.1.trim().parse().unwrap_or(0);
        assert!(
            count >= part && count.is_multiple_of(1_000),
            "{count} documents, and {part} before: half of a batch is there"
        );
        part = count;
    }
    check(&datadir, "k1");

    // Through the node: first the command is killed, then the node.
    let datadir = chain(folder.path(), "node");
    let node = DevNode::start_in(Path::new(&datadir));
    killed_after(&["--from", &from, "--rpc", node.url()], 400);
    let mut command = lucid_node();
    command.args(["import-mongo", "--from", &from, "--rpc", node.url()]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    thread::sleep(Duration::from_millis(400));
    node.kill();
    let ended = child.wait().unwrap();
    let taken = check(&datadir, "k2");
    assert!(!ended.success() || taken == u64::from(DOCUMENTS), "it was answered as done, and is not there");
}
