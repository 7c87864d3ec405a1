//! What was imported from a source is removed again: from a folder, through a running node, and whatever is killed meanwhile;
//! and nothing else is gone.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, lucid_node, run, send, text, transfer};
use alloy_primitives::{Address, B256};
use lucid_node::keys::DEV_ACCOUNTS;
use lucid_storage::{
    ChunkKey, ChunkRecord, ChunkStatus, Chunks, Direction, DocumentId, Options, PayoutRecord, Payouts, Reader, Store,
    TableId, import_sources,
};
use lucid_types::SessionId;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

/// Documents of a source, whose removal takes a test build a second or so.
const CHUNKS: u32 = 12_000;
const PAYOUTS: u32 = 500;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn open(datadir: &Path) -> Store {
    Store::open(datadir.join("lucid.redb"), &Options::default()).unwrap()
}

/// A folder with a dev chain that does not run, and with documents of the sources `a` and `b`.
fn chain(folder: &Path) -> PathBuf {
    let datadir = folder.join("chain");
    let node = DevNode::start_in(&datadir);
    block_on(send(&node.client(), &transfer(&DEV_ACCOUNTS[0], 0, Address::with_last_byte(9))));
    assert!(node.interrupt().success());
    import(&datadir, "b", 50);
    datadir
}

/// Imports chunks of a source, and payouts.
fn import(datadir: &Path, source: &str, chunks: u32) {
    let store = open(datadir);
    let (source, session_id) = (source.parse().unwrap(), SessionId::from_bytes([7; 16]).unwrap());
    let mut batch = store.begin().unwrap();
    for idx in 0..chunks {
        let record = ChunkRecord {
            local_path: None,
            ciphertext_sha256: B256::from(alloy_primitives::U256::from(idx) << 99),
            size_bytes: idx.into(),
            status: ChunkStatus::Pending,
        };
        let (key, known_by) = (ChunkKey { session_id, idx, account: Address::ZERO }, idx % 2 == 0);
        let known_by = known_by.then(|| DocumentId::of(&idx.to_be_bytes()));
        batch.import::<Chunks>(&source, &key, &record, known_by).unwrap();
    }
    for n in 0..PAYOUTS {
        let record = PayoutRecord {
            session_id,
            to_addr: format!("T{n}"),
            usdt_amount: n.into(),
            router: "router".to_owned(),
            reason: String::new(),
            txid: None,
            status: "pending".to_owned(),
            created_at: 1_769_860_800,
            kyc_hash: None,
            compliance_sig: None,
        };
        batch.import::<Payouts>(&source, &format!("payout {n}"), &record, None).unwrap();
    }
    store.commit(batch).unwrap();
}

/// Everything but what the store says of itself.
fn contents(datadir: &Path) -> BTreeMap<(TableId, Vec<u8>), Vec<u8>> {
    let snapshot = open(datadir).snapshot().unwrap();
    let tables = TableId::ALL.into_iter().filter(|table| *table != TableId::Meta);
    let rows = |table| snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap);
    tables.flat_map(|table| rows(table).map(move |(key, value)| ((table, key), value))).collect()
}

/// How many documents of a source are left.
fn left(datadir: &Path, source: &str) -> u64 {
    let sources = import_sources(&open(datadir).snapshot().unwrap()).unwrap();
    let found = sources.iter().find(|of| of.name.as_str() == source);
    found.map_or(0, |of| of.documents.iter().map(|(_, documents)| documents).sum())
}

fn remove(args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(&[&["db", "sources", "remove"], args].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Own and imported documents of a collection, as `db stats` counts them.
fn counted(place: &[&str], collection: &str) -> [u64; 2] {
    let output = run(&[&["db", "stats", "--json"], place].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = stats["collections"].as_array().unwrap().iter().find(|of| of["name"] == collection).unwrap();
    ["own", "imported"].map(|of| found[of].as_u64().unwrap())
}

fn verify(place: &[&str]) {
    let output = run(&[&["db", "verify"], place].concat());
    assert!(output.status.success(), "{} {}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_source_is_removed_from_a_folder_and_its_name_is_as_good_as_new() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = chain(folder.path());
    let place = ["--datadir", path(&datadir)];
    let before = contents(&datadir);
    import(&datadir, "a", 2_500);

    // Nothing goes that was not meant.
    let (code, _, error) = remove(&["a", place[0], place[1]]);
    assert!(code == Some(2) && error.contains("2500 chunks, 500 payouts; --force removes them"), "{error}");
    let (code, _, error) = remove(&["c", "--force", place[0], place[1]]);
    assert!(code == Some(2) && error.contains("source c; there are a, b"), "{error}");
    let (code, _, error) = remove(&["a", "--force"]);
    assert!(code == Some(2) && error.contains("--datadir DIR"), "{error}");
    assert_eq!(left(&datadir, "a"), 3_000);
    assert_eq!((counted(&place, "chunks"), counted(&place, "blocks")), ([0, 2_550], [2, 0]));
    let said = text(&run(&["db", "stats", place[0], place[1]]).stdout);
    let line = said.lines().find(|line| line.starts_with("payouts ")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["payouts", "0", "1000"], "{said}");

    let (code, said, error) = remove(&["a", "--force", place[0], place[1]]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{said}");
    assert!(said.starts_with("removed\na\n") && said.contains("2500 documents"), "{said}");
    assert!(contents(&datadir) == before, "something is left of it, or something else is gone");
    verify(&place);
    let listed = run(&["db", "sources", place[0], place[1]]);
    assert!(text(&listed.stdout).starts_with("b\n"), "{}", text(&listed.stdout));
    let (code, _, error) = remove(&["a", "--force", place[0], place[1]]);
    assert!(code == Some(2) && error.contains("there are b"), "{error}");

    import(&datadir, "a", 10);
    assert_eq!(left(&datadir, "a"), 510);
    let (code, said, _) = remove(&["a", "--force", "--json", place[0], place[1]]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, said), (Some(0), json!({ "source": "a", "documents": { "chunks": 10, "payouts": 500 } })));
    assert!(contents(&datadir) == before);
}

/// What a store has noted of its sources is spoiled, in a folder and then below a node.
#[test]
fn what_is_noted_of_sources_is_made_anew_from_their_documents() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = chain(folder.path());
    import(&datadir, "a", 20);
    let before = contents(&datadir);
    let spoil = || {
        let store = open(&datadir);
        let mut batch = store.begin().unwrap();
        let table = TableId::ImportSources;
        let notes: Vec<_> = batch.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap).collect();
        batch.raw_remove(table, notes[0].0.clone());
        batch.raw_put(table, notes[1].0.clone(), 7u64.to_be_bytes());
        batch.raw_put(table, *b"nothing", [0; 8]);
        let (id, _) = batch.raw_prefix(TableId::ImportIds, &[], Direction::Forward).unwrap().next().unwrap().unwrap();
        batch.raw_put(TableId::ImportIds, [&id[..], &[1]].concat(), [1; 16]);
        store.commit(batch).unwrap();
    };
    let mended = |place: &[&str]| {
        let found = run(&[&["db", "verify"], place].concat());
        let said = text(&found.stdout);
        assert!(
            found.status.code() == Some(1) && said.contains("import_sources") && said.contains("import_ids"),
            "{said}"
        );
        assert!(text(&found.stderr).contains("db reindex --datadir"), "{}", text(&found.stderr));
        let reindexed = run(&[&["db", "reindex", "--json"], place].concat());
        assert!(reindexed.status.success(), "{}", text(&reindexed.stderr));
        let report: Value = serde_json::from_slice(&reindexed.stdout).unwrap();
        let wanted = json!([
            { "name": "import_sources", "missing": 1, "wrong": 1, "superfluous": 1 },
            { "name": "import_ids", "missing": 0, "wrong": 0, "superfluous": 1 },
        ]);
        assert_eq!(report["tables"], wanted, "{report}");
        verify(place);
    };
    spoil();
    mended(&["--datadir", path(&datadir)]);
    assert!(contents(&datadir) == before);
    spoil();
    let node = DevNode::start_in(&datadir);
    mended(&["--rpc", node.url()]);
    assert!(node.interrupt().success());
    assert!(contents(&datadir) == before);
}

#[test]
fn a_running_node_goes_on_while_it_removes_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = chain(folder.path());
    import(&datadir, "a", CHUNKS);
    let node = DevNode::start_in(&datadir);
    let place = ["--rpc", node.url()];
    let (code, _, error) = remove(&["a", place[0], place[1]]);
    assert!(code == Some(2) && error.contains("--force"), "{error}");
    let removed = thread::scope(|scope| {
        let removed = scope.spawn(|| remove(&["a", "--force", "--json", place[0], place[1]]));
        let mut nonce = 1;
        while !removed.is_finished() {
            block_on(send(&node.client(), &transfer(&DEV_ACCOUNTS[0], nonce, Address::with_last_byte(9))));
            nonce += 1;
        }
        assert!(nonce > 2, "no block came meanwhile");
        removed.join().unwrap()
    });
    assert_eq!(removed.0, Some(0), "{}", removed.2);
    let said: Value = serde_json::from_str(&removed.1).unwrap();
    assert_eq!(said["documents"], json!({ "chunks": CHUNKS, "payouts": PAYOUTS }));
    let (code, _, error) = remove(&["a", "--force", place[0], place[1]]);
    assert!(code == Some(2) && error.contains("there are b"), "{error}");
    verify(&place);
    assert_eq!(counted(&place, "chunks"), [0, 50]);
    assert!(counted(&place, "transactions")[0] > 1);
    assert!(node.interrupt().success());
    verify(&["--datadir", path(&datadir)]);
    assert_eq!((left(&datadir, "a"), left(&datadir, "b")), (0, 50 + u64::from(PAYOUTS)));
}

/// Begins a removal and kills it, or the node that does it, once some of it is done.
fn killed(datadir: &Path, through_node: bool, millis: u64) {
    let node = through_node.then(|| DevNode::start_in(datadir));
    let place = node.as_ref().map_or(["--datadir", path(datadir)], |node| ["--rpc", node.url()]);
    let mut command = lucid_node();
    command.args(["db", "sources", "remove", "a", "--force", place[0], place[1]]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_millis(millis);
    while Instant::now() < until && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(5));
    }
    match node {
        Some(node) => node.kill(),
        // Where it has ended already, this fails, and that is well.
        None => drop(child.kill()),
    }
    child.wait().unwrap();
}

#[test]
fn a_removal_that_is_killed_anywhere_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = chain(folder.path());
    let before = contents(&datadir);
    import(&datadir, "a", CHUNKS);
    let place = ["--datadir", path(&datadir)];
    let all = u64::from(CHUNKS + PAYOUTS);
    let (mut there, mut halves) = (all, 0);
    for (round, millis) in [60, 120, 180, 250, 350, 500].into_iter().enumerate() {
        killed(&datadir, round % 2 == 1, millis);
        let now = left(&datadir, "a");
        assert!(now <= there, "{now} of {there}");
        assert!((all - now).is_multiple_of(1_000) || now == 0, "{now} are left: half of a batch is gone");
        halves += u64::from(now > 0 && now < all);
        there = now;
        verify(&place);
        if now == 0 {
            import(&datadir, "a", CHUNKS);
            there = all;
        }
    }
    assert!(halves > 0, "no kill came in the midst");
    if left(&datadir, "a") > 0 {
        let (code, said, error) = remove(&["a", "--force", "--json", place[0], place[1]]);
        assert_eq!(code, Some(0), "{error}");
        let said: Value = serde_json::from_str(&said).unwrap();
        let removed: u64 = said["documents"].as_object().unwrap().values().map(|of| of.as_u64().unwrap()).sum();
        assert_eq!(removed, there, "what this run removed");
    }
    verify(&place);
    assert!(contents(&datadir) == before, "something is left of it, or something else is gone");
}
