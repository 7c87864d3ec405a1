//! Packages from npm, pinned by a lock file and installed below cargo's target folder.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// Where `tests/clients` and its packages are laid out for running. `None` where a test has to be skipped: `test` and
/// what to install are then said on standard error. With `CI=true` that is a failure.
pub(crate) fn npm_folder(test: &str) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // A test that failed while it installed leaves the folder without its mark, and the next begins anew.
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if Command::new("npm").arg("--version").output().is_err() {
        return skip(test, "npm is missing; install the packages nodejs and npm");
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clients");
    if let Err(why) = install(&source.join("npm"), &folder) {
        return skip(test, &why);
    }
    for below in ["ethers", "viem", "web3js", "contract"] {
        copy(&source.join(below), &folder.join(below));
    }
    Some(folder)
}

/// Skips a test for want of something that is no part of the node. With `CI=true` that is a failure.
pub(super) fn skip<T>(test: &str, why: &str) -> Option<T> {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why}");
    say_skipped(test, why);
    None
}

/// Says that a test is skipped, and why.
pub(crate) fn say_skipped(test: &str, why: &str) {
    // Straight to the handle: what a passing test prints through the macros is not shown.
    let mut errors = std::io::stderr();
    writeln!(errors, "{test} is skipped: {why}").unwrap();
}

/// Installs what the lock file names, once for each lock file. Packages that cannot be had (no network) are no fault of
/// the node, and are said.
fn install(source: &Path, folder: &Path) -> Result<(), String> {
    let mark = folder.join("installed-lock.json");
    let lock = fs::read(source.join("package-lock.json")).unwrap();
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    // What an earlier run left must not stand in for a file that is gone.
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    copy(source, folder);
    // No install scripts: what they would do at most is to move the program of this platform.
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
    succeeded(Command::new("npm").args(arguments).current_dir(folder))?;
    fs::write(mark, lock).unwrap();
    Ok(())
}

fn copy(source: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
}

/// Runs a command that installs packages; where it fails, what it said of errors first.
pub(super) fn succeeded(command: &mut Command) -> Result<(), String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| line.to_ascii_lowercase().contains("error")).unwrap_or_default();
    Err(format!("packages cannot be installed: {first}"))
}

/// What a command said on standard output. That it fails is an error, with all that it said.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.trim().to_owned()
}
