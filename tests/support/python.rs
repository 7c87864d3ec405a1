//! Packages from PyPI, pinned one by one and installed below cargo's target folder.

use super::npm::{said, skip, succeeded};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// A Python with the packages that `requirements` names, in a folder of this name. `None` where a test has to be skipped: `test` and what to
/// install are then said on standard error. With `CI=true` that is a failure.
pub(crate) fn python(test: &str, name: &str, requirements: &Path) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // A test that failed while it installed leaves the folder without its mark, and the next begins anew.
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !is_there() {
        let what = "python3 is missing, or its modules venv and ensurepip; install the package python3-venv";
        return skip(test, what);
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    match install(requirements, &folder) {
        Ok(()) => Some(folder.join("bin/python")),
        Err(why) => skip(test, &why),
    }
}

fn is_there() -> bool {
    let asked = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
    asked.is_ok_and(|answer| answer.status.success())
}

/// Installs what the list names and nothing else, once for each list. Packages that cannot be had (no network, no wheel
/// for this machine) are no fault of the node, and are said.
fn install(requirements: &Path, folder: &Path) -> Result<(), String> {
    let mark = folder.join("installed.txt");
    let list = fs::read(requirements).unwrap();
    if fs::read(&mark).is_ok_and(|installed| installed == list) {
        return Ok(());
    }
    // What an earlier run left must not stand in for a package that is gone.
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    said(Command::new("python3").args(["-m", "venv"]).arg(folder));
    let quiet = ["--quiet", "--disable-pip-version-check", "--no-input"];
    let mut pip = Command::new(folder.join("bin/python"));
    // No package may bring another along: each is in the list with its version, and comes compiled.
    pip.args(["-m", "pip", "install"])
        .args(quiet)
        .args(["--no-deps", "--only-binary", ":all:", "-r"])
        .arg(requirements);
    succeeded(&mut pip)?;
    said(Command::new(folder.join("bin/python")).args(["-m", "pip", "check"]));
    fs::write(mark, list).unwrap();
    Ok(())
}
