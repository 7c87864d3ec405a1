//! Seeds: a number of them each time, and that a seed is a run.

use crate::run;

/// Seeds that the suite runs; about two minutes unoptimised on two cores. `SIM_SEEDS` asks for more.
const SEEDS: u64 = 40;

/// Virtual minutes of each.
const MINUTES: u64 = 10;

#[test]
fn no_seed_forks_the_chain_signs_twice_or_stands_still() {
    let asked = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..asked.unwrap_or(SEEDS) {
        let summary = run(seed, MINUTES).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(summary.heights > 0, "{summary:?}");
    }
}

#[test]
fn a_seed_is_a_run() {
    assert_eq!(run(7, 5), run(7, 5));
    assert_ne!(run(7, 5).map(|summary| summary.digest), run(8, 5).map(|summary| summary.digest));
}
