//! Where settings come from, and what is refused.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{self, lucid_node, run, text};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Stdio};

/// A folder with a new solo chain.
fn chain() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    assert!(run(&["init", "--datadir", datadir.to_str().unwrap()]).status.success());
    (folder, datadir)
}

#[test]
fn config_show_says_where_each_value_came_from() {
    let (_folder, datadir) = chain();
    fs::write(datadir.join("lucid.toml"), "[http]\nport = 1234\n[store]\ncache-mib = 8\n").unwrap();
    let output = lucid_node()
        .args(["config", "show", "--json", "--http-port", "99", "--datadir"])
        .arg(&datadir)
        .env("LUCID__CLOCK__TRUST_LOCAL", "true")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let entry = |key: &str| {
        let found = entries.iter().find(|entry| entry["key"] == key).unwrap();
        (found["value"].as_str().unwrap().to_owned(), found["source"].as_str().unwrap().to_owned())
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(entry("http.port"), pair("99", "flag"));
    assert_eq!(entry("clock.trust-local"), pair("true", "environment"));
    assert_eq!(entry("store.cache-mib"), pair("8", "file"));
    assert_eq!(entry("http.addr"), pair("127.0.0.1", "default"));
}

#[test]
fn what_is_not_so_is_refused_by_run_and_by_check_with_code_78() {
    let (_folder, datadir) = chain();
    let refused = |subcommand: &[&str], variable: (&str, &str), sentence: &str| {
        let mut command = lucid_node();
        command.args(subcommand).arg("--datadir").arg(&datadir).env(variable.0, variable.1);
        let (code, said) = support::refused(command);
        assert_eq!(code, 78, "{said}");
        assert!(said.contains(sentence), "{said}");
    };
    for subcommand in [&["run", "--http-port", "0"][..], &["config", "check"]] {
        refused(subcommand, ("SLOT_DURATION_SEC", "60"), "SLOT_DURATION_SEC is 60");
        refused(subcommand, ("D_MIN", "0.5"), "this chain has 0.2");
        refused(subcommand, ("LUCID__STORE__CACHE_MIB", "many"), "store.cache-mib is many");
        refused(subcommand, ("LUCID_ACCOUNT_KEY", "5ec7e7"), "LUCID_ACCOUNT_KEY is set");
    }
    fs::write(datadir.join("lucid.toml"), "[http]\nprot = 1\n").unwrap();
    refused(&["config", "check"], ("HOME", "/"), "did you mean http.port?");
}

#[test]
fn the_chains_own_values_in_the_environment_of_old_are_accepted() {
    let (_folder, datadir) = chain();
    let output = lucid_node()
        .args(["config", "check", "--chain-param", "slotDurationSecs=120", "--datadir"])
        .arg(&datadir)
        .envs([("SLOT_DURATION_SEC", "120"), ("LEADER_WINDOW_DAYS", "7"), ("D_MIN", "0.2"), ("COOLDOWN_SLOTS", "16")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// `config show | head -1`: the reader goes away, and that is no fault.
#[test]
fn a_reader_who_has_enough_is_no_fault() {
    let (_folder, datadir) = chain();
    let mut command = lucid_node();
    command.args(["config", "show", "--datadir"]).arg(&datadir);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(141));
}
