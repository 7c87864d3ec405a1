//! Four real processes agree on one chain: under load, when leaders are killed, when too few are left, when one was away.
//!
//! `LUCID_NETWORK_BLOCKS` says how many blocks the long test makes, and `LUCID_NETWORK_KILLS` how many leaders it kills.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, run, text, transfer};
use alloy_primitives::Address;
use lucid_node::{
    keys::{DEV_ACCOUNTS, DevAccount},
    node::{DevnetNode, DevnetOptions, make_devnet},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    env, fs,
    net::{Ipv4Addr, TcpListener},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// Length of a slot.
const SLOT: Duration = Duration::from_secs(2);

/// How long a leader may be silent before the next one's turn comes.
const SLOT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long anything may take before a test gives up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A network of nodes on this machine, some of which run.
struct Net {
    infos: Vec<DevnetNode>,
    running: Vec<Option<DevNode>>,
    nonce: u64,
    sender: &'static DevAccount,
    _folder: TempDir,
}

impl Net {
    fn start(nodes: usize) -> Self {
        let mut net = Self::make(nodes, nodes, SLOT);
        (0..nodes).for_each(|place| net.restart(place));
        net
    }

    /// The folders of a network of which the first nodes are validators. Nothing runs yet.
    fn make(nodes: usize, validators: usize, slot: Duration) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Held until all are known, so that no two are the same.
        let held: Vec<_> = (0..nodes).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let ports = held.iter().map(|held| (0, held.local_addr().unwrap().port())).collect();
        drop(held);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (folder_path, slot_secs) = (folder.path().to_owned(), slot.as_secs());
        let infos = make_devnet(&DevnetOptions { folder: folder_path, slot_secs, validators, ports, now }).unwrap();
        let running = infos.iter().map(|_| None).collect();
        Self { running, infos, nonce: 0, sender: &DEV_ACCOUNTS[0], _folder: folder }
    }

    fn restart(&mut self, place: usize) {
        let node = DevNode::run_in(&self.infos[place].datadir, &["--accept-clock", "--no-init"]);
        self.running[place] = Some(node);
    }

    fn kill(&mut self, place: usize) {
        self.running[place].take().unwrap().kill();
    }

    fn up(&self) -> impl Iterator<Item = &DevNode> {
        self.running.iter().flatten()
    }

    fn place_of(&self, address: &str) -> usize {
        self.infos.iter().position(|info| info.address.to_string().eq_ignore_ascii_case(address)).unwrap()
    }

    /// Sends a transfer to a node that is up.
    fn send(&mut self) {
        let raw = transfer(self.sender, self.nonce, Address::repeat_byte(9));
        let node = self.up().nth(self.nonce as usize % self.up().count()).unwrap();
        block_on(node.client().send_raw_transaction(&raw)).unwrap();
        self.nonce += 1;
    }

    /// Whom the next height belongs to.
    fn next_leader(&self) -> usize {
        let schedule = self.up().next().unwrap().request("lucid_getLeaderSchedule", ());
        self.place_of(schedule["order"][0]["leader"].as_str().unwrap())
    }

    /// Waits until every node that is up has a height, and says how long that took.
    fn wait_for(&self, height: u64) -> Duration {
        let began = Instant::now();
        for node in self.up() {
            while height_of(node) < height {
                assert!(began.elapsed() < PATIENCE, "no block {height} at {}: {:?}", node.url(), self.heights());
                thread::sleep(Duration::from_millis(50));
            }
        }
        began.elapsed()
    }

    fn heights(&self) -> Vec<u64> {
        self.up().map(height_of).collect()
    }

    /// Waits until every node that is up has each transfer that was sent.
    fn wait_for_all_sent(&self) {
        let began = Instant::now();
        let sender = self.sender.address();
        for node in self.up() {
            while node.request("eth_getTransactionCount", (sender, "latest")) != json!(format!("{:#x}", self.nonce)) {
                assert!(began.elapsed() < PATIENCE, "not all transfers are in blocks of {}", node.url());
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Holds the collections of the chain against each other, row by row.
    fn assert_same_rows(&self) {
        let height = self.heights().into_iter().max().unwrap();
        self.wait_for(height);
        let collections =
            ["blocks", "transactions", "receipts", "task_proofs", "work_tally", "leader_schedule", "accounts"];
        for collection in collections {
            let mut rows = self.up().map(|node| all_documents(node, collection));
            let first = rows.next().unwrap();
            assert!(rows.all(|other| other == first), "{collection} differ");
        }
    }
}

fn height_of(node: &DevNode) -> u64 {
    let height = node.request("eth_blockNumber", ());
    u64::from_str_radix(height.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn all_documents(node: &DevNode, collection: &str) -> Vec<Value> {
    let (mut documents, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let options = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let page = node.request("lucid_find", (collection, json!({}), options));
        documents.extend(page["documents"].as_array().unwrap().clone());
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            return documents;
        }
    }
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
            assert!(took < most + Duration::from_secs(8), "a silent leader cost {took:?}");
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
    // The third makes it one, by itself.
    net.restart(1);
    net.wait_for_all_sent();
    net.restart(3);
    net.send();
    net.wait_for_all_sent();
    net.assert_same_rows();
}

#[test]
fn a_network_where_nothing_waits_makes_no_block() {
    let mut net = Net::start(4);
    net.send();
    net.wait_for_all_sent();
    let before = net.heights();
    thread::sleep(SLOT * 3);
    assert_eq!(net.heights(), before);
}

impl Net {
    /// Makes blocks until the head's slot is in another epoch, so many times over, with work proven by some nodes.
    fn pass_epochs(&mut self, epochs: u64, workers: &[usize]) {
        for _ in 0..epochs {
            let epoch =
                |net: &Self| net.up().next().unwrap().request("lucid_slot", ())["head_slot"].as_u64().unwrap() / 16;
            let began = epoch(self);
            while epoch(self) == began {
                for worker in workers {
                    let datadir = self.infos[*worker].datadir.to_str().unwrap().to_owned();
                    let rpc = self.up().next().unwrap().url().to_owned();
                    let submit = ["proofs", "submit", "--datadir", &datadir, "--rpc", &rpc];
                    // Those of a span in which there is a beacon already are refused.
                    run(&[&submit[..], &["beacon", "--seconds", "4"]].concat());
                    run(&[&submit[..], &["relay", "--bytes", "9000000", "--sessions", "3"]].concat());
                }
                self.send();
                thread::sleep(Duration::from_millis(700));
            }
        }
        self.wait_for_all_sent();
    }

    /// Runs a `validator` command with the keys of a node.
    fn validator(&self, place: usize, arguments: &[&str]) {
        let datadir = self.infos[place].datadir.to_str().unwrap();
        let rpc = self.up().next().unwrap().url();
        let (command, rest) = arguments.split_first().unwrap();
        let output = run(&[&["validator", command, "--datadir", datadir, "--rpc", rpc], rest].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }

    /// Anchors a session through the first node, and checks its proof with nothing but the hash of the first block.
    fn prove_a_session(&mut self) {
        let (node, folder) = (self.running[0].as_ref().unwrap(), tempfile::tempdir().unwrap());
        let (recording, proof) = (folder.path().join("recording"), folder.path().join("proof.json"));
        fs::create_dir(&recording).unwrap();
        (0..3).for_each(|chunk| fs::write(recording.join(format!("chunk-{chunk}")), [chunk; 1_000]).unwrap());
        let token = self.infos[0].datadir.join("tokens/anchor");
        let session = "7f1c2d3e-4a5b-4c6d-8e9f-0a1b2c3d4e5f";
        let [recording, proof, token] = [&recording, &proof, &token].map(|path| path.to_str().unwrap());
        let genesis = self.infos[0].genesis_hash.to_string();
        for command in [
            &["anchor", "--rpc", node.url(), "--token-file", token, "--session-id", session, recording][..],
            &["proof", "--rpc", node.url(), session, "--chunk", "1", "-o", proof],
            &["verify", proof, "--genesis", &genesis],
        ] {
            let output = run(&[&["session"], command].concat());
            assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
        }
        let file: Value = serde_json::from_slice(&fs::read(proof).unwrap()).unwrap();
        assert!(file["setChanges"].as_array().unwrap().len() >= 2, "two times others voted: {}", file["setChanges"]);
        // The node's own transactions came in between.
        self.wait_for_all_sent();
    }

    /// Who votes on the last block.
    fn voters(&self) -> BTreeSet<usize> {
        let seal = self.up().next().unwrap().request("lucid_getSeal", ("latest",));
        let validators = seal["validators"].as_array().unwrap();
        validators.iter().map(|validator| self.place_of(validator["address"].as_str().unwrap())).collect()
    }
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
