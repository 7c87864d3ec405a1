//! Makes the files of a package that follow from the node's own definitions: a manual page for the program and for each
//! of its subcommands, completions for bash, zsh and fish, the configuration file to begin from, and the notices of the
//! libraries in the program.
//!
//! They come from what `--help`, the table of settings and cargo come from, so they cannot say anything else.

mod licences;

use anyhow::Context;
use clap_complete::Shell;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What the program is called, and the first part of the name of every page.
const PROGRAM: &str = "lucid-node";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), Some(triple), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: lucid-assets FOLDER TARGET-TRIPLE");
        return ExitCode::from(2);
    };
    let folder = PathBuf::from(folder);
    match write_all(&folder).and_then(|()| write_notices(&folder, &triple.to_string_lossy())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes everything into `folder`, whose folder `man` is made anew: a page of a subcommand that is gone must not stay.
fn write_all(folder: &Path) -> anyhow::Result<()> {
    let pages = folder.join("man");
    if pages.exists() {
        fs::remove_dir_all(&pages).with_context(|| pages.display().to_string())?;
    }
    fs::create_dir_all(&pages).with_context(|| pages.display().to_string())?;
    clap_mangen::generate_to(lucid_node::cli::command(), &pages).context("cannot write the manual pages")?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut lucid_node::cli::command(), PROGRAM, folder)
            .with_context(|| format!("cannot write the completions for {shell}"))?;
    }
    let bash = folder.join(format!("{PROGRAM}.bash"));
    let script = fs::read_to_string(&bash).with_context(|| bash.display().to_string())?;
    fs::write(&bash, mended(&script)).with_context(|| bash.display().to_string())?;
    let config = folder.join("lucid-node.toml");
    fs::write(&config, lucid_node::config::template()).with_context(|| config.display().to_string())
}

/// The completions for bash with one name for each subcommand. clap_complete calls a subcommand of a program with a hyphen
/// in its name `lucid__node__…` where it sets it and `lucid__subcmd__node__…` where it looks for it, so that nothing is
/// found below the first word (clap-rs/clap issue 6421). Where the names agree nothing changes.
fn mended(script: &str) -> String {
    let name = PROGRAM.replace('-', "__");
    let other = PROGRAM.replace('-', "__subcmd__");
    match script.contains(&format!("cmd=\"{name}__")) {
        true => script.replace(&other, &name),
        false => script.to_owned(),
    }
}

fn write_notices(folder: &Path, triple: &str) -> anyhow::Result<()> {
    let path = folder.join("third-party-licences");
    fs::write(&path, licences::notices(PROGRAM, triple)?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names of the pages that a command and what is below it should have.
    fn pages_of(command: &clap::Command, name: &str, pages: &mut BTreeSet<String>) {
        pages.insert(format!("{name}.1"));
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            pages_of(below, &format!("{name}-{}", below.get_name()), pages);
        }
    }

    fn written() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path()).unwrap();
        folder
    }

    #[test]
    fn every_subcommand_has_a_page_and_every_page_a_subcommand() {
        let folder = written();
        fs::write(folder.path().join("man/lucid-node-gone.1"), "").unwrap();
        write_all(folder.path()).unwrap();
        let mut expected = BTreeSet::new();
        pages_of(&lucid_node::cli::command(), PROGRAM, &mut expected);
        assert!(expected.contains("lucid-node-session-anchor.1"), "{expected:?}");
        let found: BTreeSet<String> = fs::read_dir(folder.path().join("man"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn completions_and_pages_know_what_the_program_takes() {
        let folder = written();
        for (name, word) in [
            ("lucid-node.bash", "--accept-restored"),
            ("_lucid-node", "--accept-restored"),
            ("lucid-node.fish", "accept-restored"),
            ("man/lucid-node-run.1", "accept\\-restored"),
            ("man/lucid-node.1", "lucid\\-node\\-run(1)"),
        ] {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.contains(word), "{name} does not have {word}");
        }
    }

    /// What bash offers after these words, of which the last is begun. `None` where there is no bash.
    fn offered(script: &Path, words: &[&str]) -> Option<Vec<String>> {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let last = words.len() - 1;
        let line = format!(
            "source '{}'; COMP_WORDS=({}); COMP_CWORD={last}; _lucid__node lucid-node \"${{COMP_WORDS[{last}]}}\" \
             \"${{COMP_WORDS[{}]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display(),
            quoted.join(" "),
            last - 1
        );
        let output = std::process::Command::new("bash").args(["--norc", "-c", &line]).output().ok()?;
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
    }

    #[test]
    fn bash_completes_below_the_first_word() {
        let folder = written();
        let script = folder.path().join("lucid-node.bash");
        let Some(first) = offered(&script, &["lucid-node", "doc"]) else {
            return println!("skipped: there is no bash");
        };
        assert_eq!(first, ["doctor"]);
        assert_eq!(offered(&script, &["lucid-node", "db", "res"]).unwrap(), ["restore"]);
        let scopes = offered(&script, &["lucid-node", "key", "rotate-token", ""]).unwrap();
        for scope in ["admin", "anchor", "payout", "read", "--datadir"] {
            assert!(scopes.iter().any(|offer| offer == scope), "{scope}: {scopes:?}");
        }
        assert_eq!(mended("cmd=\"lucid__subcmd__node__subcmd__db\""), "cmd=\"lucid__subcmd__node__subcmd__db\"");
    }

    /// What is generated twice must be the same bytes, or no package could be.
    #[test]
    fn the_same_bytes_come_out_each_time() {
        let (one, other) = (written(), written());
        for name in ["man/lucid-node.1", "lucid-node.bash", "_lucid-node", "lucid-node.fish", "lucid-node.toml"] {
            let read = |folder: &tempfile::TempDir| fs::read(folder.path().join(name)).unwrap();
            assert_eq!(read(&one), read(&other), "{name}");
        }
    }

    #[test]
    fn a_page_in_the_package_leads_to_pages_in_the_package() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let in_package = |line: &str| Some(line.trim().strip_prefix("[\"docs/")?.split_once('"')?.0.to_owned());
        let pages: BTreeSet<String> = manifest.lines().filter_map(in_package).collect();
        assert!(pages.contains("operate.md") && pages.len() > 2, "{pages:?}");
        for page in pages.iter().filter(|page| page.ends_with(".md")) {
            let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
            for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
                let leads = link.is_empty() || link.contains("://") || pages.contains(link);
                assert!(leads, "{page} leads to {link}, which is not in the package");
            }
        }
    }

    /// Words of a text that are names of metrics.
    fn metrics_in(text: &str) -> BTreeSet<&str> {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        words.filter(|word| word.starts_with("lucid_")).collect()
    }

    #[test]
    fn alerts_and_dashboard_name_metrics_that_the_node_has() {
        let known = metrics_in(include_str!("../../../rpc/src/health/metrics.rs"));
        let alerts = metrics_in(include_str!("../../examples/prometheus-alerts.yml"));
        let dashboard = metrics_in(include_str!("../../examples/grafana-dashboard.json"));
        assert!(alerts.len() > 10 && dashboard.len() > 15, "names are found at all");
        for name in alerts.union(&dashboard) {
            assert!(known.contains(name), "{name} is no metric of the node");
        }
    }
}
