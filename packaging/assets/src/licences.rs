//! The notices of the libraries that are linked into the program. Their licences ask that they go with it.

use anyhow::Context;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
    process::Command,
};

/// What names of files with a licence or a notice begin with, in capitals.
const NOTICE_NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// A library in the program.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Library {
    name: String,
    version: String,
    licence: String,
    source: String,
    folder: String,
}

/// All notices of what is linked into `program` for `triple`, as one text.
///
/// # Errors
/// Where cargo does not know the dependencies, or a library has no licence.
pub(crate) fn notices(program: &str, triple: &str) -> anyhow::Result<String> {
    let metadata = cargo(&["metadata", "--locked", "--format-version", "1", "--filter-platform", triple])?;
    let metadata: Value = serde_json::from_slice(&metadata).context("cargo metadata gives no JSON")?;
    let mut libraries = libraries(&metadata, program)?;
    // The features in those data are those of all members and their tests together; the tree has the program's own.
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package",
        program,
        "--target",
        triple,
        "--edges",
        "normal",
        "--prefix",
        "none",
    ])?;
    let linked = in_tree(&String::from_utf8_lossy(&tree));
    libraries.retain(|library| linked.contains(&(library.name.clone(), library.version.clone())));
    write_notices(&libraries)
}

fn cargo(arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(arguments).output().with_context(|| format!("cannot run cargo {}", arguments[0]))?;
    anyhow::ensure!(output.status.success(), "cargo {}: {}", arguments[0], String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// Names and versions in what `cargo tree` writes without a prefix.
fn in_tree(tree: &str) -> BTreeSet<(String, String)> {
    let lines = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    });
    lines.collect()
}

/// What is linked into `program`, others' work only: normal dependencies, without macros, which run in the compiler.
fn libraries(metadata: &Value, program: &str) -> anyhow::Result<BTreeSet<Library>> {
    let by_id = |list: &'static str| -> BTreeMap<&str, &Value> {
        let list = metadata.pointer(list).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|entry| Some((entry["id"].as_str()?, entry))).collect()
    };
    let (packages, nodes) = (by_id("/packages"), by_id("/resolve/nodes"));
    let root = packages.iter().find(|(_, package)| package["name"] == program).map(|(id, _)| *id);
    let mut waiting = vec![root.with_context(|| format!("there is no package {program}"))?];
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let package = packages.get(id).with_context(|| format!("{id} is not described"))?;
        if !seen.insert(id) || is_macro(package) {
            continue;
        }
        if !package["source"].is_null() {
            found.insert(library(package)?);
        }
        let dependencies = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
        waiting.extend(dependencies.filter(|dependency| is_linked(dependency)).filter_map(|of| of["pkg"].as_str()));
    }
    Ok(found)
}

fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets.filter_map(|target| target["kind"].as_array()).flatten().any(|kind| kind == "proc-macro")
}

fn is_linked(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
}

fn library(package: &Value) -> anyhow::Result<Library> {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let manifest = text("manifest_path");
    let folder = Path::new(&manifest).parent().with_context(|| format!("{manifest} is in no folder"))?;
    let (name, licence) = (text("name"), text("license"));
    anyhow::ensure!(!licence.is_empty(), "{name} names no licence");
    let folder = folder.to_string_lossy().into_owned();
    Ok(Library { name, version: text("version"), licence, source: text("repository"), folder })
}

fn write_notices(libraries: &BTreeSet<Library>) -> anyhow::Result<String> {
    let mut text = String::from(
        "The program contains Rust's standard library (MIT or Apache-2.0, https://www.rust-lang.org) and the libraries\n\
         below. After the list come their notices, each once, with the names of those that it belongs to.\n\n",
    );
    let mut notices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for library in libraries {
        let name = format!("{} {}", library.name, library.version);
        writeln!(text, "{name}: {}, {}", library.licence, library.source)?;
        for notice in notices_in(Path::new(&library.folder))? {
            notices.entry(notice).or_default().push(name.clone());
        }
    }
    for (notice, names) in notices {
        write!(text, "\n{}\n{}\n\n{notice}\n", "=".repeat(80), names.join(", "))?;
    }
    Ok(text)
}

/// The texts of the notices in a library's folder, without what differs in line ends and blank lines only.
fn notices_in(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NOTICE_NAMES.iter().any(|begin| name.starts_with(begin)) {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            texts.insert(lines.join("\n").trim_matches('\n').to_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_linked_is_named_and_what_runs_in_the_compiler_is_not() {
        let package = |id: &str, source: Value, kind: &str| {
            json!({"id": id, "name": id, "version": "1", "license": "MIT", "repository": "", "source": source,
                   "manifest_path": format!("/x/{id}/Cargo.toml"), "targets": [{"kind": [kind]}]})
        };
        let dependency = |id: &str, kind: Value| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [
                package("node", Value::Null, "bin"), package("ours", Value::Null, "lib"), package("a", json!("r"), "lib"),
                package("macro", json!("r"), "proc-macro"), package("below-macro", json!("r"), "lib"),
                package("build", json!("r"), "lib"), package("tests", json!("r"), "lib"),
            ],
            "resolve": {"nodes": [
                {"id": "node", "deps": [dependency("ours", Value::Null), dependency("tests", json!("dev"))]},
                {"id": "ours", "deps": [dependency("a", Value::Null), dependency("macro", Value::Null)]},
                {"id": "macro", "deps": [dependency("below-macro", Value::Null)]},
                {"id": "a", "deps": [dependency("build", json!("build"))]},
            ]},
        });
        let names: Vec<String> = libraries(&metadata, "node").unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["a"]);
        assert!(libraries(&metadata, "gone").is_err());
    }

    #[test]
    fn the_node_s_own_libraries_are_all_there_with_their_notices() {
        let text = notices("lucid-node", "x86_64-unknown-linux-gnu").unwrap();
        for word in ["\nredb ", "\nrevm ", "\ntokio ", "\nsecp256k1-sys ", "Copyright (c) "] {
            assert!(text.contains(word), "{word}");
        }
        assert!(!text.contains("\nproptest ") && !text.contains("\nclap_derive "));
    }
}
