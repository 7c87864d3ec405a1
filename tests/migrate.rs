//! Stores that earlier versions wrote are opened, migrated and gone on with.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, lucid_node, run, text};
use lucid_storage::{Direction, FORMAT_VERSION, Options, Reader, Store, TableId};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Instant,
};

/// All fixtures with their formats, and the chunks whose sessions are in each.
const FIXTURES: [(&str, u32); 3] = [("format-1-no-ranges", 1), ("format-1-ranges", 1), ("format-2", 2)];
const CHUNKS: u64 = 14;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The data folder of a fixture.
fn fixture(name: &str, folder: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let datadir = folder.join(name);
    for made in [&datadir, &datadir.join("keys")] {
        fs::create_dir(made).unwrap();
        fs::set_permissions(made, fs::Permissions::from_mode(0o700)).unwrap();
    }
    for file in ["chain.json", "keys/account.key", "keys/consensus.key", "keys/highest-signed"] {
        fs::copy(from.join(file), datadir.join(file)).unwrap();
        fs::set_permissions(datadir.join(file), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let store = Command::new("gzip").arg("-dc").arg(from.join("lucid.redb.gz")).output().unwrap();
    assert!(store.status.success(), "{}", text(&store.stderr));
    fs::write(datadir.join("lucid.redb"), store.stdout).unwrap();
    datadir
}

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything but the ranges and what the store says of itself.
fn contents(file: &Path) -> Vec<(TableId, Vec<u8>, Vec<u8>)> {
    let (_, snapshot) = Store::inspect(file, &Options::default(), true).unwrap();
    let mut all = Vec::new();
    for table in TableId::ALL.into_iter().filter(|table| ![TableId::Meta, TableId::ShardRanges].contains(table)) {
        let rows = snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap);
        all.extend(rows.map(|(key, value)| (table, key, value)));
    }
    all
}

fn format_of(file: &Path) -> u32 {
    Store::inspect(file, &Options::default(), true).unwrap().0.format_version
}

fn backups(datadir: &Path) -> Vec<String> {
    let Ok(files) = fs::read_dir(datadir.join("backups")) else { return Vec::new() };
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn check_shards(datadir: &Path) {
    let shards = json(&["db", "shards", "--datadir", path(datadir), "--json"]);
    assert!(shards.to_string().contains(&format!("\"documents\":{CHUNKS}")), "{shards}");
    let verified = run(&["db", "verify", "--datadir", path(datadir)]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
fn a_chain_of_an_earlier_version_is_migrated_by_run_and_goes_on() {
    for (name, format) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let datadir = fixture(name, folder.path());
        let file = datadir.join("lucid.redb");
        let before = contents(&file);
        let node = DevNode::run_in(&datadir, &["--accept-clock"]);
        let backup = format!("lucid-00000002-format-{format}.redb");
        assert_eq!(backups(&datadir), [&*backup]);
        let recording = folder.path().join("recording");
        fs::create_dir(&recording).unwrap();
        fs::write(recording.join("chunk-0"), "of a later version").unwrap();
        let token = datadir.join("tokens/anchor");
        let place = ["--rpc", node.url(), "--token-file", path(&token)];
        let anchored = json(&[&["session", "anchor", "--json", path(&recording)], &place[..]].concat());
        assert!(anchored["block_number"].as_u64() > Some(2), "{name}: {anchored}");
        let sessions = json(&[&["session", "list", "--json"], &place[..]].concat());
        assert_eq!(sessions.to_string().matches("\"confirmed\"").count(), 3, "{sessions}");
        assert!(node.terminate().success());
        assert_eq!(format_of(&file), FORMAT_VERSION);
        assert_eq!(backups(&datadir), [&*backup], "once");
        let verified = run(&["db", "verify", "--datadir", path(&datadir)]);
        assert!(verified.status.success(), "{}", text(&verified.stdout));
        // The backup is the old store, and what comes back of it is migrated as well.
        let backup = datadir.join("backups").join(backup);
        assert!(contents(&backup) == before && format_of(&backup) == format, "{name}");
        let other = folder.path().join("other");
        json(&["db", "restore", "--json", "--datadir", path(&other), path(&backup)]);
        json(&["db", "migrate", "--json", "--datadir", path(&other)]);
        check_shards(&other);
    }
}

#[test]
fn an_older_format_is_read_as_it_is_and_migrated_by_hand() {
    for (name, format) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let datadir = fixture(name, folder.path());
        let (file, place) = (datadir.join("lucid.redb"), ["--datadir", path(&datadir)]);
        let (before, bytes) = (contents(&file), fs::read(&file).unwrap());
        assert_eq!(json(&[&["db", "stats", "--json"], &place[..]].concat())["format_version"], format);
        assert_eq!(json(&[&["db", "verify", "--json"], &place[..]].concat())["clean"], true, "{name}");
        let count = run(&[&["db", "count", "chunks"], &place[..]].concat());
        assert_eq!(text(&count.stdout).trim(), CHUNKS.to_string());
        let found = run(&[&["db", "find", "chunks", "--limit", "20"], &place[..]].concat());
        assert_eq!(text(&found.stdout).lines().count() as u64, CHUNKS, "{}", text(&found.stderr));
        let out = folder.path().join("export");
        let exported = run(&[&["export", "jsonl", "--out", path(&out)], &place[..]].concat());
        assert!(exported.status.success(), "{}", text(&exported.stderr));
        let refused: &[&str] = if format == 1 { &["shards", "reindex"] } else { &["reindex"] };
        for command in refused {
            let refused = run(&[&["db", command], &place[..]].concat());
            assert_eq!(refused.status.code(), Some(65), "{command}");
            assert!(text(&refused.stderr).contains("db migrate"), "{command}: {}", text(&refused.stderr));
        }
        assert!(fs::read(&file).unwrap() == bytes, "none of them changes the file");

        let with_backup = name == FIXTURES[0].0;
        let more = if with_backup { &[][..] } else { &["--no-backup"] };
        let migrated = json(&[&["db", "migrate", "--json"], &place[..], more].concat());
        assert_eq!((&migrated["from"], &migrated["to"]), (&format.into(), &FORMAT_VERSION.into()));
        assert_eq!(migrated["backup"].is_string(), with_backup);
        assert_eq!(backups(&datadir).len(), usize::from(with_backup));
        assert!(contents(&file) == before);
        check_shards(&datadir);
        let bytes = fs::read(&file).unwrap();
        let again = run(&[&["db", "migrate"], &place[..]].concat());
        assert!(text(&again.stdout).contains("already, and nothing was written"), "{}", text(&again.stdout));
        assert!(fs::read(&file).unwrap() == bytes);
    }
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = fixture(FIXTURES[1].0, folder.path());
    let file = datadir.join("lucid.redb");
    json(&["db", "migrate", "--no-backup", "--json", "--datadir", path(&datadir)]);
    let store = Store::open(&file, &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    batch.raw_put(TableId::Meta, *b"format_version", (FORMAT_VERSION + 1).to_be_bytes());
    store.commit(batch).unwrap();
    drop(store);
    for command in [&["run", "--accept-clock"][..], &["db", "verify"], &["db", "migrate"], &["db", "compact"]] {
        let refused = run(&[command, &["--datadir", path(&datadir)]].concat());
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(65), "{command:?}: {said}");
        let numbers =
            format!("has format {}, and this program knows formats up to {FORMAT_VERSION}", FORMAT_VERSION + 1);
        assert!(said.contains(&numbers), "{command:?}: {said}");
    }
}

/// Killed at any moment: the store has the old format, one between or the new one, with all that belongs to it, and a backup
/// of the old one. One of the format between is there too where that was what the next run found.
#[test]
fn a_killed_migration_is_finished_by_the_next() {
    let rounds = std::env::var("LUCID_KILL_ROUNDS").map_or(16, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let datadir = fixture(FIXTURES[0].0, folder.path());
    let file = datadir.join("lucid.redb");
    let old = fs::read(&file).unwrap();
    let before = contents(&file);
    let migrate = || {
        let mut command = lucid_node();
        command.args(["db", "migrate", "--datadir", path(&datadir)]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let begun = Instant::now();
    assert!(migrate().wait().unwrap().success());
    let whole = begun.elapsed();
    let (mut unfinished, mut done) = (0, 0);
    for round in 0..rounds {
        fs::write(&file, &old).unwrap();
        let _ = fs::remove_dir_all(datadir.join("backups"));
        let mut child = migrate();
        thread::sleep(whole * (round * 7 % rounds + 1) / rounds * 11 / 10);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(contents(&file) == before, "round {round}");
        match format_of(&file) {
            FORMAT_VERSION => done += 1,
            _ => unfinished += 1,
        }
        assert!(migrate().wait().unwrap().success(), "round {round}");
        assert_eq!(format_of(&file), FORMAT_VERSION);
        let mut kept = backups(&datadir);
        kept.sort();
        let names = ["lucid-00000002-format-1.redb", "lucid-00000002-format-2.redb"];
        assert!(
            !kept.is_empty() && names.starts_with(&kept.iter().map(String::as_str).collect::<Vec<_>>()),
            "{kept:?}"
        );
        let backup = datadir.join("backups/lucid-00000002-format-1.redb");
        assert!(contents(&backup) == before && format_of(&backup) == 1, "round {round}");
        check_shards(&datadir);
    }
    println!("{rounds} kills, {unfinished} before it was done, {done} after");
    assert!(unfinished > 0);
}
