//! Seeds: a number of them each time, each way of attacking, and that a seed is a run.

use crate::{AttackerKind, LedgerKind, Setting, Summary, run};

/// Seeds that the suite runs over each ledger, and virtual minutes of each: for all of them two cores take about three
/// minutes unoptimised. A real seed costs some four times as much as a synthetic one, and in half the minutes it
/// passes as many epochs as it takes for validators to come and go. `SIM_SEEDS` asks for more.
const SYNTHETIC: (u64, u64) = (100, 10);
const REAL: (u64, u64) = (60, 5);

/// Seeds against each kind of attacker over each ledger.
const SEEDS_AGAINST_EACH: usize = 2;

fn run_or_panic(setting: Setting) -> Summary {
    run(setting).unwrap_or_else(|failure| panic!("{failure}"))
}

fn settings(ledger: LedgerKind) -> impl Iterator<Item = Setting> {
    let (seeds, minutes) = if ledger == LedgerKind::Real { REAL } else { SYNTHETIC };
    let asked = std::env::var("SIM_SEEDS").ok().map(|text| text.parse().unwrap());
    (0..asked.unwrap_or(seeds)).map(move |seed| Setting { ledger, seed, minutes, only: None })
}

#[test]
fn no_seed_forks_the_chain_signs_twice_or_stands_still() {
    for setting in settings(LedgerKind::Synthetic) {
        let summary = run_or_panic(setting);
        assert!(summary.heights > 0, "{summary:?}");
    }
}

#[test]
fn nor_over_the_real_chain_and_store_while_power_fails_and_validators_come_and_go() {
    let (mut seeds, mut sets, mut cuts) = (0, 0, 0);
    for setting in settings(LedgerKind::Real) {
        let summary = run_or_panic(setting);
        assert!(summary.heights > 0 && summary.proofs > 0, "{summary:?}");
        seeds += 1;
        sets += summary.sets as u64;
        cuts += summary.cuts;
    }
    assert!(2 * sets > 3 * seeds && cuts > seeds, "hardly anything happened: {sets} sets, {cuts} cuts");
}

#[test]
fn each_attack_alone_is_withstood_by_more_than_two_thirds() {
    for ledger in [LedgerKind::Synthetic, LedgerKind::Real] {
        for only in AttackerKind::ALL {
            let mut evidence = 0;
            for setting in settings(ledger).take(SEEDS_AGAINST_EACH) {
                let summary = run_or_panic(Setting { only: Some(only), ..setting });
                assert!(summary.heights > 0 && summary.nodes.1 > 0, "{only:?}: {summary:?}");
                evidence += summary.evidence;
            }
            assert!(only != AttackerKind::Equivocator || evidence > 0, "nobody caught it over {ledger:?}");
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
