//! Four real processes agree on one chain: under load, when leaders are killed, when too few are left, when one was away.
//!
//! `LUCID_NETWORK_BLOCKS` says how many blocks the long test makes, and `LUCID_NETWORK_KILLS` how many leaders it kills.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

mod idle;
mod lines;
mod namespaces;
mod net;
mod partition;
mod switch;
mod sync;

use crate::support::{run, text};
use net::{Net, SLOT};
use serde_json::{Value, json};
use std::{collections::BTreeSet, env, thread, time::Duration};

/// How long a leader may be silent before the next one's turn comes.
const SLOT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a machine that is busy with other tests may take beside.
const BUSY: Duration = Duration::from_secs(8);

/// A time of a row, in Unix seconds.
fn seconds(time: &Value) -> u64 {
    time.as_u64().unwrap_or_else(|| panic!("no time: {time}"))
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn four_nodes_agree_under_load_and_a_killed_leader_is_replaced() {
    let (blocks, kills) = (number("LUCID_NETWORK_BLOCKS", 12), number("LUCID_NETWORK_KILLS", 2));
    let mut net = Net::start(4);
    net.send();
    net.wait_for(1);
    let kill_every = blocks / (kills + 1);
    let mut killed = 0;
    for height in 2..=blocks {
        if height % kill_every == 0 && killed < kills {
            killed += 1;
            let leader = net.next_leader();
            net.kill(leader);
            net.send();
            // The slot that is due, 2 s that those sent together have, the leader's time, and the next one's block.
            let took = net.wait_for(height);
            let most = SLOT + Duration::from_secs(2) + SLOT_TIMEOUT + Duration::from_secs(2);
            assert!(took < most + BUSY, "a silent leader cost {took:?}");
            let node = net.up().next().unwrap();
            let filter = json!({"result.reason": "fallback_success"});
            let row =
                node.request("lucid_find", ("leader_schedule", filter, json!({"sort": {"slot": -1}, "limit": 1})));
            let row = &row["documents"][0];
            let winner = net.place_of(row["result"]["winner"].as_str().unwrap());
            assert_ne!(winner, leader, "{row}");
            assert_eq!(net.place_of(row["primary"].as_str().unwrap()), leader, "{row}");
            assert!(row["result"]["role"].as_str().unwrap().ends_with("fallback"), "{row}");
            net.restart(leader);
        } else {
            (0..3).for_each(|_| net.send());
        }
        net.wait_for(height);
    }
    net.wait_for_all_sent();
    net.assert_same_rows();
    // Who was killed is back, and counted.
    net.wait_for_peers(3);
    // What the node saw of rounds, those that a killed leader cost among them.
    let node = net.up().next().unwrap();
    let status = node.request("lucid_consensusStatus", ());
    assert_eq!(
        (&status["validators"], &status["is_validator"], &status["may_sign"]),
        (&json!(4), &json!(true), &json!(true))
    );
    let participants = node.request("lucid_consensusParticipants", ());
    assert_eq!(participants["order"].as_array().unwrap().len(), 4, "{participants}");
    // One that was away then saw nothing of them.
    let (mut results, mut waits) = (BTreeSet::new(), Vec::new());
    for node in net.up() {
        let history = node.request("lucid_consensusHistory", (json!({"limit": 500}),));
        let rounds = history["documents"].as_array().unwrap();
        results.extend(rounds.iter().map(|round| round["result"].as_str().unwrap().to_owned()));
        // The newest first: a round that decided lies before the one that did not.
        let pairs = rounds.windows(2).filter(|pair| pair[0]["result"] == "approved" && pair[1]["result"] == "timeout");
        waits.extend(pairs.map(|pair| seconds(&pair[0]["ended_at"]) - seconds(&pair[1]["started_at"])));
    }
    println!("from the turn of a silent leader to the next one's block: {waits:?} s, as nodes saw it");
    assert!(!waits.is_empty(), "no node saw a round of a silent leader");
    assert!(waits.iter().all(|wait| *wait <= SLOT_TIMEOUT.as_secs() + 2 + BUSY.as_secs()), "{waits:?}");
    assert_eq!(results, BTreeSet::from(["approved".to_owned(), "timeout".to_owned()]));
    // What makes a block final is kept with it, and named in its child.
    let node = net.up().next().unwrap();
    let seal = node.request("lucid_getSeal", ("0x2",));
    assert_eq!(seal["validators"].as_array().unwrap().len(), 4);
    let signers = seal["seal"]["certificate"]["signatures"].as_array().unwrap();
    let distinct: BTreeSet<_> = signers.iter().map(|vote| vote["address"].as_str().unwrap()).collect();
    assert!(distinct.len() >= 3, "{seal}");
}

#[test]
fn with_two_of_four_there_is_no_block_and_nothing_is_lost() {
    let mut net = Net::start(4);
    net.send();
    net.wait_for(1);
    net.kill(1);
    net.kill(3);
    let before = net.heights().into_iter().max().unwrap();
    net.send();
    thread::sleep(SLOT * 4);
    assert_eq!(net.heights(), [before; 2], "two of four are no majority");
    net.wait_for_reason("insufficient_validators");
    let status = net.status(0);
    let consensus = status.consensus.unwrap();
    assert!(consensus.is_open && consensus.lacks_voters && consensus.height == before + 1, "{consensus:?}");
    assert_eq!((status.peers, status.stuck), (1, None));
    // The third makes it one, by itself.
    net.restart(1);
    net.wait_for_all_sent();
    net.restart(3);
    net.send();
    net.wait_for_all_sent();
    net.assert_same_rows();
}

#[test]
fn nodes_come_and_go_over_epochs_and_all_have_the_same_rows() {
    let mut net = Net::make(5, 4, Duration::from_secs(1));
    // The server comes later: the chain begins without it.
    (1..5).for_each(|place| net.restart(place));
    net.send();
    net.wait_for(1);
    net.restart(0);
    net.pass_epochs(1, &[1, 2]);
    assert_eq!(net.voters(), BTreeSet::from([0, 1, 2, 3]));
    // The fifth follows, registers, and is admitted by three of four.
    let fifth = net.infos[4].address.to_string();
    net.validator(4, &["register", "--endpoint", "/ip4/127.0.0.1/tcp/4001"]);
    [0, 1, 2].iter().for_each(|voter| net.validator(*voter, &["admit", &fifth]));
    net.pass_epochs(2, &[1, 2, 4]);
    assert_eq!(net.voters(), BTreeSet::from([0, 1, 2, 3, 4]));
    // The third is removed by four of five, the fourth leaves.
    let third = net.infos[2].address.to_string();
    [0, 1, 3, 4].iter().for_each(|voter| net.validator(*voter, &["remove", &third]));
    net.validator(3, &["leave"]);
    net.pass_epochs(2, &[1, 4]);
    assert_eq!(net.voters(), BTreeSet::from([0, 1, 4]));
    let tally = net.up().next().unwrap().request("lucid_getWorkTally", ());
    assert!(!tally["entities"].as_array().unwrap().is_empty(), "{tally}");
    net.assert_same_rows();
    net.prove_a_session();
    let node = net.running[4].take().unwrap();
    assert!(node.terminate().success());
    let datadir = net.infos[4].datadir.to_str().unwrap();
    let verified = run(&["db", "verify", "--datadir", datadir]);
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    let mended = run(&["db", "reindex", "--datadir", datadir]);
    assert!(text(&mended.stdout).contains("nothing was written"), "{}{}", text(&mended.stdout), text(&mended.stderr));
}

#[test]
fn a_chain_of_one_becomes_one_of_two_and_of_one_again() {
    let mut net = Net::make(2, 1, Duration::from_secs(1));
    net.restart(0);
    net.send();
    net.wait_for_all_sent();
    // It signed before there was a block, and a kill leaves it so: it goes on all the same.
    for _ in 0..3 {
        net.send();
        thread::sleep(Duration::from_millis(1_900));
        net.kill(0);
        net.restart(0);
    }
    net.wait_for_all_sent();
    let alone = net.status(0).consensus.unwrap();
    assert!(!alone.needs_others() && !alone.lacks_voters, "{alone:?}");
    // Whoever comes gets the chain from it.
    net.restart(1);
    net.wait_for_all_sent();
    let second = net.infos[1].address.to_string();
    net.validator(1, &["register", "--endpoint", "/ip4/127.0.0.1/tcp/4001"]);
    net.validator(0, &["admit", &second]);
    net.pass_epochs(2, &[]);
    assert_eq!(net.voters(), BTreeSet::from([0, 1]));
    // Neither can go on without the other.
    net.kill(1);
    let before = net.heights();
    net.send();
    thread::sleep(Duration::from_secs(4));
    assert_eq!(net.heights(), before);
    net.restart(1);
    net.wait_for_all_sent();
    net.validator(1, &["leave"]);
    net.pass_epochs(2, &[]);
    assert_eq!(net.voters(), BTreeSet::from([0]));
    net.kill(1);
    net.send();
    net.wait_for_all_sent();
    net.restart(1);
    net.wait_for_all_sent();
    net.assert_same_rows();
}
