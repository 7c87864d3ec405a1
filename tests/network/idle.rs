//! A network where nothing waits: it makes no block, and its lines are nearly silent.
//!
//! `LUCID_IDLE_SECS` says for how long it is watched.

use super::{lines::net_over_lines, number};
use std::{thread, time::Duration};

/// In which the votes of the first block that are late are told, and whatever follows of them.
const SETTLING: Duration = Duration::from_secs(8);

/// What a node may send in a second of idleness; with all that its chain says, and not only what libp2p does.
const MAX_BYTES_PER_NODE_AND_SEC: u64 = 1_024;

#[test]
fn a_network_where_nothing_waits_makes_no_block_and_is_nearly_silent() {
    let seconds = number("LUCID_IDLE_SECS", 30);
    let (mut net, lines) = net_over_lines();
    (0..4).for_each(|place| net.restart(place));
    net.send();
    net.wait_for_all_sent();
    thread::sleep(SETTLING);
    let (heights, carried) = (net.heights(), lines.carried());
    thread::sleep(Duration::from_secs(seconds));
    let bytes = lines.carried() - carried;
    assert_eq!(net.heights(), heights);
    let each = bytes / 4 / seconds;
    println!("an idle network of four: {bytes} bytes in {seconds} s, {each} for each node and second");
    // Every 15 s they ask each other whether they are there: it was they that were counted.
    assert!(bytes > 0, "not even a ping");
    assert!(each < MAX_BYTES_PER_NODE_AND_SEC, "{each} bytes for each node and second");
    net.wait_for_reason("no_pending");
    let status = net.status(0);
    let consensus = status.consensus.unwrap();
    assert!(!consensus.is_open && !consensus.lacks_voters && consensus.may_sign, "{consensus:?}");
    // Each height took flushes of the log, which are none of its block and of no session.
    let writes = status.store.writes_for;
    assert!(writes.consensus.commits > writes.blocks.commits && writes.consensus.syncs > 0, "{writes:?}");
}
