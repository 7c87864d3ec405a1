//! ethers v6, the library behind most web pages that speak to a chain. What is expected is in `ethers/`.

use crate::support::{DevNode, npm_folder, said};
use std::process::Command;

/// Runs a script of `ethers/` against a node of its own.
fn run(test: &str, script: &str) {
    let Some(folder) = npm_folder(test) else { return };
    let node = DevNode::start();
    let script = folder.join("ethers").join(script);
    said(Command::new("node").arg(script).arg(node.url()).arg(folder.join("contract/Counter.json")));
}

#[test]
fn ethers_connects_and_finds_the_well_known_accounts() {
    run("ethers_connects_and_finds_the_well_known_accounts", "accounts.mjs");
}

#[test]
fn ethers_deploys_calls_sends_waits_and_reads_logs_and_reverts() {
    run("ethers_deploys_calls_sends_waits_and_reads_logs_and_reverts", "contract.mjs");
}

#[test]
fn ethers_sends_every_type_of_transaction_and_reads_blocks_and_fees() {
    run("ethers_sends_every_type_of_transaction_and_reads_blocks_and_fees", "transactions.mjs");
}

#[test]
fn ethers_hears_events_in_order_by_filters_logs_and_subscriptions() {
    run("ethers_hears_events_in_order_by_filters_logs_and_subscriptions", "events.mjs");
}

#[test]
fn a_client_hears_of_slots_of_the_schedule_and_of_what_is_final() {
    run("a_client_hears_of_slots_of_the_schedule_and_of_what_is_final", "lucid.mjs");
}
