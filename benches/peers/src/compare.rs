//! All stores in turns, several times, and the medians side by side.

use crate::{
    Peers,
    measure::{Measured, Size},
};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use std::{env, process::Command};

/// What is compared: its name, how it is got, and whether more of it is better.
type Line = (&'static str, fn(&Measured) -> f64, bool);

const LINES: [Line; 13] = [
    ("insert, 1,000 to a commit, documents/s", |m| m.insert_1000, true),
    ("bytes written for each", |m| m.written, false),
    ("processor time for each, µs", |m| m.cpu_us, false),
    ("insert, one to a commit, documents/s", |m| m.insert_1, true),
    ("bytes written for each", |m| m.written_1, false),
    ("processor time for each, µs", |m| m.cpu_us_1, false),
    ("insert, one at a time by 16 writers at once, documents/s", |m| m.insert_1_of_16, true),
    ("syncs for each", |m| m.syncs.unwrap_or(f64::NAN), false),
    ("get by key, documents/s", |m| m.get, true),
    ("range of 100 documents, ranges/s", |m| m.range, true),
    ("get by an index, documents/s", |m| m.index, true),
    ("bytes on disk for each document", |m| m.file, false),
    ("most memory of the process, KiB", |m| m.memory_kib, false),
];

/// Measures each of them `rounds` times and prints a table in Markdown: medians, and in brackets how many times as good the
/// node's store is.
pub fn compare(size: Size, rounds: usize, server: Option<&str>) -> Result<()> {
    let peers: Vec<_> =
        Peers::value_variants().iter().filter(|peer| **peer != Peers::Server || server.is_some()).collect();
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); peers.len()];
    for round in 1..=rounds {
        for (peer, measured) in peers.iter().zip(&mut measured) {
            eprintln!("round {round} of {rounds}: {peer}");
            measured.push(alone(**peer, size, server)?);
        }
    }
    print!("| |");
    peers.iter().for_each(|peer| print!(" {peer} |"));
    println!("\n|---|{}", "---|".repeat(peers.len()));
    for (name, value, more_is_better) in LINES {
        let medians: Vec<_> = measured.iter().map(|rounds| median(rounds.iter().map(value).collect())).collect();
        print!("| {name} | {} |", shown(medians[0]));
        for other in &medians[1..] {
            let ratio = if more_is_better { medians[0] / other } else { other / medians[0] };
            print!(" {}{} |", shown(*other), if ratio.is_nan() { String::new() } else { format!(" ({ratio:.2})") });
        }
        println!();
    }
    Ok(())
}

/// Measures one in a process of its own, so that the memory is its own too.
fn alone(peer: Peers, size: Size, server: Option<&str>) -> Result<Measured> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["run", &peer.to_string()]);
    for (name, value) in [("--documents", size.documents), ("--single", size.single), ("--reads", size.reads)] {
        command.args([name, &value.to_string()]);
    }
    command.args(server.map(|server| format!("--server={server}")));
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{peer} failed");
    serde_json::from_slice(&output.stdout).context("a measurement cannot be read")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// With commas between thousands; nothing of what was not counted.
fn shown(value: f64) -> String {
    if value.is_nan() {
        return String::new();
    }
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
