//! The script of the package that makes backups and removes old ones, with a program in the node's place that makes files.
#![allow(clippy::unwrap_used, reason = "clippy knows that a test may panic, and not that what tests share may")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

/// Runs the script on a folder of backups, where the node makes the file `made`.
fn back_up(root: &Path, made: &str) -> Output {
    let backups = root.join("backups");
    fs::create_dir_all(&backups).unwrap();
    let node = format!(
        "#!/bin/sh\ncase $1 in\nconfig) printf 'http.addr  ::1  default\\nhttp.port  8545  default\\n' ;;\n\
         db) [ \"$4\" = 'http://[::1]:8545' ] || exit 1; echo x >'{0}/{made}'; printf 'Backup    {0}/{made}\\nHeight  1\\n' ;;\nesac\n",
        backups.display()
    );
    fs::write(root.join("lucid-node"), node).unwrap();
    fs::set_permissions(root.join("lucid-node"), fs::Permissions::from_mode(0o755)).unwrap();
    let script = include_str!("../../backup").replace("/var/lib/lucid-node", root.to_str().unwrap());
    let path = format!("{}:{}", root.display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", &script]).env("PATH", path).env("BACKUPS_KEPT", "2").output().unwrap()
}

fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("backups")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The height comes first in a name, and after a restore it is lower than before.
#[test]
fn after_a_restore_the_new_backup_stays_and_the_oldest_by_time_goes() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for made in ["lucid-00000500-1800000000.redb", "lucid-00000600-1800000100.redb"] {
        assert!(back_up(root, made).status.success());
    }
    fs::write(root.join("backups/mine.redb"), "").unwrap();
    fs::write(root.join("backups/lucid-mine-0.redb"), "").unwrap();
    let output = back_up(root, "lucid-00000002-1800000200.redb");
    assert!(output.status.success(), "{output:?}");
    let left = ["lucid-00000002-1800000200.redb", "lucid-00000600-1800000100.redb", "lucid-mine-0.redb", "mine.redb"];
    assert_eq!(names(root), left);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("removed ") && said.contains("lucid-00000500-1800000000.redb: 2 backups"), "{said}");

    // A clock that was ahead has left names of the future, and was set right.
    assert!(back_up(root, "lucid-00000003-1700000000.redb").status.success());
    let left = ["lucid-00000002-1800000200.redb", "lucid-00000003-1700000000.redb", "lucid-mine-0.redb", "mine.redb"];
    assert_eq!(names(root), left);
}

/// Where it is not known what was made, it is not known either what may go.
#[test]
fn a_backup_that_is_not_there_removes_none() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for secs in 0..2 {
        assert!(back_up(root, &format!("lucid-00000001-{secs}.redb")).status.success());
    }
    fs::create_dir(root.join("backups/lucid-00000001-9.redb")).unwrap();
    assert!(!back_up(root, "lucid-00000001-9.redb").status.success());
    assert_eq!(names(root).len(), 3);
}
