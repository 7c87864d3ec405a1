//! Seeds: a number of them each time, each way of attacking, and that a seed is a run.

use crate::{AttackerKind, LedgerKind, Setting, Summary, run};

/// Seeds that the suite runs over each ledger. `SIM_SEEDS` asks for more.
const SYNTHETIC_SEEDS: u64 = 60;
const REAL_SEEDS: u64 = 20;

/// Virtual minutes of each.
const MINUTES: u64 = 10;

/// Seeds against each kind of attacker.
const SEEDS_AGAINST_EACH: u64 = 3;

fn run_or_panic(setting: Setting) -> Summary {
    run(setting).unwrap_or_else(|failure| panic!("{failure}"))
}

fn seeds(otherwise: u64) -> u64 {
    std::env::var("SIM_SEEDS").ok().map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn no_seed_forks_the_chain_signs_twice_or_stands_still() {
    for seed in 0..seeds(SYNTHETIC_SEEDS) {
        let summary = run_or_panic(Setting { ledger: LedgerKind::Synthetic, seed, minutes: MINUTES, only: None });
        assert!(summary.heights > 0, "{summary:?}");
    }
}

#[test]
fn no_seed_does_so_over_the_real_chain_and_store_while_validators_come_and_go() {
    let mut sets = 0;
    for seed in 0..seeds(REAL_SEEDS) {
        let summary = run_or_panic(Setting { ledger: LedgerKind::Real, seed, minutes: MINUTES, only: None });
        assert!(summary.heights > 0, "{summary:?}");
        sets += summary.sets;
    }
    assert!(sets > 2 * REAL_SEEDS as usize, "hardly anybody comes or goes: {sets} sets");
}

#[test]
fn each_attack_alone_is_withstood_by_more_than_two_thirds() {
    for only in AttackerKind::ALL.map(Some) {
        for seed in 0..SEEDS_AGAINST_EACH {
            for ledger in [LedgerKind::Synthetic, LedgerKind::Real] {
                let summary = run_or_panic(Setting { ledger, seed, minutes: MINUTES, only });
                assert!(summary.heights > 0 && summary.nodes.1 > 0, "{only:?}: {summary:?}");
                let caught = only != Some(AttackerKind::Equivocator) || summary.evidence > 0;
                assert!(caught, "nobody caught it: {summary:?}");
            }
        }
    }
}

#[test]
fn a_seed_is_a_run() {
    for ledger in [LedgerKind::Synthetic, LedgerKind::Real] {
        let of_seed = |seed| run(Setting { ledger, seed, minutes: 5, only: None });
        assert_eq!(of_seed(7), of_seed(7));
        assert_ne!(of_seed(7).map(|summary| summary.digest), of_seed(8).map(|summary| summary.digest));
    }
}
