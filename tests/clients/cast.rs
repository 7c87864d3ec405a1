//! cast, the command-line client that developers of contracts use.

use crate::support::{DevNode, npm_folder, said, say_skipped};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The first and second of the well-known accounts.
const FIRST: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const FIRST_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const SECOND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// What an account starts with, and what the tests send, in wei.
const START_WEI: u128 = 10_000 * ETHER_WEI;
const ETHER_WEI: u128 = 1_000_000_000_000_000_000;

/// cast, as npm installed it, pointed at one node.
struct Cast {
    folder: PathBuf,
    url: String,
}

impl Cast {
    fn new(folder: &Path, node: &DevNode) -> Self {
        Self { folder: folder.to_owned(), url: node.url().to_owned() }
    }

    /// The subcommand comes first, then its options: nothing may follow the bytes of a contract.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.folder.join("node_modules/.bin/cast"));
        // Its own folder: a configuration of the caller's would be read otherwise.
        command.current_dir(&self.folder).env("ETH_RPC_URL", &self.url).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        said(&mut self.command(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = said(&mut self.command(&[&arguments[..1], &["--json"], &arguments[1..]].concat()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// Signs with the first account's key, sends, waits, and gives the receipt.
    fn send(&self, arguments: &[&str]) -> Value {
        let receipt = self.json(&[&["send", "--private-key", FIRST_KEY], arguments].concat());
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        receipt
    }

    fn balance(&self, address: &str) -> u128 {
        self.run(&["balance", address]).parse().unwrap()
    }
}

/// Where cast is. `None` where the test has to be skipped, which is then said.
fn cast_folder(test: &str) -> Option<PathBuf> {
    // Nothing that could be installed would change it, so it is no failure either.
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        say_skipped(test, "cast is pinned for x86-64 Linux; run this test on such a machine");
        return None;
    }
    npm_folder(test)
}

fn number(quantity: &Value) -> u128 {
    let digits = quantity.as_str().and_then(|text| text.strip_prefix("0x"));
    u128::from_str_radix(digits.unwrap_or_else(|| panic!("{quantity} is no quantity")), 16).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn cast_sends_money_and_reads_it_back() {
    let Some(folder) = cast_folder("cast_sends_money_and_reads_it_back") else { return };
    let node = DevNode::start();
    let cast = Cast::new(&folder, &node);
    assert_eq!(cast.run(&["chain-id"]), "31337");
    assert_eq!(cast.run(&["block-number"]), "0");
    assert_eq!(cast.balance(FIRST), START_WEI);
    assert_eq!(cast.run(&["nonce", FIRST]), "0");

    let sent = cast.send(&["--value", "1ether", SECOND]);
    let fee = number(&sent["gasUsed"]) * number(&sent["effectiveGasPrice"]);
    assert_eq!(cast.balance(FIRST), START_WEI - ETHER_WEI - fee);
    assert_eq!(cast.balance(SECOND), START_WEI + ETHER_WEI);
    assert_eq!(cast.run(&["nonce", FIRST]), "1");
    assert_eq!(cast.json(&["receipt", text(&sent["transactionHash"])])["blockHash"], sent["blockHash"]);
    let read = cast.json(&["tx", text(&sent["transactionHash"])]);
    assert_eq!((number(&read["value"]), number(&read["nonce"])), (ETHER_WEI, 0));

    let block = cast.json(&["block", "latest"]);
    assert_eq!(block["hash"], sent["blockHash"]);
    assert_eq!(block["transactions"][0], sent["transactionHash"]);
    assert_eq!(cast.json(&["block", text(&sent["blockHash"]), "--full"])["transactions"][0]["hash"], read["hash"]);
    assert_eq!(cast.run(&["block-number"]), "1");
    assert_eq!(cast.run(&["estimate", SECOND, "--value", "1", "--from", FIRST]), "21000");

    let legacy = cast.send(&["--legacy", "--value", "1", SECOND]);
    assert_eq!(legacy["type"], "0x0");
}

#[test]
fn cast_deploys_calls_and_reads_logs() {
    let Some(folder) = cast_folder("cast_deploys_calls_and_reads_logs") else { return };
    let node = DevNode::start();
    let cast = Cast::new(&folder, &node);
    let artefact = fs::read_to_string(folder.join("contract/Counter.json")).unwrap();
    let artefact: Value = serde_json::from_str(&artefact).unwrap();

    let deployed = cast.send(&["--create", text(&artefact["bytecode"]), "constructor(uint256)", "7"]);
    let counter = text(&deployed["contractAddress"]);
    let call = |signature: &str| cast.run(&["call", counter, signature]);
    assert_eq!(call("value()(uint256)"), "7");
    let stepped = cast.send(&[counter, "step(uint256)", "5"]);
    assert_eq!(call("value()(uint256)"), "12");
    assert_eq!(number(&Value::from(cast.run(&["storage", counter, "0"]))), 12);
    assert!(cast.run(&["code", counter]).len() > 2);

    let event = "Stepped(address indexed,uint256 indexed,uint256)";
    let logs = cast.json(&["logs", "--from-block", "0", "--address", counter, event, FIRST]);
    assert_eq!(logs.as_array().unwrap().len(), 1, "{logs}");
    assert_eq!(logs[0]["transactionHash"], stepped["transactionHash"]);
    assert_eq!(number(&logs[0]["data"]), 12);
    let none = cast.json(&["logs", "--from-block", "0", "--address", counter, event, SECOND]);
    assert_eq!(none, Value::Array(Vec::new()));

    let refused = cast.command(&["call", counter, "step(uint256)", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("a step of zero"), "{said}");
}

/// A user sees the receipt, and the power fails in the same moment. What was answered must be there afterwards.
#[test]
fn what_cast_saw_mined_survives_a_power_cut() {
    let Some(folder) = cast_folder("what_cast_saw_mined_survives_a_power_cut") else { return };
    let datadir = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(datadir.path());
    let sent = Cast::new(&folder, &node).send(&["--value", "1ether", SECOND]);
    node.kill();

    let node = DevNode::start_in(datadir.path());
    let cast = Cast::new(&folder, &node);
    let hash = text(&sent["transactionHash"]);
    let receipt = cast.json(&["receipt", hash]);
    for field in ["blockHash", "blockNumber", "gasUsed", "effectiveGasPrice", "status", "transactionHash", "logsBloom"]
    {
        assert_eq!(receipt[field], sent[field], "{field}");
    }
    assert_eq!(cast.json(&["block", "1"])["hash"], sent["blockHash"]);
    let fee = number(&sent["gasUsed"]) * number(&sent["effectiveGasPrice"]);
    assert_eq!(cast.balance(FIRST), START_WEI - ETHER_WEI - fee);
    assert_eq!(cast.balance(SECOND), START_WEI + ETHER_WEI);

    // The chain goes on from there.
    let next = cast.send(&["--value", "1ether", SECOND]);
    assert_eq!(number(&next["blockNumber"]), 2);
    assert_eq!(cast.json(&["block", "2"])["parentHash"], sent["blockHash"]);
}
