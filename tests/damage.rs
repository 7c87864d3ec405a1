//! A disk that gives back other bits than were written to it: whatever bit of the store's file it is, nothing that is
//! read is taken for true that was never written, no block is made from it, and the program ends with the code of damaged
//! data.
//!
//! `LUCID_DAMAGE_FLIPS` says how many bits are flipped, one after the other; `LUCID_DAMAGE_SEED` repeats a run.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, block_on, lucid_node, run, send, text, transfer};
use alloy_consensus::{Header, SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use lucid_node::{
    chain::{self, BlockAttributes, ChainError},
    evm::Transaction,
    keys::{DEV_ACCOUNTS, DevAccount, HIGHEST_SIGNED_FILE},
    mempool::Mempool,
    state::{LatestState, StateReader},
};
use lucid_rpc::Client;
use lucid_storage::{Direction, Options, Reader, Snapshot, Store, StoreError, TableId};
use lucid_types::{ChainSpec, ExtraData};
use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead, BufReader},
    ops::Bound,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Bits that are flipped under reads and a block, unless told otherwise.
const FLIPS: u64 = 120;

/// Of so many flips one is tried with the program too, which takes longer.
const FLIPS_PER_PROGRAM: u64 = 20;

/// Blocks of the chain that is damaged.
const BLOCKS: u64 = 200;

/// Each so-manieth row is looked for by its key.
const ROWS_PER_LOOK: usize = 17;

/// How long a node may take to say what it makes of a transaction.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Adds one to the slot that the first word names, and logs the balance of the account that the second word names.
const CODE: [u8; 29] = hex!("60148060095f395ff3" "5f358054600101905560203531" "5f5260205fa000");

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// A generator of numbers that need not be good ones (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn sign(from: &DevAccount, nonce: u64, to: TxKind, value: u64, input: Vec<u8>) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to,
        value: U256::from(value),
        input: input.into(),
        ..TxEip1559::default()
    };
    let signature = from.secret_key().sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// A call of the contract.
fn count(from: &DevAccount, nonce: u64, slot: u64, account: Address) -> Bytes {
    let input = [B256::from(U256::from(slot)), account.into_word()].concat();
    sign(from, nonce, TxKind::Call(contract()), 0, input)
}

fn contract() -> Address {
    DEV_ACCOUNTS[0].address().create(0)
}

fn receiver(n: u64) -> Address {
    Address::from_word(keccak256(n.to_be_bytes()))
}

/// A stopped chain with accounts, a contract with slots, and sessions.
fn make_chain(datadir: &Path) {
    let node = DevNode::start_in(datadir);
    let [alice, bob, ..] = DEV_ACCOUNTS;
    block_on(async {
        let client = node.client();
        send(&client, &sign(&alice, 0, TxKind::Create, 0, CODE.to_vec())).await;
        for n in 1..BLOCKS {
            let raw =
                if n % 2 == 0 { count(&alice, n / 2, n, receiver(n)) } else { transfer(&bob, n / 2, receiver(n)) };
            send(&client, &raw).await;
        }
    });
    let recording = datadir.join("recording");
    fs::create_dir(&recording).unwrap();
    for index in 0..20 {
        fs::write(recording.join(format!("chunk-{index:02}")), format!("ciphertext {index}")).unwrap();
    }
    let anchored = run(&["session", "anchor", "--rpc", node.url(), recording.to_str().unwrap()]);
    assert!(anchored.status.success(), "{}", text(&anchored.stderr));
    fs::remove_dir_all(&recording).unwrap();
    assert!(node.interrupt().success());
}

/// What a whole store says, to hold against what a damaged one says.
struct Truth {
    rows: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
    maps: Vec<BTreeMap<Vec<u8>, Vec<u8>>>,
    spec: ChainSpec,
    block: Header,
}

fn all_rows(snapshot: &Snapshot, table: TableId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = snapshot.raw_range(table, Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The block that the store makes of some transactions; the same ones and the same block each time.
fn next_block(store: &Store, spec: &ChainSpec) -> Result<Header, ChainError> {
    let [alice, bob, ..] = DEV_ACCOUNTS;
    let mut scratch = store.begin()?;
    let head = chain::read_head(&scratch)?;
    let attributes = BlockAttributes {
        timestamp: head.timestamp + 1,
        beneficiary: Address::repeat_byte(9),
        mix_hash: B256::ZERO,
        parent_certificate_hash: B256::ZERO,
        extra_data: ExtraData::decode(&head.extra_data).unwrap(),
    };
    let raws = [
        count(&alice, BLOCKS / 2, 40, receiver(41)),
        count(&alice, BLOCKS / 2 + 1, 41, receiver(40)),
        transfer(&bob, BLOCKS / 2, receiver(43)),
        transfer(&bob, BLOCKS / 2 + 1, receiver(44)),
    ];
    let candidates: Vec<Transaction> = raws.iter().map(|raw| Mempool::decode(raw, spec).unwrap()).collect();
    chain::build(&mut scratch, spec, &head, &attributes, &Withdrawals::default(), candidates)
        .map(|built| built.block.header)
}

impl Truth {
    fn of(file: &Path) -> Self {
        let store = Store::open(file, &Options::default()).unwrap();
        let snapshot = store.snapshot().unwrap();
        let rows: Vec<_> = TableId::ALL.iter().map(|table| all_rows(&snapshot, *table)).collect();
        let maps = rows.iter().map(|rows| rows.iter().cloned().collect()).collect();
        let spec = ChainSpec::from_json(&store.meta().chain_spec).unwrap();
        let block = next_block(&store, &spec).unwrap();
        assert!(block.gas_used > 100_000, "the calls are in it");
        Self { rows, maps, spec, block }
    }

    /// Holds what the store says against the truth; the error is the first that it gives. A wrong answer is a panic whose
    /// text begins with "wrong".
    ///
    /// `byte` is where and how the file is changed once it is open.
    fn hold(&self, file: &Path, byte: Option<(usize, u8)>) -> Result<(), String> {
        let said = |error: StoreError| {
            assert!(error.is_damage(), "wrong kind of error: {error}");
            error.to_string()
        };
        let store = Store::open(file, &Options { cache_bytes: 0, ..Options::default() }).map_err(said)?;
        if let Some((at, byte)) = byte {
            fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(&[byte], at as u64).unwrap();
        }
        let snapshot = store.snapshot().map_err(said)?;
        let mut first = Ok(());
        let mut keep = |error| first = first.clone().and(Err(error));
        match next_block(&store, &self.spec) {
            Ok(block) => assert_eq!(block, self.block, "wrong block"),
            Err(error) => {
                assert!(error.is_damage(), "wrong kind of error: {error}");
                keep(error.to_string());
            }
        }
        for (table, rows) in TableId::ALL.into_iter().zip(&self.rows) {
            if let Err(error) = self.hold_walk(&snapshot, table, rows) {
                keep(said(error));
            }
            for (key, value) in rows.iter().step_by(ROWS_PER_LOOK) {
                match snapshot.raw_get(table, key) {
                    Ok(found) => assert!(
                        found.as_ref() == Some(value) || (found.is_none() && is_held_by_hashes(table)),
                        "wrong value in {}",
                        table.name()
                    ),
                    Err(error) => keep(said(error)),
                }
                let mut other = key.clone();
                *other.last_mut().unwrap() ^= 0x10;
                match snapshot.raw_get(table, &other) {
                    Ok(found) => assert!(
                        found.as_ref() == self.maps[table as usize].get(&other)
                            || (found.is_none() && is_held_by_hashes(table)),
                        "wrong value in {}",
                        table.name()
                    ),
                    Err(error) => keep(said(error)),
                }
            }
        }
        let state = LatestState::new(&snapshot);
        for n in 0..BLOCKS {
            for answer in [state.account(receiver(n)).map(drop), state.storage(contract(), U256::from(n)).map(drop)] {
                if let Err(error) = answer {
                    assert!(error.is_damage(), "wrong kind of error: {error}");
                    keep(error.to_string());
                }
            }
        }
        first
    }

    fn hold_walk(&self, snapshot: &Snapshot, table: TableId, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StoreError> {
        let mut expected = rows.iter();
        let walk = snapshot.raw_range(table, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
        for row in walk {
            assert!(expected.next() == Some(&row?), "wrong row in a walk over {}", table.name());
        }
        assert!(expected.next().is_none(), "wrong end of a walk over {}", table.name());
        // From within: a walk that begins at a key.
        for (at, (key, _)) in rows.iter().enumerate().step_by(ROWS_PER_LOOK * 4) {
            let bounds = [(key.as_slice(), None, Direction::Forward), (&[], Some(key.as_slice()), Direction::Reverse)];
            for (from, to, direction) in bounds {
                let to = to.map_or(Bound::Unbounded, Bound::Included);
                let found = snapshot.raw_range(table, Bound::Included(from), to, direction)?.next().transpose()?;
                let right = found.as_ref() == Some(&rows[at]);
                assert!(right || is_held_by_hashes(table), "wrong row of a range in {}", table.name());
            }
        }
        Ok(())
    }
}

/// Whether a byte may be of the number of a page. Where that comes to name an older copy of the same page, all that is read
/// there was written once, and only the checksums of pages tell, which `db verify` looks at. Numbers of pages lie in
/// branches, behind the checksums of their children, and in the pages with the tables' names.
fn is_page_number(whole: &[u8], at: usize) -> bool {
    let page = &whole[at / 4096 * 4096..][..4096];
    let children = usize::from(u16::from_le_bytes([page[2], page[3]])) + 1;
    let numbers = 8 + 16 * children..8 + 24 * children;
    // A page with one row that says that it has none is such a copy too, from before that row.
    let one_row = page[0] == 1 && page[2..4] == [1, 0] && at % 4096 == 2;
    one_row
        || (page[0] == 2 && numbers.contains(&(at % 4096)))
        || page.windows(12).any(|bytes| bytes == b".by_sequence")
}

/// Tables whose absent rows are known from the hashes of others, and not looked for.
fn is_held_by_hashes(table: TableId) -> bool {
    matches!(table, TableId::AccountTrie | TableId::AccountsByHash)
}

#[test]
fn no_flipped_bit_makes_a_wrong_answer_or_a_wrong_block() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let datadir = folder.path().join("chain");
    let started = Instant::now();
    make_chain(&datadir);
    let file = datadir.join("lucid.redb");
    let truth = Truth::of(&file);
    let whole = fs::read(&file).unwrap();
    // Each node goes on from the same block.
    let signed_file = datadir.join("keys").join(HIGHEST_SIGNED_FILE);
    let signed = fs::read(&signed_file).unwrap();
    let stats = run(&["db", "stats", "--datadir", datadir.to_str().unwrap()]).stdout;
    let used: Vec<usize> = (0..whole.len()).step_by(4096).filter(|at| whole[*at..*at + 4096] != [0; 4096]).collect();
    println!("{} bytes, {} pages that hold something, {:?}", whole.len(), used.len(), started.elapsed());
    let (flips, seed) = (number("LUCID_DAMAGE_FLIPS").unwrap_or(FLIPS), number("LUCID_DAMAGE_SEED").unwrap_or(7));
    let mut numbers = Numbers(seed);
    let (mut harmless, mut errors, mut panics, mut programs) = (0, BTreeMap::<String, u64>::new(), 0, 0);
    let (mut wrong, mut older) = (Vec::new(), 0);
    for n in 0..flips {
        let page = used[numbers.below(used.len() as u64) as usize];
        // Each second one in what the engine keeps at a page's beginning: numbers, offsets, and other pages' numbers.
        let within = if n % 2 == 0 { 4096 } else { 256 };
        let (at, bit) = (page + numbers.below(within) as usize, numbers.below(8));
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        // Under an open store as well: where it is opened, a debug build of the engine looks at more than it does later.
        let under = (n % 4 > 1).then_some((at, flipped[at]));
        fs::write(&file, if under.is_some() { &whole } else { &flipped }).unwrap();
        match catch_unwind(AssertUnwindSafe(|| truth.hold(&file, under))) {
            Ok(Ok(())) => harmless += 1,
            Ok(Err(error)) => *errors.entry(error.chars().take(40).collect()).or_default() += 1,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text =
                    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
                if text.contains("wrong") && is_page_number(&whole, at) {
                    older += 1;
                    println!("flip {n} at {at} bit {bit}: an older page was read: {}", &text[..text.len().min(60)]);
                } else if text.contains("wrong") {
                    wrong.push(format!("flip {n} at {at} bit {bit}: {text}"));
                }
                panics += 1;
            }
        }
        if n % FLIPS_PER_PROGRAM == 0 {
            fs::write(&file, &flipped).unwrap();
            fs::write(&signed_file, &signed).unwrap();
            if let Err(text) = hold_program(&datadir, &stats) {
                wrong.push(format!("flip {n} at {at} bit {bit}: {text}"));
            }
            programs += 1;
        }
    }
    println!(
        "{flips} flips: {harmless} harmless, {panics} panics, {older} of an older page, {programs} with the program, {errors:#?} {:?}",
        started.elapsed()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(harmless < flips, "some were met");
}

/// Lets the program loose on a damaged folder: its numbers, its check, a node.
fn hold_program(datadir: &Path, stats: &[u8]) -> Result<(), String> {
    let dir = datadir.to_str().unwrap();
    for command in ["stats", "verify"] {
        let output = run(&["db", command, "--datadir", dir]);
        let said = text(&output.stderr);
        match output.status.code() {
            Some(0) if command == "verify" || output.stdout == stats => {}
            Some(65) if said.contains("lucid-node db restore --datadir") => {}
            code => return Err(format!("db {command} ended with {code:?}: {said}{}", text(&output.stdout))),
        }
    }
    let mut command = lucid_node();
    command.args(["dev", "--port", "0", "--datadir", dir]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = command.spawn().unwrap();
    let errors = node.stderr.take().unwrap();
    let errors = thread::spawn(move || io::read_to_string(errors).unwrap());
    let lines = BufReader::new(node.stdout.take().unwrap()).lines().map_while(Result::ok);
    // Without such a line it has ended, and so have its lines.
    let url = lines.filter_map(|line| line.strip_prefix("Listening on ").map(str::to_owned)).next();
    let logged = url.map(|url| block_on(ask_for_a_block(&Client::new(&url).unwrap(), &mut node)));
    // Where it has ended already there is nobody to tell.
    let stopped = Command::new("kill").args(["-INT", &node.id().to_string()]).stderr(Stdio::null()).status();
    assert!(stopped.is_ok());
    let code = node.wait().unwrap().code();
    let said = errors.join().unwrap();
    if let Some(Some(logged)) = logged
        && logged != B256::with_last_byte(1)
    {
        return Err(format!("a block was made in which a balance of 1 is {logged}"));
    }
    match code {
        Some(0) => Ok(()),
        Some(65) if said.contains("lucid-node db restore --datadir") => Ok(()),
        code => Err(format!("the node ended with {code:?}: {said}")),
    }
}

/// Has a block made and gives what the contract logged in it; nothing where the node refuses, or ends.
async fn ask_for_a_block(client: &Client, node: &mut Child) -> Option<B256> {
    let raw = count(&DEV_ACCOUNTS[0], BLOCKS / 2, 40, receiver(41));
    let hash = client.send_raw_transaction(&raw).await.ok()?;
    let until = Instant::now() + ANSWER_TIMEOUT;
    while Instant::now() < until && node.try_wait().unwrap().is_none() {
        if let Some(receipt) = client.transaction_receipt(hash).await.ok()? {
            return Some(B256::from_slice(&receipt.logs()[0].data().data));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(Instant::now() < until, "the node neither makes a block nor ends");
    None
}
