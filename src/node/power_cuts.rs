//! The power is cut below a whole node while it makes blocks of real transactions and anchors sessions. After each cut the
//! node opens by itself, has the last block that was answered or one more, and every check of its store is clean.
//!
//! `LUCID_CUTS` says how many cuts are made; `LUCID_CUT_SEED` is the seed of the first. Times of blocks come from the clock, so
//! a seed gives nearly the same run again, and not the same bytes.

use super::{
    DataDir, Node, NodeError,
    anchorings::tests::request,
    care::{StepProgress, verify},
    state::OpenOptions,
};
use crate::{
    chain,
    keys::NodeKeys,
    testing::{Tx, key, spec},
};
use alloy_eips::eip2718::Encodable2718;
use lucid_storage::{
    AnchoringStatus, Meta, Options, Reader, SessionAnchorings, Store,
    testing::{PowerCut, Random},
};
use lucid_types::{AnchoringId, Rules};
use std::{
    env,
    time::{Duration, Instant},
};

/// Cuts that one run makes, unless told otherwise, and those that each seed makes on one disk.
const CUTS: u64 = 90;
const CUTS_EACH: u64 = 3;

/// Writes and syncs within which the power is cut: those of an opening and a few blocks.
const MAX_OPERATIONS: u64 = 150;

/// How long a node may take to open after a cut.
const MAX_OPENING: Duration = Duration::from_secs(5);

/// The account that sends transfers. The node's own signs anchorings.
const SENDER: u8 = 3;

fn keys() -> NodeKeys {
    NodeKeys::new(key(1), key(101)).unwrap()
}

/// What was answered as done.
#[derive(Debug, Clone, Default)]
struct Answered {
    height: u64,
    anchorings: Vec<AnchoringId>,
}

fn open(folder: &DataDir, disk: &PowerCut, random: &mut Random) -> Result<Node, NodeError> {
    let quick_repair_from_bytes = [0, u64::MAX][random.below(2) as usize];
    let store = Options { disk: disk.disk(), quick_repair_from_bytes, ..Options::default() };
    Node::open_existing(folder, keys(), &OpenOptions { store, ..OpenOptions::default() })
}

/// One more block, of a transfer and mostly of a session that is anchored.
fn work(node: &Node, session: u8, answered: &mut Answered) -> Result<(), NodeError> {
    let nonce = node.next_nonce(key(SENDER).address())?;
    let transfer = Tx::default().nonce(nonce).sign(SENDER).into_inner().encoded_2718();
    let _ = node.submit(&transfer);
    if !session.is_multiple_of(3) {
        // A session is anchored once, so after a cut some are refused.
        if let Ok(accepted) = node.accept_anchoring(request(session, u16::from(session % 9) + 1)) {
            answered.anchorings.push(accepted.anchoring_id);
        }
    }
    if let Some(block) = node.make_block()? {
        answered.height = block.header.number;
    }
    node.advance_anchorings()
}

/// A disk with a chain on which some blocks were made, closed in order.
fn disk_with_chain(folder: &DataDir) -> (PowerCut, Answered) {
    let disk = PowerCut::new(0);
    let spec = spec(Rules::Dev);
    let meta = Meta::new(spec.to_canonical_json(), chain::genesis_header(&spec).unwrap().hash());
    let options = Options { disk: disk.disk(), ..Options::default() };
    drop(Store::create(folder.store(), &meta, &options).unwrap());
    let node = open(folder, &disk, &mut Random::new(0)).unwrap();
    let mut answered = Answered::default();
    for session in 0..4 {
        work(&node, session, &mut answered).unwrap();
    }
    assert!(answered.height >= 4 && answered.anchorings.len() == 2, "{answered:?}");
    drop(node);
    disk.restore();
    (disk, answered)
}

/// Opens the node after a cut and holds it against what was answered.
fn check(folder: &DataDir, disk: &PowerCut, random: &mut Random, answered: &mut Answered, said: &str) -> Node {
    let begun = Instant::now();
    let node = open(folder, disk, random).unwrap_or_else(|error| panic!("{said}: {error}"));
    let took = begun.elapsed();
    assert!(took < MAX_OPENING, "{said}: it took {took:?}");
    let height = node.head().header.number;
    let was = answered.height;
    assert!(height == was || height == was + 1, "{said}: block {was} was answered, and the head is {height}");
    answered.height = height;
    let snapshot = node.snapshot();
    for id in &answered.anchorings {
        let there = snapshot.contains::<SessionAnchorings>(id).unwrap();
        assert!(there, "{said}: the anchoring {id} was answered and is gone");
    }
    let report = verify(&snapshot, node.store.meta(), &mut |_: StepProgress| Ok(())).unwrap();
    assert!(report.clean, "{said}: {:?}", report.findings);
    node
}

#[test]
fn a_node_whose_power_is_cut_goes_on_with_all_that_it_answered() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let folder = DataDir::temporary().unwrap();
    let (base, done) = disk_with_chain(&folder);
    let first = number("LUCID_CUT_SEED").unwrap_or(0);
    let (mut cuts, mut confirmed) = (0, 0);
    for seed in first..first + number("LUCID_CUTS").unwrap_or(CUTS).div_ceil(CUTS_EACH) {
        let (disk, mut answered, mut random) = (base.copy(seed), done.clone(), Random::new(seed));
        let mut session = 10;
        for cut in 0..CUTS_EACH {
            let said = format!("LUCID_CUT_SEED={seed}, cut {cut}");
            disk.cut_after(random.below(MAX_OPERATIONS));
            let mut run = || -> Result<(), NodeError> {
                let node = open(&folder, &disk, &mut random)?;
                // The one that was under way before may be there.
                answered.height = node.head().header.number;
                loop {
                    session += 1;
                    work(&node, session, &mut answered)?;
                }
            };
            let ended = run().unwrap_err();
            assert!(disk.is_off(), "{said}: {ended}");
            cuts += 1;
            disk.restore();
            let node = check(&folder, &disk, &mut random, &mut answered, &said);
            session += 1;
            let before = answered.height;
            work(&node, session, &mut answered).unwrap_or_else(|error| panic!("{said}: {error}"));
            assert!(answered.height > before, "{said}: it makes no blocks");
            // Half of the time it is not closed either, because the power goes again.
            if random.percent(50) {
                disk.restore();
            }
        }
        // What was accepted is done in the end.
        let node = check(&folder, &disk, &mut random, &mut answered, &format!("LUCID_CUT_SEED={seed}, at the end"));
        loop {
            // What was in no block and no pool is sent again.
            node.advance_anchorings().unwrap();
            if node.make_block().unwrap().is_none() {
                break;
            }
        }
        let snapshot = node.snapshot();
        for id in &answered.anchorings {
            let job = snapshot.get::<SessionAnchorings>(id).unwrap().unwrap();
            assert_eq!(job.status, AnchoringStatus::Confirmed, "LUCID_CUT_SEED={seed}: {id}");
            confirmed += 1;
        }
    }
    println!("{cuts} cuts, {confirmed} sessions confirmed");
    assert!(confirmed > cuts);
}
