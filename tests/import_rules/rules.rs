//! The rules, as data, and how one file is judged by them.

use super::scan::{NamedPath, Source, scan};
use std::{collections::BTreeSet, fmt};

/// Rooms of `src/`, bottom to top, each with the rooms that it may use. Every room may use `types` and `storage`.
pub(super) const ROOMS: [(&str, &[&str]); 14] = [
    ("keys", &[]),
    ("state", &[]),
    ("evm", &["state"]),
    ("chain", &["state", "evm"]),
    ("mempool", &["state", "chain"]),
    ("consensus", &["chain", "keys"]),
    ("network", &[]),
    ("anchoring", &[]),
    ("export", &[]),
    ("config", &[]),
    ("service", &[]),
    ("doctor", &[]),
    ("node", &["keys", "state", "evm", "chain", "mempool", "consensus", "network", "anchoring", "config", "service"]),
    (
        "cli",
        &[
            "keys",
            "state",
            "evm",
            "chain",
            "mempool",
            "consensus",
            "network",
            "anchoring",
            "export",
            "config",
            "service",
            "doctor",
            "node",
        ],
    ),
];

/// What tests may use in any room.
const TEST_ROOM: &str = "testing";

/// The binary parses and runs; all else is in the library.
const MAIN: (&str, &[&str]) = ("src/main.rs", &["cli"]);

/// Crates that are named in few places, so that each can be replaced there. A place is a file, or a folder with `/`.
const CRATES: [(&[&str], &[&str]); 17] = [
    (&["redb"], &["storage/"]),
    (&["bson", "mongodb"], &["src/export/"]),
    (&["bincode"], &["storage/src/codec.rs"]),
    (&["revm", "alloy_evm"], &["src/evm/"]),
    (&["jsonrpsee", "hyper", "hyper_util", "http_body_util", "soketto"], &["rpc/"]),
    (&["lucid_rpc"], &["src/node/", "src/cli/", "rpc/"]),
    (&["clap", "indicatif", "anyhow"], &["src/cli/", "src/main.rs"]),
    (&["tokio"], &["src/node/", "src/cli/", "src/main.rs", "rpc/"]),
    // Its channels and timers need no runtime to be named: the node's task runs it as one future.
    (&["libp2p", "snow", "async_channel", "futures_timer"], &["src/network/"]),
    (&["k256"], &["src/keys/", "src/consensus/", "types/"]),
    (&["getrandom"], &["src/keys/", "src/node/", "src/cli/"]),
    (&["lucid_kernel"], &["src/node/", "src/cli/", "benches/"]),
    (&["rustix"], &["src/node/", "src/doctor/", "src/export/unfinished.rs", "src/cli/devnet.rs"]),
    (&["secp256k1"], &["src/chain/"]),
    (&["toml"], &["src/config/"]),
    (&["arc_malachitebft_core_consensus", "arc_malachitebft_core_types"], &["src/consensus/bft/"]),
    (&["tracing_subscriber"], &["src/service/log/"]),
];

/// Crates that tests may name anywhere: they sign what a user would sign, and wait for what is asynchronous.
const CRATES_OF_TESTS: [&str; 2] = ["k256", "tokio"];

/// Code that takes time, randomness and bytes as arguments, so that a simulation runs the real thing.
const PURE: [&str; 7] =
    ["src/state/", "src/evm/", "src/chain/", "src/mempool/", "src/consensus/", "src/anchoring/checker/", "types/src/"];

/// What names the world outside.
const IMPURE: [&[&str]; 8] = [
    &["std", "env"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["rand"],
];

/// Pure files that name the world outside all the same, each with the reason.
pub(super) const IMPURE_FILES: [(&str, &str); 3] = [
    ("src/chain/block.rs", "recovers senders on all cores; the answer does not depend on how many there are"),
    ("src/evm/call.rs", "a call that nobody votes on has a deadline"),
    ("src/evm/deadline.rs", "looks at the clock so that such a call ends in time"),
];

/// Pages `mod.rs` that hold more than contents, each with the reason.
pub(super) const MORE_THAN_CONTENTS: [(&str, &str); 3] = [
    ("rpc/src/answers/mod.rs", "joins the namespaces; nothing else knows them all"),
    ("rpc/src/answers/eth/mod.rs", "the table that says which answer belongs to which method"),
    ("src/anchoring/checker/mod.rs", "the order of the steps is what the page is about"),
];

/// A rule that a line breaks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Breach {
    file: String,
    line: usize,
    rule: String,
    section: &'static str,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, section } = self;
        write!(f, "{file}:{line}: {rule}; see ARCHITECTURE.md, \"{section}\"")
    }
}

/// Judges one file. `file` is its path from the root of the repository; `test_files` are those that only tests compile.
pub(super) fn judge(file: &str, text: &str, test_files: &BTreeSet<String>) -> Vec<Breach> {
    let source = match scan(text) {
        Ok(source) => source,
        Err(error) => return vec![breach(file, 1, format!("cannot be read as Rust: {error}"), "Code map")],
    };
    let file_in_tests = is_test_file(file, test_files);
    let mut breaches = Vec::new();
    for path in &source.paths {
        let in_tests = path.in_tests || file_in_tests;
        let rules =
            [room_rule(file, path, in_tests), crate_rule(file, path, in_tests), pure_rule(file, path, in_tests)];
        breaches.extend(rules.into_iter().flatten().map(|rule| breach(file, path.line, rule, "Who may use whom")));
    }
    // Several names out of one forbidden room, on one line, are one breach.
    breaches.dedup();
    breaches.extend(macro_rule(file, &source));
    if !file_in_tests {
        breaches.extend(contents_rule(file, &source));
    }
    breaches
}

fn breach(file: &str, line: usize, rule: String, section: &'static str) -> Breach {
    Breach { file: file.to_owned(), line, rule, section }
}

/// Files that only tests compile: in a folder `tests`, or below a module that is declared so.
fn is_test_file(file: &str, test_files: &BTreeSet<String>) -> bool {
    let stem = file.trim_end_matches(".rs");
    stem.split('/').any(|part| part == "tests")
        || test_files.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/")))
}

/// The modules that only tests compile, as paths without `.rs`.
pub(super) fn test_modules(file: &str, source: &Source) -> Vec<String> {
    let stem = file.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"].iter().find_map(|name| stem.strip_suffix(name)).unwrap_or(stem);
    source.test_modules.iter().map(|name| format!("{folder}/{name}")).collect()
}

fn room_rule(file: &str, path: &NamedPath, in_tests: bool) -> Option<String> {
    let used = used_room(file, path)?;
    let inside = file.strip_prefix("src/")?;
    let (room, allowed) = if file == MAIN.0 {
        ("main.rs", MAIN.1)
    } else {
        let room = inside.split_once('/').map_or(inside.trim_end_matches(".rs"), |(room, _)| room);
        if used == room {
            return None;
        }
        match ROOMS.iter().find(|(name, _)| *name == room) {
            Some((_, allowed)) => (room, *allowed),
            None if room == TEST_ROOM => return None,
            None => return Some(format!("`{room}` is no room that the rules know")),
        }
    };
    if allowed.contains(&used) || (in_tests && used == TEST_ROOM) {
        return None;
    }
    let list = if allowed.is_empty() { "no other".to_owned() } else { allowed.join(", ") };
    Some(format!("`{room}` may not use `{used}` (it may use {list})"))
}

/// The room that a path of `src/` enters from the root of the crate, if it does.
fn used_room<'a>(file: &str, path: &'a NamedPath) -> Option<&'a str> {
    let segments: Vec<&str> = path.segments.iter().map(String::as_str).skip_while(|part| *part == "self").collect();
    match *segments.first()? {
        "crate" | "lucid_node" => segments.get(1).copied(),
        "super" => {
            let ups = segments.iter().take_while(|part| **part == "super").count();
            (ups == depth(file) + path.nesting).then(|| segments.get(ups).copied()).flatten()
        }
        _ => None,
    }
}

/// How many modules lie between the root of the crate and a file.
fn depth(file: &str) -> usize {
    let inside = file.split_once("src/").map_or(file, |(_, inside)| inside);
    let parts: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    let is_page = matches!(parts.last(), Some(&("mod" | "lib" | "main")));
    parts.len() - usize::from(is_page)
}

fn crate_rule(file: &str, path: &NamedPath, in_tests: bool) -> Option<String> {
    let first = path.segments.first()?.as_str();
    let (_, places) = CRATES.iter().find(|(names, _)| names.contains(&first))?;
    let allowed = places.iter().any(|place| file == *place || (place.ends_with('/') && file.starts_with(place)));
    if allowed || (in_tests && CRATES_OF_TESTS.contains(&first)) {
        return None;
    }
    Some(format!("`{first}` is named only in {}", places.join(", ")))
}

fn pure_rule(file: &str, path: &NamedPath, in_tests: bool) -> Option<String> {
    let excepted = IMPURE_FILES.iter().any(|(name, _)| *name == file);
    if in_tests || excepted || !PURE.iter().any(|place| file.starts_with(place)) {
        return None;
    }
    let names =
        |what: &&&[&str]| path.segments.len() >= what.len() && what.iter().zip(&path.segments).all(|(a, b)| a == b);
    let what = IMPURE.iter().find(names)?;
    Some(format!("`{}` in a pure room: time, randomness and files come in as arguments", what.join("::")))
}

fn macro_rule(file: &str, source: &Source) -> Vec<Breach> {
    let unfinished = |name: &str| matches!(name, "todo" | "unimplemented");
    let found = source.macros.iter().filter(|(_, name)| unfinished(name));
    let rule = |name: &str| format!("`{name}!`: what is not built yet is absent");
    found.map(|(line, name)| breach(file, *line, rule(name), "Code map")).collect()
}

fn contents_rule(file: &str, source: &Source) -> Vec<Breach> {
    let is_page = file.ends_with("/mod.rs") || file.ends_with("/lib.rs");
    let excepted = MORE_THAN_CONTENTS.iter().any(|(name, _)| *name == file);
    match (is_page, excepted, source.other_items.is_empty()) {
        (true, true, true) => {
            let rule = "is excepted from the rule for contents pages, and need not be".to_owned();
            vec![breach(file, 1, rule, "Contents pages")]
        }
        (true, false, false) => {
            let rule = "a contents page holds docs, `mod` and `pub use`; this belongs in a file beside it";
            let lines = source.other_items.iter();
            lines.map(|line| breach(file, *line, rule.to_owned(), "Contents pages")).collect()
        }
        _ => Vec::new(),
    }
}
