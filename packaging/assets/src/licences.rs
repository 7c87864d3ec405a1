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

/// Features that the package's program is built with beside the default ones.
const FEATURES: &str = if cfg!(feature = "mongo") { "mongo" } else { "" };

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
    // Of the two, the tree knows which features are on, and the metadata where the files are.
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package",
        program,
        "--target",
        triple,
        "--features",
        FEATURES,
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ])?;
    let metadata = cargo(&["metadata", "--locked", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata gives no JSON")?;
    write_notices(&libraries(&linked(&tree), &metadata)?)
}

fn cargo(arguments: &[&str]) -> anyhow::Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).output().context("cannot run cargo")?;
    anyhow::ensure!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("cargo writes no UTF-8")
}

/// Names and versions in what `cargo tree` writes: `name v1.2.3 (path) (*)`.
fn linked(tree: &str) -> BTreeSet<(&str, &str)> {
    let lines = tree.lines().map(|line| line.split(' '));
    lines.filter_map(|mut words| Some((words.next()?, words.next()?.strip_prefix('v')?))).collect()
}

/// The libraries among all packages that are linked and others' work.
fn libraries(linked: &BTreeSet<(&str, &str)>, metadata: &Value) -> anyhow::Result<BTreeSet<Library>> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let packages = packages.filter(|package| {
        let (name, version) = (text(package, "name"), text(package, "version"));
        !package["source"].is_null() && linked.contains(&(name.as_str(), version.as_str()))
    });
    packages.map(library).collect()
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
    fn what_is_linked_and_of_others_is_named_in_the_version_that_is_linked() {
        let package = |name: &str, version: &str, source: Value| {
            json!({"name": name, "version": version, "license": "MIT", "repository": "", "source": source,
                   "manifest_path": format!("/x/{name}/Cargo.toml")})
        };
        let packages = [
            package("node", "1.0.0", Value::Null),
            package("a", "1.0.0", json!("registry")),
            package("a", "2.0.0", json!("registry")),
            package("b", "1.0.0", json!("registry")),
        ];
        let linked = linked("node v1.0.0 (/x/node)\na v2.0.0\na v2.0.0 (*)\n\n");
        let found = libraries(&linked, &json!({"packages": packages})).unwrap();
        let names: Vec<(&str, &str)> =
            found.iter().map(|found| (found.name.as_str(), found.version.as_str())).collect();
        assert_eq!(names, [("a", "2.0.0")]);
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
