//! The lines between real processes are cut and mended again: the smaller side makes no block, and in the end all agree.

use super::{
    lines::{Line, net_over_lines},
    net::{SLOT, height_of},
};
use std::thread;

#[test]
fn the_smaller_side_makes_no_block_and_all_agree_once_the_lines_are_mended() {
    let (mut net, lines) = net_over_lines();
    (0..4).for_each(|place| net.restart(place));
    net.send();
    net.wait_for_all_sent();
    // Three against one.
    lines.between(&[3], Line::cut);
    let alone = net.running[3].take().unwrap();
    let before = height_of(&alone);
    (0..3).for_each(|_| net.send());
    net.wait_for_all_sent();
    thread::sleep(SLOT * 2);
    assert_eq!(height_of(&alone), before, "one of four goes on by itself");
    net.running[3] = Some(alone);
    lines.between(&[3], Line::mend);
    net.wait_for_all_sent();
    // Two against two: neither side is a majority.
    lines.between(&[0, 1], Line::cut);
    let before = net.heights();
    net.send();
    thread::sleep(SLOT * 3);
    assert_eq!(net.heights(), before);
    lines.between(&[0, 1], Line::mend);
    net.wait_for_all_sent();
    net.assert_same_rows();
}
