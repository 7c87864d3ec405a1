//! `sim`: runs seeds, says what came of each, and ends with the first that fails.

use lucid_sim::{AttackerKind, run};
use std::process::ExitCode;

const USAGE: &str = "sim [--seed S] [--seeds N] [--minutes M] [--attackers KIND]\n\n\
    Runs N seeds from S on (one, and 0, if not said), M virtual minutes each (10), and prints a line for each.\n\
    With --attackers just below a third of the nodes attack, all in one way: a wrong name lists them.\n\
    A seed that fails is printed as `seed S after T ms: why`; `sim --seed S` with the rest as it was repeats it.";

struct Args {
    seed: u64,
    seeds: u64,
    minutes: u64,
    only: Option<AttackerKind>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Args> {
    let mut args = Args { seed: 0, seeds: 1, minutes: 10, only: None };
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--seed" => args.seed = value.parse().ok()?,
            "--seeds" => args.seeds = value.parse().ok()?,
            "--minutes" => args.minutes = value.parse().ok()?,
            "--attackers" => args.only = Some(AttackerKind::named(&value)?),
            _ => return None,
        }
    }
    Some(args)
}

fn main() -> ExitCode {
    let Some(args) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}\n\nKinds: {:?}", AttackerKind::ALL);
        return ExitCode::from(2);
    };
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        match run(seed, args.minutes, args.only) {
            Ok(summary) => println!("{summary:?}"),
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
