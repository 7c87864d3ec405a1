use super::*;
use crate::testing::key;
use alloy_primitives::B256;
use lucid_types::{ConsensusKey, Validator};
use proptest::prelude::*;

const SEED: B256 = B256::repeat_byte(5);
use ScheduleRole::{CooldownFallback, EmergencyFallback, Fallback, Primary};

fn node(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn set(nodes: impl IntoIterator<Item = u8>) -> ValidatorSet {
    let member = |n: u8| Validator {
        address: node(n),
        consensus_key: ConsensusKey::from_bytes(key(n).public_key_compressed()).unwrap(),
    };
    ValidatorSet::new(nodes.into_iter().map(member).collect()).unwrap()
}

fn ranked(entity: u8, served_by: u8, credits: u64) -> RankedEntity {
    RankedEntity { entity: node(entity), served_by: node(served_by), credits, uptime: 1_000_000 }
}

fn epoch(entities: Vec<RankedEntity>) -> EpochRecord {
    EpochRecord { seed: SEED, entities }
}

fn order(height: u64, tally: Option<&EpochRecord>, history: &LeaderHistory, set: &ValidatorSet) -> Order {
    Order::new(&OrderTerms { height, epoch: 2, tally, history, set })
}

fn entities(order: &Order) -> Vec<(Address, ScheduleRole)> {
    order.places().iter().map(|place| (place.entity, place.role)).collect()
}

#[test]
fn without_a_tally_the_validators_take_turns_by_height() {
    let (set, none) = (set([1, 2, 3]), LeaderHistory::default());
    let leaders = |height| order(height, None, &none, &set).places().iter().map(|p| p.leader).collect::<Vec<_>>();
    assert_eq!(leaders(3), [1, 2, 3].map(node));
    assert_eq!(leaders(4), [2, 3, 1].map(node));
    assert_eq!(leaders(5), [3, 1, 2].map(node));
    assert!(order(3, None, &none, &set).places().iter().all(|place| place.role == EmergencyFallback));
}

#[test]
fn the_best_rested_entity_is_first_then_the_rest_then_who_serves_none() {
    let (set, none) = (set([1, 2, 3, 4]), LeaderHistory::default());
    let tally = epoch(vec![ranked(3, 3, 30), ranked(1, 1, 20)]);
    let order = order(8, Some(&tally), &none, &set);
    let expected = [(3, Primary), (1, Fallback), (2, EmergencyFallback), (4, EmergencyFallback)];
    assert_eq!(entities(&order), expected.map(|(n, role)| (node(n), role)));
}

#[test]
fn who_led_of_late_comes_after_the_rested_and_the_longest_rested_before_the_others() {
    let (set, tally) = (set([1, 2, 3, 4]), epoch((1..=4).map(|n| ranked(n, n, 100 - u64::from(n))).collect()));
    let led = [(1, 50), (3, 40), (2, 45)].map(|(n, slot)| (node(n), slot));
    let history = LeaderHistory { led: led.into(), ..LeaderHistory::default() };
    let expected = [(4, Primary), (3, CooldownFallback), (2, CooldownFallback), (1, CooldownFallback)];
    assert_eq!(entities(&order(1, Some(&tally), &history, &set)), expected.map(|(n, role)| (node(n), role)));
    let all = LeaderHistory { led: (1..=4).map(|n| (node(n), u64::from(n))).collect(), ..history };
    let first = order(1, Some(&tally), &all, &set).of_round(0);
    assert_eq!((first.entity, first.role), (node(1), CooldownFallback), "nobody is rested");
}

#[test]
fn misses_set_an_entity_back_behind_those_that_earned_less() {
    let (set, tally) = (set([1, 2]), epoch(vec![ranked(1, 1, 100), ranked(2, 2, 91)]));
    let with = |misses| LeaderHistory { misses: [(node(1), misses)].into(), ..LeaderHistory::default() };
    assert_eq!(order(1, Some(&tally), &with(0), &set).of_round(0).entity, node(1));
    assert_eq!(order(1, Some(&tally), &with(1), &set).of_round(0).entity, node(2));
}

#[test]
fn an_entity_that_no_validator_serves_does_not_take_part() {
    let (set, none) = (set([1, 2]), LeaderHistory::default());
    // Pool 50 is served by 1; node 9 has worked most and is no validator.
    let tally = epoch(vec![ranked(9, 9, 1_000), ranked(50, 1, 10)]);
    let order = order(2, Some(&tally), &none, &set);
    assert_eq!(entities(&order), [(node(50), Primary), (node(2), EmergencyFallback)]);
    assert_eq!(order.of_round(0).leader, node(1));
}

#[test]
fn rounds_go_round_and_each_leader_before_missed_once() {
    let (set, none) = (set([1, 2, 3]), LeaderHistory::default());
    let order = order(3, None, &none, &set);
    assert_eq!([0, 1, 2, 3, 7].map(|round| order.of_round(round).leader), [1, 2, 3, 1, 2].map(node));
    let missed = |round| order.before_round(round).collect::<Vec<_>>();
    assert!(missed(0).is_empty());
    assert_eq!(missed(2), [1, 2].map(node));
    assert_eq!(missed(u32::MAX), [1, 2, 3].map(node));
}

#[test]
fn a_schedule_names_the_first_and_the_next_five() {
    let (set, none) = (set(1..=8), LeaderHistory::default());
    let tally = epoch(vec![ranked(1, 1, 5)]);
    let order = order(7, Some(&tally), &none, &set);
    assert_eq!(order.named(), (node(1), (2..=6).map(node).collect()));
    let result = order.result(0);
    assert_eq!((result.winner, result.reason, result.role), (node(1), ScheduleReason::Success, Primary));
    let result = order.result(8);
    assert_eq!((result.winner, result.reason, result.role), (node(1), ScheduleReason::FallbackSuccess, Primary));
    assert_eq!(order.result(9).role, EmergencyFallback);
}

proptest! {
    #[test]
    fn every_validator_leads_exactly_one_place(
        members in prop::collection::btree_set(1u8..30, 1..12),
        tallied in prop::collection::btree_map(1u8..30, (1u8..30, 0u64..5), 0..12),
        led in prop::collection::btree_map(1u8..30, 0u64..9, 0..6),
        misses in prop::collection::btree_map(1u8..30, 0u32..4, 0..6),
        height in 1u64..1_000,
    ) {
        let set = set(members.iter().copied());
        // A node serves one entity: pools are numbered from 100.
        let mut servers = BTreeSet::new();
        let entities = tallied.iter().filter(|(_, (server, _))| servers.insert(*server));
        let tally = epoch(entities.map(|(n, (server, credits))| ranked(100 + n, *server, *credits)).collect());
        let history = LeaderHistory {
            led: led.into_iter().map(|(n, slot)| (node(100 + n), slot)).collect(),
            misses: misses.into_iter().map(|(n, count)| (node(100 + n), count)).collect(),
        };
        let order = order(height, Some(&tally), &history, &set);
        let leaders: Vec<_> = order.places().iter().map(|place| place.leader).collect();
        let distinct: BTreeSet<_> = leaders.iter().copied().collect();
        prop_assert_eq!(leaders.len(), set.members().len());
        prop_assert_eq!(distinct, set.members().iter().map(|member| member.address).collect());
        prop_assert!(order.places().is_sorted_by_key(|place| place.role as u8), "groups come in their order");
    }
}
