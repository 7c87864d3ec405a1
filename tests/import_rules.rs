//! Who may import whom, as a test. `ARCHITECTURE.md` says why; the rules themselves are in `rules`.
//!
//! A room that reaches into another by accident cannot be replaced, tested or simulated alone any more, and a
//! reviewer would not see it in a list of imports.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

mod examples;
mod map;
mod rules;
mod scan;

use rules::{IMPURE_FILES, MORE_THAN_CONTENTS, ROOMS, judge, test_modules};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names in a folder, sorted, without hidden ones and those that a build makes.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.') && name != "target" && name != "node_modules");
    names.sort();
    names
}

/// All files below a folder, as paths from the root.
fn files_below(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    for name in names(&root().join(folder)) {
        let path = format!("{folder}/{name}");
        if root().join(&path).is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every Rust file of the crates.
fn sources() -> Vec<(String, String)> {
    let files = ["src", "types", "storage", "rpc", "kernel", "tests/sim/src"].into_iter().flat_map(files_below);
    files.filter(|file| file.ends_with(".rs")).map(|file| (file.clone(), read(&file))).collect()
}

#[test]
fn rooms_use_only_what_the_architecture_lets_them() {
    let sources = sources();
    // An empty walk would find nothing wrong.
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    let mut test_files = BTreeSet::new();
    for (file, text) in &sources {
        if let Ok(source) = scan::scan(text) {
            test_files.extend(test_modules(file, &source));
        }
    }
    let breaches: Vec<String> = sources
        .iter()
        .flat_map(|(file, text)| judge(file, text, &test_files))
        .map(|breach| breach.to_string())
        .collect();
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn every_room_has_a_rule_and_every_rule_a_room() {
    let folders: Vec<String> = names(&root().join("src")).into_iter().filter(|name| !name.ends_with(".rs")).collect();
    for folder in &folders {
        assert!(folder == "testing" || ROOMS.iter().any(|(room, _)| room == folder), "src/{folder} has no rule");
    }
    for (room, _) in ROOMS {
        assert!(folders.iter().any(|folder| folder == room), "there is no src/{room}");
    }
    for (file, _) in MORE_THAN_CONTENTS.iter().chain(&IMPURE_FILES) {
        assert!(root().join(file).is_file(), "{file} is excepted from a rule and is not there");
    }
}

/// Words of notes that are not in the repository: a reader could not follow them.
#[test]
fn no_text_points_outside_the_repository() {
    let words = [concat!("SPEC", ".md"), concat!("DESIGN", ".md"), concat!("/wo", "rk/"), concat!("bri", "ef.md")];
    let mut files: Vec<String> = names(root());
    let folders: Vec<String> = files.iter().filter(|name| root().join(name).is_dir()).cloned().collect();
    files.retain(|name| root().join(name).is_file());
    files.extend(folders.iter().flat_map(|folder| files_below(folder)));
    for file in files {
        let Ok(text) = String::from_utf8(fs::read(root().join(&file)).unwrap()) else { continue };
        for (number, line) in text.lines().enumerate() {
            for word in words {
                assert!(!line.contains(word), "{file}:{}: names {word}, which a reader does not have", number + 1);
            }
        }
    }
}

/// A folder with at least one file somewhere below.
fn holds_files(folder: &Path) -> bool {
    names(folder).into_iter().map(|name| folder.join(name)).any(|path: PathBuf| !path.is_dir() || holds_files(&path))
}
