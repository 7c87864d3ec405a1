//! Where settings come from, and what is refused.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{self, lucid_node, run, text};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::PathBuf,
    process::Stdio,
};

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

/// What `check` calls good must start, and what it refuses must not: both are told the same.
#[test]
fn check_refuses_what_run_refuses_with_the_same_sentence() {
    let (folder, datadir) = chain();
    let (file, token) = (datadir.join("lucid.toml"), folder.path().join("token"));
    let own = |scope: &str| datadir.join("tokens").join(scope).to_str().unwrap().to_owned();
    assert!(run(&["key", "rotate-token", "admin", "--datadir", datadir.to_str().unwrap()]).status.success());
    let named = |name: &str| vec!["--http-token-file".to_owned(), name.to_owned()];
    let token = token.to_str().unwrap();
    let long = format!("[status]\nsocket = \"/tmp/{}\"\n", "s".repeat(103));
    let cases: [(&str, Vec<String>, i32, &str); 15] = [
        ("[http]\nport = 8599\n[health]\nport = 8599\n", vec![], 78, "health.port and http.port are both 8599"),
        ("[status]\nsocket = \"/nosuch/sock\"\n", vec![], 78, "there is no folder /nosuch"),
        (
            "[status]\nsocket = \"lucid.toml\"\n",
            vec![],
            78,
            "node/lucid.toml, which is status.socket: something that is no",
        ),
        (&long, vec![], 78, "at most 107 bytes, and this one has 108"),
        ("[http]\naddr = \"0.0.0.0\"\n", vec![], 78, "--http-allow-remote and --http-token-file"),
        ("", named(token), 66, "there is no token file"),
        ("", named(&own("admin")), 78, "hold the same token"),
        ("", named(file.to_str().unwrap()), 77, "chmod 600"),
        ("[http]\nnamespaces = [\"debug\"]\n", vec![], 78, "http.namespaces"),
        ("[http]\nallowed-origins = [\"*\"]\n", vec![], 78, "http.allowed-origins names *"),
        ("[http]\nallowed-hosts = [\"http://node.example\"]\n", vec![], 78, "http.allowed-hosts names http://"),
        ("[mongodb]\n", vec![], 78, "unknown key mongodb"),
        ("[http]\nport = \"many\"\n", vec!["--http-port".to_owned(), "0".to_owned()], 78, "http.port is many"),
        ("[http]\nport = \"\u{0}\"\n", vec![], 78, "not valid TOML"),
        ("", vec!["--config".to_owned(), "nosuch".to_owned()], 66, "no configuration file nosuch"),
    ];
    for (text, more, code, sentence) in cases {
        fs::write(&file, text).unwrap();
        let said = [&["run"][..], &["config", "check"]].map(|subcommand| {
            let mut command = lucid_node();
            command.args(subcommand).arg("--datadir").arg(&datadir).args(&more);
            let (found, said) = support::refused(command);
            assert_eq!(found, code, "{text:?} {more:?}: {said}");
            assert!(said.contains(sentence), "{text:?} {more:?}: {said}");
            // Before it a node logs that it starts.
            said[said.find("error: ").unwrap()..].to_owned()
        });
        assert_eq!(said[0], said[1]);
    }
    fs::write(&file, b"\xff").unwrap();
    let check = ["config", "check", "--datadir", datadir.to_str().unwrap()];
    let refused = |sentence: &str| {
        let output = run(&check);
        assert_eq!(output.status.code(), Some(78));
        assert!(text(&output.stderr).contains(sentence), "{}", text(&output.stderr));
    };
    refused("is not UTF-8 text");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused("is a folder");
    fs::remove_dir(&file).unwrap();
    assert!(run(&check).status.success());
}

/// Root reads every file; the node runs as the user who has the folder.
#[test]
fn check_and_doctor_name_what_the_nodes_user_cannot_read() {
    let (_folder, datadir) = chain();
    let at = datadir.to_str().unwrap();
    let (nobody, parts) = (Some(65_534), datadir.join("conf.d"));
    fs::create_dir(&parts).unwrap();
    let part = parts.join("10-port.toml");
    fs::write(&part, "[http]\nport = 8599\n").unwrap();
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).unwrap();
    let check = || run(&["config", "check", "--datadir", at]);
    assert!(check().status.success(), "the same user has the folder");
    if chown(&datadir, nobody, nobody).is_err() {
        return println!("skipped: this is not root");
    }
    let output = check();
    assert_eq!(output.status.code(), Some(77));
    let said = text(&output.stderr);
    assert!(said.contains("10-port.toml has mode 0600, so the node's user (uid 65534) cannot read it"), "{said}");
    let found = text(&run(&["doctor", "--datadir", at, "--json"]).stdout);
    assert!(found.contains("10-port.toml has mode 0600"), "{found}");
    fs::set_permissions(&part, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&parts, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(text(&check().stderr).contains("conf.d has mode 0700"), "{}", text(&check().stderr));
    fs::set_permissions(&parts, fs::Permissions::from_mode(0o755)).unwrap();
    // Everything else in the folder is still root's, as it is where somebody ran a command without thinking of it.
    let output = check();
    assert!(!text(&output.stderr).contains("cannot read it"), "{}", text(&output.stderr));
}

#[test]
fn a_folder_that_is_not_there_is_remarked_upon_when_it_is_shown() {
    let output = run(&["config", "show", "--datadir", "/nosuch/node"]);
    assert!(output.status.success() && text(&output.stderr).contains("no folder /nosuch/node"));
    let output = run(&["config", "check", "--datadir", "/nosuch/node"]);
    assert_eq!(output.status.code(), Some(66), "{}", text(&output.stderr));
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
