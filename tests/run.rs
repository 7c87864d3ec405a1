//! A chain as an operator has it: made by `init`, run as a service, stopped, restored, refused.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{self, DevNode, FAST_SLOT_SECS, block_on, eventually, fast_chain, lucid_node, run, text};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use lucid_node::keys::{DEV_ACCOUNTS, NodeKeys};
use lucid_storage::{Direction, Options, Reader, Store, TableId};
use lucid_types::ChainSpec;
use serde_json::Value;
use std::{fs, path::Path};

/// What lets a chain seal on a machine whose clock nobody keeps.
const ANY_CLOCK: &[&str] = &["--accept-clock"];

fn str_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A transfer of the node's own account.
fn own_transfer(datadir: &Path, chain_id: u64, nonce: u64) -> Bytes {
    let keys = NodeKeys::load(&datadir.join("keys")).unwrap();
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::with_last_byte(9)),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = keys.account().sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// Sends a transfer and waits for its block; gives the block's height.
fn transfer(node: &DevNode, datadir: &Path, spec: &ChainSpec, nonce: u64) -> u64 {
    block_on(async {
        let client = node.client();
        let hash = client.send_raw_transaction(&own_transfer(datadir, spec.chain_id, nonce)).await.unwrap();
        let receipt = eventually("a receipt", || async { client.transaction_receipt(hash).await.unwrap() }).await;
        receipt.block_number.unwrap()
    })
}

/// Runs a command line that must fail, and gives its exit code and what it said.
fn refused(args: &[&str]) -> (i32, String) {
    let mut command = lucid_node();
    command.args(args);
    support::refused(command)
}

#[test]
fn init_prints_what_one_needs_to_know_and_what_to_copy() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    let made = run(&["init", "--datadir", str_of(&datadir), "--preset", "lucid", "--solo", "--json"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let answer: Value = serde_json::from_slice(&made.stdout).unwrap();
    let spec = ChainSpec::from_json(&fs::read(datadir.join("chain.json")).unwrap()).unwrap();
    assert_eq!(answer["chain_id"], spec.chain_id);
    assert!((582_430_000..592_430_000).contains(&spec.chain_id));
    assert_eq!(answer["account"].as_str().unwrap().parse::<Address>().unwrap(), spec.server);
    let copied: Vec<_> = answer["copy_off_the_machine"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(copied.iter().any(|path| path.ends_with("account.key")) && !copied.concat().contains("highest-signed"));
    let other = folder.path().join("other");
    let told = text(&run(&["init", "--datadir", str_of(&other)]).stdout);
    assert!(told.ends_with(&format!("Run it:  lucid-node run --datadir {}\n", other.display())), "{told}");
    let (code, said) = refused(&["init", "--datadir", str_of(&datadir)]);
    assert_eq!(code, 73);
    assert!(said.contains(&spec.chain_id.to_string()) && said.contains(answer["genesis_hash"].as_str().unwrap()));
}

#[test]
fn a_chain_spec_with_a_bad_field_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    let spec = fast_chain(&datadir);
    let other = folder.path().join("other");
    let file = folder.path().join("bad.json");
    let mut bad: Value = serde_json::from_slice(&spec.to_canonical_json()).unwrap();
    bad["parameters"]["cooldownSlots"] = 99.into();
    fs::write(&file, bad.to_string()).unwrap();
    let (code, said) = refused(&["init", "--datadir", str_of(&other), "--chain", str_of(&file)]);
    assert_eq!(code, 65);
    assert!(said.contains("cooldownSlots is 99, and must lie between 8 and 64"), "{said}");
    assert!(!other.exists());
}

#[test]
fn a_service_on_an_empty_folder_makes_no_chain_and_asks_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["--no-init"][..], &[]] {
        let datadir = folder.path().join("unmounted");
        let (code, said) = refused(&[&["run", "--datadir", str_of(&datadir)], args].concat());
        assert_eq!(code, 78, "{said}");
        assert!(said.contains("is the disk mounted?"), "{said}");
        assert!(!datadir.exists());
    }
}

/// A new chain on the mount point of a disk that is late, or beside the keys of the old one, would be the last thing wanted.
#[test]
fn a_chain_whose_store_is_gone_is_restored_and_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    let dir = str_of(&datadir);
    assert!(run(&["init", "--datadir", dir]).status.success());
    assert!(run(&["db", "backup", "--datadir", dir]).status.success());
    fs::remove_file(datadir.join("lucid.redb")).unwrap();
    fs::write(datadir.join("keys/highest-signed"), "height 1 round 0 step precommit\n").unwrap();
    let (code, said) = refused(&["run", "--datadir", dir]);
    assert_eq!(code, 78, "{said}");
    let command = said.split('`').nth(1).unwrap();
    assert!(command.starts_with("lucid-node db restore") && !said.contains("init"), "{said}");
    // What it says can be pasted.
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let restored = run(&words);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
}

#[test]
fn keys_that_were_put_there_are_told_about_before_the_first_run() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    assert!(run(&["init", "--datadir", str_of(&first)]).status.success());
    let spec = first.join("chain.json");
    let (code, said) = refused(&["init", "--datadir", str_of(&second), "--chain", str_of(&spec)]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("holds no account.key") && said.contains("key import"), "{said}");
    for more in [&[][..], &["--consensus"]] {
        let key = folder.path().join("k.key");
        let args = ["key", "export", "--datadir", str_of(&first), "-o", str_of(&key)];
        assert!(run(&[&args[..], more].concat()).status.success());
        assert!(run(&[&["key", "import", "--datadir", str_of(&second), str_of(&key)], more].concat()).status.success());
        fs::remove_file(&key).unwrap();
    }
    let made = run(&["init", "--datadir", str_of(&second), "--chain", str_of(&spec)]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains("--accept-restored"), "{}", text(&made.stdout));
}

/// Where a file may not grow, a library's error names the path a second time, under another name.
#[test]
fn a_disk_that_takes_nothing_is_named_once_and_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    let mut command = std::process::Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" init --datadir \"$1\"";
    command.args(["-c", script]).arg(lucid_node().get_program()).arg(&datadir);
    let (code, said) = support::refused(command);
    assert_eq!(code, 74, "{said}");
    assert!(said.contains("account.key") && said.matches(str_of(&datadir)).count() == 1, "{said}");
    assert_eq!(fs::read_dir(datadir.join("keys")).unwrap().count(), 0, "nothing half is left");
}

#[test]
fn a_solo_chain_anchors_a_session_in_a_slot_and_a_stranger_verifies_it() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    let spec = fast_chain(&datadir);
    let recording = folder.path().join("recording");
    fs::create_dir(&recording).unwrap();
    for index in 0..3 {
        fs::write(recording.join(format!("chunk-{index}")), format!("ciphertext {index}")).unwrap();
    }
    let node = DevNode::run_in(&datadir, ANY_CLOCK);
    let without = run(&["session", "anchor", "--rpc", node.url(), str_of(&recording)]);
    assert_eq!(without.status.code(), Some(77), "signing with the node's key takes a token");
    assert!(text(&without.stderr).contains("--token-file"), "{}", text(&without.stderr));
    let token = datadir.join("tokens/anchor");
    let args = ["session", "anchor", "--rpc", node.url(), "--token-file", str_of(&token), "--json", str_of(&recording)];
    let anchored = run(&args);
    assert!(anchored.status.success(), "{}", text(&anchored.stderr));
    let answer: Value = serde_json::from_slice(&anchored.stdout).unwrap();
    let height = answer["block_number"].as_u64().unwrap();
    let proof = folder.path().join("proof.json");
    let session = answer["session_id"].as_str().unwrap();
    let args = ["session", "proof", "--rpc", node.url(), session, "--chunk", "1", "-o", str_of(&proof)];
    assert!(run(&args).status.success());
    let block: Value = node.request("eth_getBlockByNumber", (format!("{height:#x}"), false));
    let timestamp = u64::from_str_radix(&block["timestamp"].as_str().unwrap()[2..], 16).unwrap();
    assert!(spec.slots().is_slot_start(timestamp));
    let genesis: Value = node.request("eth_getBlockByNumber", ("0x0", false));
    assert!(node.terminate().success());

    let chunk = format!("1={}", str_of(&recording.join("chunk-1")));
    let genesis = genesis["hash"].as_str().unwrap();
    let verified = run(&["session", "verify", str_of(&proof), "--genesis", genesis, "--chunk-file", &chunk]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
}

/// Two seconds after the first transaction that waits, and never two in a slot: what comes meanwhile goes along.
#[test]
fn a_slot_has_at_most_one_block_and_none_where_nothing_waits() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    let spec = fast_chain(&datadir);
    let node = DevNode::run_in(&datadir, ANY_CLOCK);
    let first: Vec<u64> = (0..3).map(|nonce| transfer(&node, &datadir, &spec, nonce)).collect();
    assert_eq!(first, [1, 2, 3]);
    std::thread::sleep(std::time::Duration::from_secs(2 * FAST_SLOT_SECS));
    let times: Vec<u64> = (1..=3)
        .map(|height| {
            let block: Value = node.request("eth_getBlockByNumber", (format!("{height:#x}"), false));
            u64::from_str_radix(&block["timestamp"].as_str().unwrap()[2..], 16).unwrap()
        })
        .collect();
    assert!(times.windows(2).all(|pair| pair[1] >= pair[0] + FAST_SLOT_SECS), "{times:?}");
    assert_eq!(node.request("eth_blockNumber", ()), "0x3", "no empty blocks");
}

/// A store that was put back to an earlier day: signing its heights again could give two blocks for one.
#[test]
fn a_restored_store_is_not_signed_on_until_somebody_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    let spec = fast_chain(&datadir);
    let store = datadir.join("lucid.redb");
    let node = DevNode::run_in(&datadir, ANY_CLOCK);
    transfer(&node, &datadir, &spec, 0);
    assert!(node.terminate().success());
    let backup = fs::read(&store).unwrap();
    let node = DevNode::run_in(&datadir, ANY_CLOCK);
    transfer(&node, &datadir, &spec, 1);
    assert!(node.terminate().success());

    fs::write(&store, backup).unwrap();
    let node = DevNode::run_in(&datadir, ANY_CLOCK);
    let said = node.banner().join("\n");
    assert!(said.contains("signed height 2, and the store ends at 1") && said.contains("--accept-restored"), "{said}");
    let waiting = own_transfer(&datadir, spec.chain_id, 1);
    let waiting = block_on(async { node.client().send_raw_transaction(&waiting).await.unwrap() });
    std::thread::sleep(std::time::Duration::from_secs(3 * FAST_SLOT_SECS));
    assert_eq!(node.request("eth_blockNumber", ()), "0x1", "it serves, and does not sign");
    let info: Value = node.request("lucid_chainInfo", ());
    assert!(info["sealing_stop"].as_str().unwrap().contains("--accept-restored"), "{info}");
    assert!(node.terminate().success());

    let node = DevNode::run_in(&datadir, &["--accept-clock", "--accept-restored"]);
    let receipt =
        block_on(eventually("the block", || async { node.client().transaction_receipt(waiting).await.unwrap() }));
    assert_eq!(receipt.block_number, Some(2), "it goes on from the store's head");
    assert!(node.terminate().success());
    let node = DevNode::run_in(&datadir, ANY_CLOCK);
    assert!(!node.banner().join("\n").contains("No blocks"), "{:?}", node.banner());
}

/// Off this machine it takes an address, the word that this is meant, and a token; and then each request needs one.
#[test]
fn a_node_that_listens_off_the_machine_answers_nobody_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    assert!(run(&["init", "--datadir", str_of(&datadir)]).status.success());
    assert!(run(&["key", "rotate-token", "read", "--datadir", str_of(&datadir)]).status.success());
    let token = datadir.join("tokens/read");
    for words in [&["--http-allow-remote"][..], &["--http-token-file", str_of(&token)], &[]] {
        let args = ["run", "--datadir", str_of(&datadir), "--http-port", "0", "--http-addr", "0.0.0.0"];
        let (code, said) = refused(&[&args[..], words].concat());
        assert_eq!(code, 78, "{said}");
        assert!(said.contains("--http-allow-remote and --http-token-file"), "{said}");
    }
    let node = DevNode::run_in(
        &datadir,
        &["--http-addr", "0.0.0.0", "--http-allow-remote", "--http-token-file", str_of(&token)],
    );
    let url = node.url().replace("0.0.0.0", "127.0.0.1");
    let list = |more: &[&str]| run(&[&["session", "list", "--rpc", &url][..], more].concat());
    let without = list(&[]);
    assert_eq!(without.status.code(), Some(77));
    let said = text(&without.stderr);
    assert!(said.contains("asks for a token") && said.contains("--token-file") && !said.contains("reached"), "{said}");
    let with = list(&["--token-file", str_of(&token)]);
    assert!(with.status.success(), "{}", text(&with.stderr));
    assert!(node.terminate().success());
}

/// Puts a store that only its meta table is of into a folder that `init` made.
fn damage(datadir: &Path, change: impl FnOnce(&mut lucid_storage::Batch)) {
    let store = Store::open(datadir.join("lucid.redb"), &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    change(&mut batch);
    store.commit(batch).unwrap();
}

#[test]
fn a_folder_that_cannot_be_run_is_refused_with_a_sentence_and_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let datadir = folder.path().join(name);
        assert!(run(&["init", "--datadir", str_of(&datadir)]).status.success());
        datadir
    };
    let other = made("other");
    let check = |datadir: &Path, code: i32, sentence: &str| {
        let (found, said) = refused(&["run", "--datadir", str_of(datadir), "--http-port", "0"]);
        assert_eq!(found, code, "{said}");
        assert!(said.contains(sentence), "{said}");
    };

    let another_chain = made("another-chain");
    fs::copy(other.join("chain.json"), another_chain.join("chain.json")).unwrap();
    check(&another_chain, 65, "one of the two belongs elsewhere");

    let other_keys = made("other-keys");
    for name in ["account.key", "consensus.key"] {
        fs::copy(other.join("keys").join(name), other_keys.join("keys").join(name)).unwrap();
    }
    check(&other_keys, 78, "only validator");

    let newer = made("newer");
    damage(&newer, |batch| batch.raw_put(TableId::Meta, *b"format_version", 99u32.to_be_bytes()));
    check(&newer, 65, "format 99");

    let nameless = made("nameless");
    damage(&nameless, |batch| batch.raw_remove(TableId::Meta, *b"format_version"));
    check(&nameless, 65, "`format_version` is absent");

    let text_file = made("text");
    fs::write(text_file.join("lucid.redb"), "no database").unwrap();
    check(&text_file, 65, "is not a store");

    let running = DevNode::run_in(&other, &[]);
    check(&other, 69, "in use by another process");
    let port = running.url().rsplit(':').next().unwrap();
    let free = made("free");
    let (code, said) = refused(&["run", "--datadir", str_of(&free), "--http-port", port]);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("in use by another program"), "{said}");
    let (code, said) = refused(&["run", "--datadir", str_of(&free), "--http-addr", "0.0.0.0"]);
    assert_eq!(code, 78, "{said}");
}

/// A page in the middle of the file is not what was written, as a dying SD card has it.
#[test]
fn a_store_with_damaged_pages_is_an_error_and_never_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("node");
    assert!(run(&["init", "--datadir", str_of(&datadir)]).status.success());
    let path = datadir.join("lucid.redb");
    let whole = fs::read(&path).unwrap();
    // Header, the pages that say which tables there are, and the rest: whatever is read first is found out.
    for (from, to) in [(0, 64), (64, 4_096), (4_096, whole.len())] {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        let (code, said) = refused(&["run", "--http-port", "0", "--datadir", str_of(&datadir)]);
        assert_eq!(code, 65, "{said}");
        assert!(said.contains("error: ") && said.contains("lucid-node db restore --datadir"), "{said}");
    }
    let truncated = &whole[..whole.len() / 2];
    fs::write(&path, truncated).unwrap();
    let (code, said) = refused(&["run", "--datadir", str_of(&datadir), "--http-port", "0"]);
    assert_eq!(code, 65, "{said}");
}

/// What waits is not promised, and yet not thrown away: it is on disk a second later, and at a stop in any case.
#[test]
fn what_waits_survives_a_restart_and_a_kill_a_second_later() {
    let folder = tempfile::tempdir().unwrap();
    let rarely = ["--block-time", "3600"];
    let raw = |nonce| support::transfer(&DEV_ACCOUNTS[0], nonce, Address::ZERO);
    let node = DevNode::start_in_with(folder.path(), &rarely);
    let send =
        |node: &DevNode, nonce| block_on(async { node.client().send_raw_transaction(&raw(nonce)).await.unwrap() });
    let first = send(&node, 0);
    std::thread::sleep(std::time::Duration::from_secs(3));
    node.kill();
    let node = DevNode::start_in_with(folder.path(), &rarely);
    assert_eq!(node.request("eth_getTransactionByHash", (first,))["blockNumber"], Value::Null);
    assert_eq!(block_on(async { node.client().pending_nonce(DEV_ACCOUNTS[0].address()).await.unwrap() }), 1);
    let second = send(&node, 1);
    assert!(node.terminate().success());

    let node = DevNode::start_in(folder.path());
    block_on(async {
        let client = node.client();
        for hash in [first, second] {
            eventually("a receipt", || async { client.transaction_receipt(hash).await.unwrap() }).await;
        }
    });
    assert!(node.terminate().success());
    let store = Store::open(folder.path().join("lucid.redb"), &Options::default()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let rows = snapshot.raw_prefix(TableId::Mempool, &[], Direction::Forward).unwrap();
    assert_eq!(rows.count(), 0, "what is in blocks waits no longer");
}

/// Whatever stands in the place of a file of the node: it must not keep the node waiting for ever.
#[test]
fn a_pipe_in_place_of_a_file_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    fast_chain(folder.path());
    let pipe = |name: &str| {
        let path = folder.path().join(name);
        let _ = fs::rename(&path, path.with_extension("aside"));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    for name in ["flight-recorder", "flight-recorder.1", "recorded-time"] {
        let path = pipe(name);
        DevNode::run_in(folder.path(), &[]).terminate();
        fs::remove_file(path).unwrap();
    }
    for (name, code) in [("chain.json", 74), ("keys/highest-signed", 0), ("lucid.redb", 65)] {
        let path = pipe(name);
        if code == 0 {
            let node = DevNode::run_in(folder.path(), &[]);
            assert!(node.banner().iter().any(|line| line.contains("highest-signed")), "{:?}", node.banner());
            node.terminate();
        } else {
            let args = ["run", "--datadir", str_of(folder.path()), "--no-init", "--http-port", "0"];
            assert_eq!(refused(&args).0, code, "{name}");
        }
        fs::remove_file(&path).unwrap();
        fs::rename(path.with_extension("aside"), path).unwrap();
    }
    DevNode::run_in(folder.path(), &[]).terminate();
}
