//! Seeds: a number of them each time, each way of attacking, and that a seed is a run.

use crate::{AttackerKind, run};

/// Seeds that the suite runs: with those below about two minutes unoptimised on two cores. `SIM_SEEDS` asks for more.
const SEEDS: u64 = 60;

/// Virtual minutes of each.
const MINUTES: u64 = 10;

/// Seeds against each kind of attacker.
const SEEDS_AGAINST_EACH: u64 = 3;

#[test]
fn no_seed_forks_the_chain_signs_twice_or_stands_still() {
    let asked = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..asked.unwrap_or(SEEDS) {
        let summary = run(seed, MINUTES, None).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(summary.heights > 0, "{summary:?}");
    }
}

#[test]
fn each_attack_alone_is_withstood_by_more_than_two_thirds() {
    for kind in AttackerKind::ALL {
        for seed in 0..SEEDS_AGAINST_EACH {
            let summary = run(seed, MINUTES, Some(kind)).unwrap_or_else(|failure| panic!("{kind:?}: {failure}"));
            assert!(summary.heights > 0 && summary.nodes.1 > 0, "{kind:?}: {summary:?}");
            assert!(kind != AttackerKind::Equivocator || summary.evidence > 0, "nobody caught it: {summary:?}");
        }
    }
}

#[test]
fn a_seed_is_a_run() {
    assert_eq!(run(7, 5, None), run(7, 5, None));
    assert_ne!(run(7, 5, None).map(|summary| summary.digest), run(8, 5, None).map(|summary| summary.digest));
}
