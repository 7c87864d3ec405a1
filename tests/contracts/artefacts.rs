//! The committed artefacts are what the committed sources give: nobody has to trust the bytes in genesis.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// Files of `contracts/` that the compiler needs, copied so that nothing is written beside the sources.
fn copy_sources(from: &Path, to: &Path) {
    for folder in [from.to_path_buf(), from.join("artefacts")] {
        let below = to.join(folder.strip_prefix(from).unwrap());
        fs::create_dir_all(&below).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let file = entry.unwrap().path();
            if file.is_file() {
                fs::copy(&file, below.join(file.file_name().unwrap())).unwrap();
            }
        }
    }
}

/// Whether a command ended well, and what it said.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn artefacts_match_their_sources() {
    if Command::new("npm").arg("--version").output().is_err() {
        let line = "artefacts_match_their_sources is skipped: npm is missing; install the packages nodejs and npm";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
        // Straight to the handle: what a passing test prints through the macros is not shown.
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("contracts");
    // What an earlier run left must not stand in for a file that is gone.
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    copy_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts"), &folder);
    let (installed, said) =
        run(&folder, "npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]);
    assert!(installed, "npm ci: {said}");
    let (same, said) = run(&folder, "node", &["compile.mjs", "--check"]);
    assert!(same, "{said}");

    // The check itself: one constant more in a source, and it says which artefact is wrong.
    let source = folder.join("LucidAnchors.sol");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replace("= 1 << 20;", "= 1 << 21;")).unwrap();
    let (same, said) = run(&folder, "node", &["compile.mjs", "--check"]);
    assert!(!same && said.contains("LucidAnchors: "), "{said}");
}
