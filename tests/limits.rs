//! What the program may cost: memory, writes, time to the first answer, size. Bounds of a release build, so these run
//! only where they are asked for:
//!
//!     cargo build --release --locked
//!     LUCID_NODE_BIN=target/release/lucid-node cargo test --test integration limits -- --ignored --test-threads 1
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, lucid_node, transfer};
use alloy_primitives::{Address, hex};
use lucid_node::keys::DEV_ACCOUNTS;
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Memory of an idle node.
const MAX_IDLE_KIB: u64 = 16 * 1024;
/// Memory after [`TRANSFERS`].
const MAX_BUSY_KIB: u64 = 48 * 1024;
/// What memory may grow by once it has filled its caches: allocators are not exact.
const MAX_GROWTH_KIB: u64 = 2 * 1024;
const TRANSFERS: u64 = 30_000;
const MAX_FIRST_ANSWER: Duration = Duration::from_millis(100);
const BLOCKS: u64 = 10_000;
const MAX_BINARY_BYTES: u64 = 12 << 20;
/// How long an idle node is watched.
const IDLE: Duration = Duration::from_secs(60);

/// A number out of a file of /proc, behind its name.
fn proc_value(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"));
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

fn resident_kib(node: &DevNode) -> u64 {
    proc_value(node.pid(), "status", "VmRSS")
}

/// One JSON-RPC request over a connection of its own.
fn post(addr: SocketAddr, body: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(addr).ok()?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {addr}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Sends transfers of `count` in all from the ten accounts, fifty in a batch, and waits until they are mined.
fn send_transfers(node: &DevNode, from_nonce: u64, count: u64) {
    let accounts = DEV_ACCOUNTS.len() as u64;
    let each = count / accounts;
    for first in (from_nonce..from_nonce + each).step_by(5) {
        let calls = (first..(first + 5).min(from_nonce + each)).flat_map(|nonce| {
            DEV_ACCOUNTS.iter().enumerate().map(move |(n, account)| {
                let to = Address::left_padding_from(&(1 + nonce * accounts + n as u64).to_be_bytes());
                let raw = hex::encode_prefixed(transfer(account, nonce, to));
                json!({"jsonrpc": "2.0", "id": nonce, "method": "eth_sendRawTransaction", "params": [raw]})
            })
        });
        let calls: Vec<_> = calls.collect();
        let answers = post(node.addr(), &Value::from(calls).to_string()).unwrap();
        for answer in answers.as_array().unwrap() {
            assert!(answer["result"].is_string(), "{answer}");
        }
    }
    let until = Instant::now() + Duration::from_secs(60);
    for account in &DEV_ACCOUNTS {
        let mined = format!("{:#x}", from_nonce + each);
        while node.request("eth_getTransactionCount", (account.address(), "latest")) != mined.as_str() {
            assert!(Instant::now() < until, "not all were mined");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
#[ignore = "a bound of the release build"]
fn the_program_is_small() {
    let bytes = fs::metadata(lucid_node().get_program()).unwrap().len();
    println!("program: {bytes} bytes");
    assert!(bytes <= MAX_BINARY_BYTES, "{bytes} bytes");
}

#[test]
#[ignore = "a bound of the release build"]
fn an_idle_node_takes_little_memory_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(folder.path());
    thread::sleep(Duration::from_secs(2));
    let written = || (proc_value(node.pid(), "io", "write_bytes"), proc_value(node.pid(), "io", "syscw"));
    let before = written();
    thread::sleep(IDLE);
    let after = written();
    let idle_kib = resident_kib(&node);
    println!("idle: {idle_kib} KiB; bytes and calls of writes: {before:?}, a minute later {after:?}");
    assert_eq!(after.0, before.0, "an idle node wrote to its disk");
    assert!(idle_kib <= MAX_IDLE_KIB, "{idle_kib} KiB");
}

#[test]
#[ignore = "a bound of the release build"]
fn memory_stays_flat_over_many_transfers() {
    let folder = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(folder.path());
    let each = TRANSFERS / DEV_ACCOUNTS.len() as u64;
    let began = Instant::now();
    send_transfers(&node, 0, TRANSFERS);
    let first_kib = resident_kib(&node);
    send_transfers(&node, each, TRANSFERS / 2);
    let then_kib = resident_kib(&node);
    let blocks = node.request("eth_blockNumber", ());
    println!(
        "after {TRANSFERS} transfers {first_kib} KiB, after {} {then_kib} KiB; {blocks} blocks, {:.1} s",
        TRANSFERS + TRANSFERS / 2,
        began.elapsed().as_secs_f64()
    );
    assert!(first_kib <= MAX_BUSY_KIB, "{first_kib} KiB");
    assert!(then_kib <= first_kib + MAX_GROWTH_KIB, "grew from {first_kib} to {then_kib} KiB");
}

/// The memory curve of docs/performance.md: a line for every 10,000 transfers.
#[test]
#[ignore = "takes minutes: run by name"]
fn memory_curve_over_300_000_transfers() {
    let folder = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(folder.path());
    let step = 10_000;
    for done in (0..300_000u64).step_by(step as usize) {
        send_transfers(&node, done / DEV_ACCOUNTS.len() as u64, step);
        let file = fs::metadata(folder.path().join("lucid.redb")).unwrap().len() >> 20;
        println!("{} transfers: {} KiB resident, file {file} MiB", done + step, resident_kib(&node));
    }
    let end_kib = resident_kib(&node);
    assert!(end_kib <= MAX_BUSY_KIB + MAX_GROWTH_KIB, "{end_kib} KiB");
}

#[test]
#[ignore = "a bound of the release build"]
fn a_long_chain_answers_soon_after_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let node = DevNode::start_in(folder.path());
    block_on(async {
        let client = node.client();
        for nonce in 0..BLOCKS {
            crate::support::send(&client, &transfer(&DEV_ACCOUNTS[0], nonce, Address::ZERO)).await;
        }
    });
    assert_eq!(node.request("eth_blockNumber", ()), format!("{BLOCKS:#x}"));
    assert!(node.interrupt().success());
    let mut times: Vec<_> = (0..5).map(|_| first_answer(folder.path())).collect();
    times.sort();
    println!("first answer on a chain of {BLOCKS} blocks: {times:?}");
    assert!(times[2] <= MAX_FIRST_ANSWER, "{times:?}");
}

/// From the start of the process to its first answer.
fn first_answer(datadir: &Path) -> Duration {
    // A port that was free a moment ago: what listens is not told before it does.
    let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = lucid_node();
    command.args(["dev", "--datadir", datadir.to_str().unwrap(), "--port", &addr.port().to_string()]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let answer = loop {
        match post(addr, r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#) {
            Some(answer) => break answer,
            None => assert!(began.elapsed() < Duration::from_secs(30), "no answer"),
        }
        thread::sleep(Duration::from_millis(1));
    };
    let took = began.elapsed();
    assert_eq!(answer["result"], format!("{BLOCKS:#x}"));
    let kill = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    took
}
