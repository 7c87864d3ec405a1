//! Real processes on this machine, and what a test does to them.

use crate::support::{DevNode, block_on, lucid_node, run, text, transfer};
use alloy_primitives::Address;
use lucid_node::{
    keys::{DEV_ACCOUNTS, DevAccount},
    node::{DevnetNode, DevnetOptions, make_devnet},
};
use lucid_rpc::StatusDocument;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// Length of a slot, unless a test says otherwise.
pub(super) const SLOT: Duration = Duration::from_secs(2);

/// How long anything may take before a test gives up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A network of nodes on this machine, some of which run.
pub(super) struct Net {
    pub(super) infos: Vec<DevnetNode>,
    pub(super) running: Vec<Option<DevNode>>,
    nonce: u64,
    sender: &'static DevAccount,
    _folder: TempDir,
}

impl Net {
    pub(super) fn start(nodes: usize) -> Self {
        let mut net = Self::make(nodes, nodes, SLOT);
        (0..nodes).for_each(|place| net.restart(place));
        net
    }

    /// The folders of a network of which the first nodes are validators. Nothing runs yet.
    pub(super) fn make(nodes: usize, validators: usize, slot: Duration) -> Self {
        Self::make_since(nodes, validators, slot, 0)
    }

    /// As [`Net::make`], with a chain that began so many slots ago.
    pub(super) fn make_since(nodes: usize, validators: usize, slot: Duration, slots_ago: u64) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Held until all are known, so that no two are the same.
        let held: Vec<_> = (0..nodes).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let ports = held.iter().map(|held| (0, held.local_addr().unwrap().port())).collect();
        drop(held);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (folder_path, slot_secs) = (folder.path().to_owned(), slot.as_secs());
        let now = now - slots_ago * slot_secs;
        let infos = make_devnet(&DevnetOptions { folder: folder_path, slot_secs, validators, ports, now }).unwrap();
        let running = infos.iter().map(|_| None).collect();
        Self { running, infos, nonce: 0, sender: &DEV_ACCOUNTS[0], _folder: folder }
    }

    /// Has a node listen for peers at an address, and know the others by what `dialled` says of their place and port alone.
    pub(super) fn set_peers(&self, place: usize, listens: Ipv4Addr, mut dialled: impl FnMut(usize, u16) -> SocketAddr) {
        // As in `/ip4/127.0.0.1/tcp/PORT/p2p/ID`.
        let part = |place: usize, part| self.infos[place].peer.split('/').nth(part).unwrap();
        let port = |place| part(place, 4).parse().unwrap();
        let peers: Vec<_> = (0..self.infos.len())
            .filter(|other| *other != place)
            .map(|other| {
                let at = dialled(other, port(other));
                format!("\"/ip4/{}/tcp/{}/p2p/{}\"", at.ip(), at.port(), part(other, 6))
            })
            .collect();
        let (listens, peers) = (format!("/ip4/{listens}/tcp/{}", port(place)), peers.join(", "));
        let config = format!("[network]\nlisten = [\"{listens}\"]\npeers = [{peers}]\n");
        fs::write(self.infos[place].datadir.join("lucid.toml"), config).unwrap();
    }

    pub(super) fn restart(&mut self, place: usize) {
        let mut command = lucid_node();
        command.args(["run", "--http-port", "0", "--accept-clock", "--no-init", "--datadir"]);
        command.arg(&self.infos[place].datadir).env("LUCID__STATUS__SOCKET", self.status_socket(place));
        self.running[place] = Some(DevNode::spawn(command));
    }

    fn status_socket(&self, place: usize) -> PathBuf {
        self.infos[place].datadir.with_extension("sock")
    }

    /// How a node that runs says that it is.
    pub(super) fn status(&self, place: usize) -> StatusDocument {
        let said = run(&["status", "--json", "--socket", self.status_socket(place).to_str().unwrap()]);
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", text(&said.stderr)))
    }

    /// Waits until each node that is up says of the slot of now that it has no block for this reason.
    pub(super) fn wait_for_reason(&self, wanted: &str) {
        let began = Instant::now();
        for node in self.up() {
            loop {
                let slot = node.request("lucid_slot", ())["slot"].clone();
                let schedule = node.request("lucid_getLeaderSchedule", (slot,));
                if schedule["reason"] == wanted {
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{}: {schedule}", node.url());
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    pub(super) fn kill(&mut self, place: usize) {
        self.running[place].take().unwrap().kill();
    }

    pub(super) fn up(&self) -> impl Iterator<Item = &DevNode> {
        self.running.iter().flatten()
    }

    pub(super) fn place_of(&self, address: &str) -> usize {
        self.infos.iter().position(|info| info.address.to_string().eq_ignore_ascii_case(address)).unwrap()
    }

    /// Sends a transfer to a node that is up.
    pub(super) fn send(&mut self) {
        let raw = transfer(self.sender, self.nonce, Address::repeat_byte(9));
        let node = self.up().nth(self.nonce as usize % self.up().count()).unwrap();
        block_on(node.client().send_raw_transaction(&raw)).unwrap();
        self.nonce += 1;
    }

    /// Whom the next height belongs to.
    pub(super) fn next_leader(&self) -> usize {
        let schedule = self.up().next().unwrap().request("lucid_getLeaderSchedule", ());
        self.place_of(schedule["order"][0]["leader"].as_str().unwrap())
    }

    /// Waits until every node that is up has a height, and says how long that took.
    pub(super) fn wait_for(&self, height: u64) -> Duration {
        let began = Instant::now();
        for node in self.up() {
            while height_of(node) < height {
                assert!(began.elapsed() < PATIENCE, "no block {height} at {}: {:?}", node.url(), self.heights());
                thread::sleep(Duration::from_millis(50));
            }
        }
        began.elapsed()
    }

    /// Waits until each node that is up is connected to so many others, as it says itself.
    pub(super) fn wait_for_peers(&self, peers: u64) {
        let began = Instant::now();
        for node in self.up() {
            loop {
                let count = node.request("net_peerCount", ());
                if count == json!(format!("{peers:#x}")) {
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{} has {count} peers", node.url());
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    pub(super) fn heights(&self) -> Vec<u64> {
        self.up().map(height_of).collect()
    }

    /// Waits until every node that is up has each transfer that was sent.
    pub(super) fn wait_for_all_sent(&self) {
        self.wait_for_sent(self.sender, self.nonce);
    }

    /// Waits until every node that is up has so many transactions of an account in blocks.
    pub(super) fn wait_for_sent(&self, account: &DevAccount, count: u64) {
        let began = Instant::now();
        for node in self.up() {
            let address = account.address();
            while node.request("eth_getTransactionCount", (address, "latest")) != json!(format!("{count:#x}")) {
                assert!(began.elapsed() < PATIENCE, "not all transfers are in blocks of {}", node.url());
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Holds the collections of the chain against each other, row by row.
    pub(super) fn assert_same_rows(&self) {
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

pub(super) fn height_of(node: &DevNode) -> u64 {
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

impl Net {
    /// Makes blocks until the head's slot is in another epoch, so many times over, with work proven by some nodes.
    pub(super) fn pass_epochs(&mut self, epochs: u64, workers: &[usize]) {
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
    pub(super) fn validator(&self, place: usize, arguments: &[&str]) {
        let datadir = self.infos[place].datadir.to_str().unwrap();
        let rpc = self.up().next().unwrap().url();
        let (command, rest) = arguments.split_first().unwrap();
        let output = run(&[&["validator", command, "--datadir", datadir, "--rpc", rpc], rest].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }

    /// Anchors a session through the first node, and checks its proof with nothing but the hash of the first block.
    pub(super) fn prove_a_session(&mut self) {
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
    pub(super) fn voters(&self) -> BTreeSet<usize> {
        let seal = self.up().next().unwrap().request("lucid_getSeal", ("latest",));
        let validators = seal["validators"].as_array().unwrap();
        validators.iter().map(|validator| self.place_of(validator["address"].as_str().unwrap())).collect()
    }
}
