//! The network is parted as a broken line parts it, without a word to either end, and mended again.
//!
//! `LUCID_PARTITION_SECS` says how long one node is alone.

use super::{
    net::{Net, SLOT, height_of},
    number,
    switch::{NAMESPACES, Switch, connections_to_peers},
};
use crate::support::{block_on, transfer};
use alloy_primitives::Address;
use lucid_node::keys::{DEV_ACCOUNTS, DevAccount};
use std::{
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Four nodes on a switch, of which none runs yet; nothing where this machine does not let a test have that.
fn switch(test: &str) -> Option<Switch> {
    // Straight to the handle: what a passing test prints through the macros is not shown.
    let mut errors = std::io::stderr();
    Switch::lay(4).inspect_err(|why| writeln!(errors, "{test}: SKIPPED, {why}").unwrap()).ok()
}

/// Sends a transfer of an account that is nobody else's to one node.
fn send_to(net: &Net, place: usize, account: &DevAccount) {
    let raw = transfer(account, 0, Address::repeat_byte(7));
    block_on(net.running[place].as_ref().unwrap().client().send_raw_transaction(&raw)).unwrap();
}

/// Waits until each node has a connection with each other one, over the wires.
fn wait_until_all_are_connected(net: &Net) {
    let began = Instant::now();
    while net.up().any(|node| connections_to_peers(node.pid()) < 3) {
        assert!(began.elapsed() < Duration::from_secs(60), "not all have met over their wires");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until all have all blocks and everything that was sent, and prints how long that took since the mending.
fn recover(net: &Net, accounts: &[DevAccount], what: &str) {
    let began = Instant::now();
    net.wait_for_all_sent();
    accounts.iter().for_each(|account| net.wait_for_sent(account, 1));
    println!("{what}: all is everywhere {:.1?} after the mending", began.elapsed());
}

#[test]
fn a_line_that_breaks_without_a_word_costs_no_block_and_mends_by_itself() {
    // Until both ends have hung up, which two pings without an answer take, and dial in vain: they are to find each other anew.
    let seconds = number("LUCID_PARTITION_SECS", 65);
    let Some(switch) = switch("a_line_that_breaks_without_a_word_costs_no_block_and_mends_by_itself") else { return };
    let mut net = switch.net();
    (0..4).for_each(|place| switch.run(&mut net, place));
    net.send();
    net.wait_for_all_sent();
    wait_until_all_are_connected(&net);
    // Three against one, who has something that the others know nothing of.
    switch.part(&[3]);
    let cut = Instant::now();
    send_to(&net, 3, &DEV_ACCOUNTS[1]);
    let alone = net.running[3].take().unwrap();
    let before = height_of(&alone);
    (0..3).for_each(|_| net.send());
    net.wait_for_all_sent();
    thread::sleep(SLOT * 2);
    if cut.elapsed() < Duration::from_secs(15) {
        assert!(connections_to_peers(alone.pid()) >= 3, "the line's end was told that it is broken");
    }
    thread::sleep(Duration::from_secs(seconds).saturating_sub(cut.elapsed()));
    assert_eq!(height_of(&alone), before, "one of four goes on by itself");
    let (took, left) = (cut.elapsed(), connections_to_peers(alone.pid()));
    println!("one was alone for {took:.1?}, and holds {left} connections to be whole");
    net.running[3] = Some(alone);
    switch.mend();
    recover(&net, &DEV_ACCOUNTS[1..2], "three and one");
    net.assert_same_rows();
    // Two against two: neither side is a majority.
    switch.part(&[0, 1]);
    let before = net.heights();
    net.send();
    send_to(&net, 0, &DEV_ACCOUNTS[2]);
    send_to(&net, 2, &DEV_ACCOUNTS[3]);
    thread::sleep(SLOT * 3);
    assert_eq!(net.heights(), before);
    switch.mend();
    recover(&net, &DEV_ACCOUNTS[1..4], "two and two");
    net.assert_same_rows();
    // The plug is pulled at the node, and not at what started it.
    net.kill(0);
    assert_eq!(switch.processes(0), [""; 0]);
}

#[test]
fn namespaces_are_removed_also_when_a_test_panics() {
    let Some(switch) = switch("namespaces_are_removed_also_when_a_test_panics") else { return };
    let names = switch.names().to_vec();
    let there = || names.iter().filter(|name| Path::new(NAMESPACES).join(name).exists()).count();
    assert_eq!(there(), 5);
    let failed = catch_unwind(AssertUnwindSafe(move || {
        let _switch = switch;
        panic!("as a test does that fails");
    }));
    assert!(failed.is_err());
    assert_eq!(there(), 0);
}
