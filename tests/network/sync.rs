//! A new node beside nodes that have a long chain: it gets all of it, whatever kills it on the way.
//!
//! `LUCID_SYNC_BLOCKS` says how long the chain of the measurement is. What it gives is in docs/performance.md:
//!
//!     cargo build --release --locked
//!     LUCID_NODE_BIN=target/release/lucid-node cargo test --release --test integration network::sync -- --ignored --nocapture

use super::{
    net::{Net, height_of},
    number,
};
use crate::support::{DevNode, run, text, transfer};
use alloy_primitives::Address;
use lucid_node::{
    keys::{DEV_ACCOUNTS, NodeKeys},
    node::{DataDir, testing::make_history},
};
use serde_json::json;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// Transfers in each block of the chain.
const TRANSFERS: u64 = 10;

/// Validators, who have the chain. One more node has nothing.
const VALIDATORS: usize = 4;

/// Accounts that the transfers go to, over and over.
const RECIPIENTS: u64 = 1_000;

/// Nodes of which the validators have a chain of so many blocks, one in each second until now. None runs.
fn net_with_history(blocks: u64) -> Net {
    let net = Net::make_since(VALIDATORS + 1, VALIDATORS, Duration::from_secs(1), blocks + 5);
    let keys: Vec<_> = net.infos.iter().map(|info| NodeKeys::load(&info.datadir.join("keys")).unwrap()).collect();
    let store = |place: usize| DataDir::at(&net.infos[place].datadir).unwrap().store();
    let first = DataDir::at(&net.infos[0].datadir).unwrap();
    make_history(&first, &keys[..VALIDATORS], blocks, |height| {
        let number = |of_block: u64| (height - 1) * TRANSFERS + of_block;
        let to = |of_block| Address::left_padding_from(&(1_000_000 + number(of_block) % RECIPIENTS).to_be_bytes());
        (0..TRANSFERS).map(|i| transfer(&DEV_ACCOUNTS[1], number(i), to(i)).to_vec()).collect()
    })
    .unwrap();
    for place in 1..VALIDATORS {
        fs::copy(store(0), store(place)).unwrap();
    }
    net
}

/// Waits until a node has a height, and says whether it ever said that it was catching up.
fn wait_for(node: &DevNode, height: u64, patience: Duration) -> bool {
    let (began, mut was_syncing) = (Instant::now(), false);
    while height_of(node) < height {
        let syncing = node.request("eth_syncing", ());
        was_syncing |= syncing["highestBlock"].is_string();
        assert!(began.elapsed() < patience, "no block {height}: {syncing}");
        thread::sleep(Duration::from_millis(20));
    }
    was_syncing
}

#[test]
fn a_new_node_gets_a_long_chain_from_its_peers_whatever_kills_it() {
    const BLOCKS: u64 = 400;
    let mut net = net_with_history(BLOCKS);
    (0..VALIDATORS).for_each(|place| net.restart(place));
    let (mut reached, mut was_syncing, mut kills) = (0, false, 0);
    while reached < BLOCKS && kills < 4 {
        net.restart(VALIDATORS);
        let new = net.running[VALIDATORS].as_ref().unwrap();
        assert!(height_of(new) >= reached, "blocks that were told of are gone");
        // Some way further, and then in the midst of whatever it is at.
        was_syncing |= wait_for(new, (reached + 60).min(BLOCKS), Duration::from_secs(60));
        reached = height_of(new);
        if reached < BLOCKS {
            net.kill(VALIDATORS);
            kills += 1;
        }
    }
    assert!(kills > 0, "it was never killed");
    if net.running[VALIDATORS].is_none() {
        net.restart(VALIDATORS);
    }
    let new = net.running[VALIDATORS].as_ref().unwrap();
    was_syncing |= wait_for(new, BLOCKS, Duration::from_secs(60));
    assert!(was_syncing, "eth_syncing said nothing of it");
    assert_eq!(new.request("eth_syncing", ()), json!(false));
    // It goes on with the others, and has the same rows.
    net.send();
    net.wait_for_all_sent();
    net.assert_same_rows();
    let new = net.running[VALIDATORS].take().unwrap();
    assert!(new.terminate().success());
    let verified = run(&["db", "verify", "--datadir", net.infos[VALIDATORS].datadir.to_str().unwrap()]);
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
}

/// Milliseconds of processor that a process has had.
fn cpu_ms(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    // In hundredths of a second: what it ran itself, and what the kernel ran for it.
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What a process has had written to disks.
fn written_kib(pid: u32) -> u64 {
    let counts = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let line = counts.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse::<u64>().unwrap() >> 10
}

#[test]
#[ignore = "a measurement of minutes, of a release build; docs/performance.md has what it gives"]
fn twenty_thousand_blocks_are_got_at_two_hundred_a_second_of_processor() {
    let blocks = number("LUCID_SYNC_BLOCKS", 20_000);
    let began = Instant::now();
    let mut net = net_with_history(blocks);
    println!("a chain of {blocks} blocks with {TRANSFERS} transfers each, made in {:.1?}", began.elapsed());
    (0..VALIDATORS).for_each(|place| net.restart(place));
    net.restart(VALIDATORS);
    let (began, new) = (Instant::now(), net.running[VALIDATORS].as_ref().unwrap());
    let mut tenth = 1;
    while tenth <= 10 {
        wait_for(new, blocks * tenth / 10, Duration::from_secs(600));
        println!("{:>7} blocks after {:.1?}", blocks * tenth / 10, began.elapsed());
        tenth += 1;
    }
    let (took, cpu_ms, peak_kib) = (began.elapsed(), cpu_ms(new.pid()), peak_kib(new.pid()));
    let rate = blocks * 1_000 / cpu_ms;
    println!("{took:.1?} in all, {cpu_ms} ms of processor: {rate} blocks a second of it; {peak_kib} KiB at most");
    println!("{} KiB written for each block", written_kib(new.pid()) / blocks);
    assert!(rate >= 200, "{rate} blocks a second of processor");
    assert!(peak_kib < 96 * 1024, "{peak_kib} KiB");
}
