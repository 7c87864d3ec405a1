//! The plug is pulled at random moments under load, again and again. After each time the store opens by itself, every
//! check of it is clean, and whatever was answered as done is there.
//!
//! `LUCID_KILL_ROUNDS` says how often; `LUCID_KILL_SEED` repeats the moments of a run that failed.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, eventually, run, text, transfer};
use alloy_primitives::{Address, B256};
use lucid_node::keys::{DEV_ACCOUNTS, DevAccount};
use lucid_rpc::Client;
use lucid_storage::{AnchoringStatus, Options, Reader, SessionAnchoringsBySession, Store, TransactionsByHash};
use lucid_types::SessionId;
use serde_json::Value;
use std::{
    env, fs,
    ops::RangeInclusive,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Rounds in all, unless told otherwise, and rounds on one chain.
const ROUNDS: u64 = 50;

/// How long a round lasts at most: many blocks, and several anchorings.
const MAX_ROUND_MS: u64 = 700;

/// What the node answered as done.
#[derive(Default)]
struct Answered {
    mined: Mutex<Vec<(B256, u64)>>,
    anchored: Mutex<Vec<SessionId>>,
}

/// A sequence of numbers that looks random and can be had again (splitmix64).
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Sends one transfer after the other, and notes each that has a receipt, until the node is gone.
async fn keep_sending(client: &Client, account: &DevAccount, answered: &Answered) -> Option<()> {
    let mut nonce = client.pending_nonce(account.address()).await.ok()?;
    loop {
        let hash = client.send_raw_transaction(&transfer(account, nonce, Address::repeat_byte(9))).await.ok()?;
        nonce += 1;
        loop {
            if let Some(receipt) = client.transaction_receipt(hash).await.ok()? {
                answered.mined.lock().unwrap().push((hash, receipt.block_number?));
                break;
            }
        }
    }
}

/// Has one session anchored after the other, and notes each that is answered, until the node is gone.
fn keep_anchoring(url: &str, recording: &Path, round: u64, answered: &Answered, stop: &AtomicBool) {
    for turn in 0u64.. {
        if stop.load(Relaxed) {
            return;
        }
        // A Merkle root is anchored once by an account, so each session is another one.
        fs::write(recording.join("chunk-0"), format!("{round} {turn}")).unwrap();
        let output = run(&["session", "anchor", "--rpc", url, "--no-wait", "--json", recording.to_str().unwrap()]);
        if output.status.success() {
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            answered.anchored.lock().unwrap().push(answer["session_id"].as_str().unwrap().parse().unwrap());
        }
    }
}

fn check_store(datadir: &Path, answered: &Answered, round: u64) {
    let verified = run(&["db", "verify", "--datadir", datadir.to_str().unwrap()]);
    assert!(verified.status.success(), "round {round}: {}{}", text(&verified.stdout), text(&verified.stderr));
    let store = Store::open(datadir.join("lucid.redb"), &Options::default()).expect("the store opens by itself");
    let snapshot = store.snapshot().unwrap();
    for (hash, height) in answered.mined.lock().unwrap().iter() {
        let found = snapshot.first_by_index::<TransactionsByHash>(hash).unwrap();
        assert_eq!(found.map(|(key, _)| key.block), Some(*height), "round {round}: {hash} was answered as mined");
    }
    for session in answered.anchored.lock().unwrap().iter() {
        let found = snapshot.first_by_index::<SessionAnchoringsBySession>(session).unwrap();
        assert!(found.is_some(), "round {round}: the anchoring of {session} was answered");
    }
}

#[test]
fn nothing_that_was_answered_is_lost_when_the_plug_is_pulled() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let rounds = number("LUCID_KILL_ROUNDS").unwrap_or(ROUNDS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("LUCID_KILL_SEED").unwrap_or(now);
    println!("LUCID_KILL_SEED={seed}");
    let mut moments = Moments(seed);
    let mut done = (0, 0);
    for first in (1..=rounds).step_by(ROUNDS as usize) {
        let (mined, anchored) = pull_the_plug(first..=rounds.min(first + ROUNDS - 1), &mut moments);
        done = (done.0 + mined, done.1 + anchored);
    }
    println!("{rounds} kills: {} transfers answered as mined, {} anchorings answered", done.0, done.1);
    assert!(done.0 > rounds && done.1 > rounds / 10, "too little was under way");
}

/// Rounds on one chain. Gives how many transfers were answered as mined, and how many anchorings were answered.
fn pull_the_plug(rounds: RangeInclusive<u64>, moments: &mut Moments) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (datadir, recording) = (folder.path().join("chain"), folder.path().join("recording"));
    fs::create_dir(&recording).unwrap();
    let answered = Answered::default();
    for round in rounds {
        let node = DevNode::start_in(&datadir);
        let (url, stop) = (node.url().to_owned(), AtomicBool::new(false));
        thread::scope(|scope| {
            for account in &DEV_ACCOUNTS[1..3] {
                let (client, answered) = (node.client(), &answered);
                scope.spawn(move || block_on(keep_sending(&client, account, answered)));
            }
            scope.spawn(|| keep_anchoring(&url, &recording, round, &answered, &stop));
            thread::sleep(Duration::from_millis(moments.next() % MAX_ROUND_MS));
            stop.store(true, Relaxed);
            node.kill();
        });
        check_store(&datadir, &answered, round);
    }
    let (mined, anchored) = (answered.mined.into_inner().unwrap(), answered.anchored.into_inner().unwrap());
    // And what was accepted is done in the end.
    let node = DevNode::start_in(&datadir);
    block_on(async {
        let client = node.client();
        for session_id in &anchored {
            eventually("an anchor", || async {
                let session = client.session(*session_id, None).await.unwrap().expect("the session is known");
                (session.status == AnchoringStatus::Confirmed).then_some(())
            })
            .await;
        }
    });
    (mined.len() as u64, anchored.len() as u64)
}
