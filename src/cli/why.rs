use super::{
    app::printable,
    exit_codes::{self, NO_INPUT, coded},
    time::{unix_now, utc},
};
use crate::{
    node::DataDir,
    service::{Ending, Entry, Event, Flight, Recorder, boot_id},
};
use anyhow::Context;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Say why the node stopped, or was started again: its last starts, stops, faults and warnings, which are kept over a
/// power cut.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The node's folder.
    #[arg(long, value_name = "DIR", default_value = DataDir::INSTALLED)]
    datadir: PathBuf,
    /// How many entries are printed, the last ones.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    lines: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = &args.datadir;
    let found = fs::metadata(folder).with_context(|| format!("cannot look into {}", folder.display()))?;
    if !found.is_dir() {
        return Err(coded(NO_INPUT, format!("{} is not a folder", folder.display())));
    }
    let flight =
        Flight::read(folder).with_context(|| format!("cannot read the flight recorder in {}", folder.display()))?;
    let shown = &flight.entries[flight.entries.len().saturating_sub(args.lines)..];
    if args.json {
        let document = json!({ "entries": shown, "starts": flight.starts(), "unreadable_lines": flight.unreadable });
        println!("{document:#}");
        return Ok(());
    }
    if flight.entries.is_empty() {
        println!("Nothing is on record in {}: `lucid-node run` has not run on this folder yet.", folder.display());
        return Ok(());
    }
    for entry in shown {
        println!("{}  {}", utc(entry.at), printable(&sentence(entry)).replace('\n', " "));
    }
    println!("\n{}", verdict(&flight, Recorder::is_in_use(folder)));
    Ok(())
}

fn sentence(entry: &Entry) -> String {
    match &entry.event {
        Event::Start { version, before: Ending::First, .. } => {
            format!("started, version {version}, for the first time")
        }
        Event::Start { version, before, .. } => format!("started, version {version}; the run before: {before}"),
        Event::Stop { code: 0, reason } => format!("stopped: {reason}"),
        Event::Stop { code, reason } => format!("ended with exit code {code}: {reason}"),
        Event::Fault { reason } => format!("FAULT: {reason}"),
        Event::Warning { text } => format!("warning: {text}"),
    }
}

/// How the last run on a folder ended, in a sentence of one line; `None` where nothing is on record, or nobody may look.
pub(super) fn last_ending(folder: &Path) -> Option<String> {
    let flight = Flight::read(folder).ok()?;
    let last = flight.entries.iter().rev().find(|entry| !matches!(entry.event, Event::Warning { .. }))?;
    let text = match &last.event {
        Event::Start { .. } => flight.ending(&boot_id()).to_string(),
        _ => sentence(last),
    };
    Some(printable(&text).lines().next().unwrap_or_default().to_owned())
}

/// What it comes to.
fn verdict(flight: &Flight, runs: bool) -> String {
    let starts = flight.starts();
    let counts: Vec<String> = Ending::ALL
        .into_iter()
        .filter_map(|ending| Some(format!("{} {}", starts.get(&ending)?, ending.name().replace('_', " "))))
        .collect();
    let counts = format!("Starts so far, by how the run before ended: {}.", counts.join(", "));
    let Some(last) = flight.last_start() else { return counts };
    let ended = flight.ending(&boot_id());
    if runs {
        let days = unix_now().saturating_sub(last.at) / 86_400;
        return format!("{counts}\nA node runs on this folder since {} ({days} days).", utc(last.at));
    }
    let last = flight.entries.iter().rev().find(|entry| !matches!(entry.event, Event::Warning { .. }));
    let code = match last.map(|entry| &entry.event) {
        Some(Event::Stop { code, .. }) if *code != 0 => Some(*code),
        Some(Event::Fault { .. }) => Some(exit_codes::SOFTWARE),
        _ => None,
    };
    let row = code.and_then(exit_codes::meaning);
    let help = row.map(|meaning| format!("\nIts exit code means: {meaning}.")).unwrap_or_default();
    format!("{counts}\nThe last run has ended: {ended}.{help}")
}
