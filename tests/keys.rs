//! Keys on the command line: made, shown, moved, and never printed by accident.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{self, DevNode, lucid_node, run, text};
use serde_json::Value;
use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

fn str_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_nodes_keys_go_off_the_machine_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let made = run(&["key", "new", "--datadir", str_of(&first), "--json"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let shown = run(&["key", "show", "--datadir", str_of(&first), "--json"]);
    assert_eq!(made.stdout, shown.stdout);
    let (account, consensus) = (folder.path().join("a.key"), folder.path().join("c.key"));
    assert!(run(&["key", "export", "--datadir", str_of(&first), "-o", str_of(&account)]).status.success());
    let printed = run(&["key", "export", "--datadir", str_of(&first), "--consensus", "--stdout"]);
    assert_eq!((printed.stdout.len(), text(&printed.stderr).as_str()), (65, ""));
    fs::set_permissions(first.join("keys"), fs::Permissions::from_mode(0o755)).unwrap();
    let warned = run(&["key", "export", "--datadir", str_of(&first), "--consensus", "--stdout"]);
    assert_eq!(warned.stdout, printed.stdout);
    assert!(text(&warned.stderr).contains("keys has mode 0755"), "{}", text(&warned.stderr));
    fs::set_permissions(first.join("keys"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&consensus, &printed.stdout).unwrap();
    assert_eq!(mode(&account), 0o600);

    assert!(run(&["key", "import", "--datadir", str_of(&second), str_of(&account)]).status.success());
    // Its mode is what the shell gave it; through a pipe it does not matter.
    let open = run(&["key", "import", "--datadir", str_of(&second), "--consensus", str_of(&consensus)]);
    assert_eq!(open.status.code(), Some(77));
    assert!(text(&open.stderr).contains("run: chmod 600"), "{}", text(&open.stderr));
    let mut import = lucid_node();
    import
        .args(["key", "import", "--consensus", "--datadir"])
        .arg(&second)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = import.stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&printed.stdout).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && text(&output.stderr).contains("--accept-restored"));
    let shown = run(&["key", "show", "--datadir", str_of(&second), "--json"]);
    assert_eq!(made.stdout, shown.stdout);

    let again = run(&["key", "import", "--datadir", str_of(&second), str_of(&account)]);
    assert_eq!(again.status.code(), Some(73), "never over another");
    assert_eq!(run(&["key", "new", "--datadir", str_of(&first)]).status.code(), Some(73));
}

/// A key that was pasted where a file's name belongs would otherwise stand in a log.
#[test]
fn no_message_repeats_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret = format!("0x{}", "5a".repeat(32));
    let recording = folder.path().join("recording");
    fs::create_dir(&recording).unwrap();
    fs::write(recording.join("chunk"), "x").unwrap();
    let damaged = folder.path().join("damaged.key");
    fs::write(&damaged, format!("{secret}00")).unwrap();
    fs::set_permissions(&damaged, fs::Permissions::from_mode(0o600)).unwrap();
    for args in [
        vec!["session", "anchor", "--key", &secret, str_of(&recording)],
        vec!["key", "show", &secret],
        vec!["key", "new", &secret],
        vec!["key", "show", str_of(&damaged)],
        vec!["key", "import", "--datadir", str_of(folder.path()), &secret],
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(65), "{args:?}: {}", text(&output.stderr));
        assert!(!(text(&output.stderr) + &text(&output.stdout)).contains("5a5a"), "{}", text(&output.stderr));
    }
}

#[test]
fn an_export_to_nowhere_says_both_ways_out() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["key", "export", "--datadir", str_of(folder.path())]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("--output FILE") && said.contains("--stdout"), "{said}");
}

#[test]
fn a_single_key_file_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("me.key");
    let made = run(&["key", "new", str_of(&file), "--json"]);
    assert!(made.status.success());
    let answer: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(mode(&file), 0o600);
    let shown = run(&["key", "show", str_of(&file)]);
    assert!(text(&shown.stdout).contains(answer["account"].as_str().unwrap()));
    let before = fs::read(&file).unwrap();
    assert_eq!(run(&["key", "new", str_of(&file)]).status.code(), Some(73));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_token_is_rotated_in_a_private_file_of_its_scope() {
    let folder = tempfile::tempdir().unwrap();
    let rotate = |scope: &str| run(&["key", "rotate-token", scope, "--datadir", str_of(folder.path())]);
    assert!(rotate("admin").status.success());
    let file = folder.path().join("tokens/admin");
    let first = fs::read(&file).unwrap();
    assert_eq!((first.len(), mode(&file), mode(&folder.path().join("tokens"))), (65, 0o600, 0o700));
    assert!(rotate("admin").status.success());
    assert_ne!(fs::read(&file).unwrap(), first);
    assert_eq!(rotate("everything").status.code(), Some(2));
}

/// A token that the node's user cannot read keeps the node from starting. Only root can be taken for somebody else.
#[test]
fn root_writes_no_token_key_or_backup_into_the_folder_of_the_nodes_user() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, key) = (folder.path().join("node"), folder.path().join("me.key"));
    let at = str_of(&datadir);
    assert!(run(&["init", "--datadir", at]).status.success());
    assert!(run(&["key", "new", str_of(&key)]).status.success());
    if std::os::unix::fs::chown(&datadir, Some(65_534), None).is_err() {
        return println!("skipped: this is not root");
    }
    fs::create_dir(datadir.join("backups")).unwrap();
    let inside = datadir.join("backups/x.redb");
    let refused = |args: &[&str]| {
        let output = run(&[args, &["--datadir", at]].concat());
        assert_eq!(output.status.code(), Some(77), "{args:?}");
        assert!(text(&output.stderr).contains("belongs to user 65534"), "{}", text(&output.stderr));
    };
    refused(&["key", "rotate-token", "anchor"]);
    refused(&["key", "import", str_of(&key)]);
    refused(&["key", "new"]);
    refused(&["key", "export", "-o", str_of(&inside)]);
    refused(&["db", "backup"]);
    refused(&["db", "backup", "-o", str_of(&inside)]);
    assert!(!datadir.join("tokens").exists() && fs::read_dir(datadir.join("backups")).unwrap().count() == 0);
    // What lies elsewhere is root's own business.
    let outside = folder.path().join("x.redb");
    let made = run(&["db", "backup", "--datadir", at, "-o", str_of(&outside)]);
    assert!(made.status.success(), "{}", text(&made.stderr));
}

/// A service manager hands keys over in a folder that only the service enters, readable by a group.
#[test]
fn a_node_takes_its_keys_from_the_service_managers_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, credentials) = (folder.path().join("node"), folder.path().join("credentials"));
    assert!(run(&["init", "--datadir", str_of(&datadir)]).status.success());
    fs::create_dir(&credentials).unwrap();
    for name in ["account.key", "consensus.key"] {
        fs::rename(datadir.join("keys").join(name), credentials.join(name)).unwrap();
        fs::set_permissions(credentials.join(name), fs::Permissions::from_mode(0o440)).unwrap();
    }
    let mut command = lucid_node();
    command.args(["run", "--http-port", "0", "--datadir"]).arg(&datadir).env("CREDENTIALS_DIRECTORY", &credentials);
    assert!(DevNode::spawn(command).terminate().success());
    let shown = run(&["key", "show", "--datadir", str_of(&datadir)]);
    assert_eq!(shown.status.code(), Some(66));
    assert!(text(&shown.stderr).contains("systemd may have"), "{}", text(&shown.stderr));
    let mut without = lucid_node();
    without.args(["run", "--http-port", "0", "--datadir"]).arg(&datadir);
    let (code, said) = support::refused(without);
    assert_eq!(code, 66, "{said}");
}

/// A kill while the second key was drawn.
#[test]
fn keys_that_are_half_made_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    assert!(run(&["key", "new", "--datadir", at]).status.success());
    let account = std::fs::read(folder.path().join("keys/account.key")).unwrap();
    std::fs::remove_file(folder.path().join("keys/consensus.key")).unwrap();
    assert!(run(&["key", "new", "--datadir", at]).status.success());
    assert_eq!(std::fs::read(folder.path().join("keys/account.key")).unwrap(), account);
    assert!(run(&["key", "show", "--datadir", at]).status.success());
    assert_eq!(run(&["key", "new", "--datadir", at]).status.code(), Some(73));
}
