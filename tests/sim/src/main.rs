//! `sim`: runs seeds, says what came of each, and ends with the first that fails.

use lucid_sim::run;
use std::process::ExitCode;

const USAGE: &str = "sim [--seed S] [--seeds N] [--minutes M]\n\n\
    Runs N seeds from S on (0 and 1 if not said), M virtual minutes each (10), and prints a line for each.\n\
    One that fails is printed as `seed S after T ms: why`; `sim --seed S` with the same minutes repeats it.";

struct Args {
    seed: u64,
    seeds: u64,
    minutes: u64,
}

fn parse(words: impl Iterator<Item = String>) -> Option<Args> {
    let mut args = Args { seed: 0, seeds: 1, minutes: 10 };
    let mut words = words;
    while let Some(word) = words.next() {
        let value = words.next()?.parse().ok()?;
        match word.as_str() {
            "--seed" => args.seed = value,
            "--seeds" => args.seeds = value,
            "--minutes" => args.minutes = value,
            _ => return None,
        }
    }
    Some(args)
}

fn main() -> ExitCode {
    let Some(args) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        match run(seed, args.minutes) {
            Ok(summary) => println!("{summary:?}"),
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
