use super::*;
use lucid_types::Preset;
use std::time::{Duration, Instant};

const SEED: B256 = B256::repeat_byte(5);
const DAY_SECS: u64 = 86_400;

fn node(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn work(n: u8) -> ProvenWork {
    let node = node(n);
    ProvenWork { node, bytes_transferred: 0, sessions_relayed: 0, storage: None, beacons: 0, uptime_seconds: 0 }
}

fn up(n: u8, uptime_seconds: u64) -> ProvenWork {
    ProvenWork { beacons: 1, uptime_seconds, ..work(n) }
}

fn relayed(n: u8, sessions_relayed: u64, mib: u64) -> ProvenWork {
    ProvenWork { sessions_relayed, bytes_transferred: mib << 20, ..up(n, DAY_SECS) }
}

fn block(signers: &[u8], work: Vec<ProvenWork>) -> BlockWorkRecord {
    let signers = signers.iter().map(|n| node(*n)).collect();
    BlockWorkRecord { slot: 1, led: node(1), missed: vec![], signers, work }
}

fn tally_of(blocks: &[BlockWorkRecord], pools: &BTreeMap<Address, Address>) -> Vec<RankedEntity> {
    let mut sums = WindowSums::default();
    blocks.iter().for_each(|block| sums.add(block));
    let params = Preset::Lucid.params();
    tally(&sums, &TallyTerms { params: &params, epoch: 3, seed: SEED, window_secs: DAY_SECS, pools })
}

fn credits(tally: &[RankedEntity]) -> Vec<(Address, u64)> {
    tally.iter().map(|ranked| (ranked.entity, ranked.credits)).collect()
}

#[test]
fn credits_are_those_of_the_sums_and_of_the_latest_storage_proof() {
    let storage = |slot, chunks_stored, gib: u64| Some(StorageClaim { slot, chunks_stored, size_bytes: gib << 30 });
    let blocks = [
        // 12 MiB are three times 5 MiB begun; the sum of 8 and 4 is looked at, not each by itself.
        block(&[1, 2], vec![relayed(1, 1, 8), ProvenWork { storage: storage(9, 7, 1), ..up(2, DAY_SECS) }]),
        // Of slot 8, and in a later block: not the latest.
        block(&[1], vec![relayed(1, 1, 4), ProvenWork { storage: storage(8, 100, 100), ..work(2) }]),
    ];
    let tally = tally_of(&blocks, &BTreeMap::new());
    assert_eq!(credits(&tally), [(node(2), 2 * 7 + 10 + 5), (node(1), 3 + 2 * 5)]);
    assert!(tally.iter().all(|ranked| ranked.uptime == 1_000_000 && ranked.served_by == ranked.entity));
}

#[test]
fn who_was_up_too_little_is_not_in_the_tally() {
    let fifth = DAY_SECS / 5;
    let tally = tally_of(&[block(&[1, 2, 3], vec![up(1, fifth), up(2, fifth - 1)])], &BTreeMap::new());
    assert_eq!(credits(&tally), [(node(1), 5)], "and node 3 sent no beacon");
    assert_eq!(tally[0].uptime, 200_000);
}

#[test]
fn a_pool_is_the_sum_of_its_nodes_and_has_the_uptime_of_the_best_one() {
    let pool = node(99);
    let pools = BTreeMap::from([(node(1), pool), (node(2), pool), (node(3), pool)]);
    let half = DAY_SECS / 2;
    let worked = vec![
        ProvenWork { uptime_seconds: DAY_SECS, ..relayed(1, 4, 0) },
        ProvenWork { uptime_seconds: half, ..relayed(2, 9, 0) },
        ProvenWork { uptime_seconds: 1, ..relayed(3, 9, 0) },
        relayed(4, 10, 0),
    ];
    let tally = tally_of(&[block(&[], worked)], &pools);
    assert_eq!(credits(&tally), [(pool, 22), (node(4), 10)]);
    // Of 2 and 3, which earned the same, the lower address.
    assert_eq!((tally[0].served_by, tally[0].uptime), (node(2), 500_000));
}

#[test]
fn the_best_live_score_ranks_first_then_credits_then_the_tie_hash() {
    let full = |n, sessions| ProvenWork { sessions_relayed: sessions, ..up(n, DAY_SECS) };
    let half = |n, sessions| ProvenWork { sessions_relayed: sessions, ..up(n, DAY_SECS / 2) };
    let tally = tally_of(&[block(&[], vec![full(1, 10), half(2, 20), full(3, 11), full(4, 10)])], &BTreeMap::new());
    // 1, 2 and 4 have the same score; 2 has more credits.
    let tied = if tie_hash(SEED, 3, node(1)) < tie_hash(SEED, 3, node(4)) { [1, 4] } else { [4, 1] };
    let ranked: Vec<_> = tally.iter().map(|ranked| ranked.entity).collect();
    assert_eq!(ranked, [3, 2, tied[0], tied[1]].map(node));
}

#[test]
fn the_tie_hash_is_over_seed_epoch_and_entity() {
    let message = [SEED.as_slice(), &[0, 0, 0, 0, 0, 0, 0, 3], node(1).as_slice()].concat();
    assert_eq!(tie_hash(SEED, 3, node(1)), blake3([&message]));
    assert_ne!(tie_hash(SEED, 4, node(1)), tie_hash(SEED, 3, node(1)));
}

/// The work of a week of a chain with as many nodes as a chain can have, each proving all it can in every slot.
#[test]
fn a_week_of_a_hundred_nodes_is_tallied_in_less_than_a_second() {
    let signers: Vec<_> = (0..100).collect();
    let storage = Some(StorageClaim { slot: 7, chunks_stored: 5, size_bytes: 1 << 40 });
    let worked: Vec<_> = (0..100).map(|n| ProvenWork { storage, ..relayed(n, 1, 1) }).collect();
    let week = vec![block(&signers, worked); 5_040];
    let began = Instant::now();
    let tally = tally_of(&week, &BTreeMap::new());
    let took = began.elapsed();
    assert_eq!(tally.len(), 100);
    // What is not optimised takes several times as long.
    let most_secs = if cfg!(debug_assertions) { 5 } else { 1 };
    assert!(took < Duration::from_secs(most_secs), "{took:?}");
}
