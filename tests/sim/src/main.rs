//! `sim`: runs seeds, says what came of each, and ends with the first that fails.

use lucid_sim::{AttackerKind, LedgerKind, Setting, run};
use std::process::ExitCode;

const USAGE: &str = "sim [--ledger real|synthetic] [--seed S] [--seeds N] [--minutes M] [--attackers KIND]\n\n\
    Runs N seeds from S on (one, and 0, if not said), M virtual minutes each (10), and prints a line for each.\n\
    With --attackers just below a third of the nodes attack, all in one way: a wrong name lists them.\n\
    A seed that fails is printed as `seed S after T ms: why`; `sim --seed S` with the rest as it was repeats it.";

struct Args {
    setting: Setting,
    seeds: u64,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Args> {
    let setting = Setting { ledger: LedgerKind::Synthetic, seed: 0, minutes: 10, only: None };
    let mut args = Args { setting, seeds: 1 };
    while let Some(word) = words.next() {
        let value = words.next()?;
        match (word.as_str(), value.as_str()) {
            ("--ledger", "real") => args.setting.ledger = LedgerKind::Real,
            ("--ledger", "synthetic") => args.setting.ledger = LedgerKind::Synthetic,
            ("--seed", _) => args.setting.seed = value.parse().ok()?,
            ("--seeds", _) => args.seeds = value.parse().ok()?,
            ("--minutes", _) => args.setting.minutes = value.parse().ok()?,
            ("--attackers", _) => args.setting.only = Some(AttackerKind::named(&value)?),
            _ => return None,
        }
    }
    Some(args)
}

fn main() -> ExitCode {
    let Some(Args { setting, seeds }) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}\n\nKinds: {:?}", AttackerKind::ALL);
        return ExitCode::from(2);
    };
    for seed in setting.seed..setting.seed.saturating_add(seeds) {
        match run(Setting { seed, ..setting }) {
            Ok(summary) => println!("{summary:?}"),
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
