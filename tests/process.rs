//! The real binary as a test sees it: started, asked, killed.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use lucid_node::keys::DevAccount;
use lucid_rpc::Client;
use std::{
    future::Future,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A command line of the node's program.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lucid-node"));
    command.args(args).env_remove("RUST_LOG");
    command
}

/// Runs a command line to its end.
pub fn run(args: &[&str]) -> Output {
    program(args).stdin(Stdio::null()).output().expect("the program can be run")
}

/// What a program wrote, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `lucid-node dev` or `demo`. Killed when dropped.
pub struct Node {
    child: Child,
    /// Everything it said up to the line with its address.
    pub greeting: Vec<String>,
    /// Where it answers.
    pub url: String,
}

impl Node {
    /// Starts a node and waits until it says where it listens.
    pub fn start(args: &[&str]) -> Self {
        let mut child = program(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be run");
        let out = child.stdout.take().expect("standard output is piped");
        let (lines, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let (mut greeting, begun) = (Vec::new(), Instant::now());
        loop {
            let line =
                said.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())).expect("the node says where it listens");
            let url = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).map(str::to_owned);
            greeting.push(line);
            if let Some(url) = url {
                return Self { child, greeting, url };
            }
        }
    }

    /// A development node that keeps its chain in `datadir`.
    pub fn dev(datadir: &Path, more: &[&str]) -> Self {
        let mut args = vec!["dev", "--port", "0", "--datadir", datadir.to_str().expect("a temporary path is text")];
        args.extend(more);
        Self::start(&args)
    }

    /// A client of this node.
    pub fn client(&self) -> Client {
        Client::new(&self.url).expect("the node gave an address")
    }

    /// Kills it without a warning.
    pub fn kill(mut self) {
        self.child.kill().expect("the node is running");
        self.child.wait().expect("the node ends");
    }

    /// Asks it to stop, as Ctrl-C does, and waits until it has.
    pub fn interrupt(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill can be run");
        assert!(sent.success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the node can be waited for") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the node does not stop");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs asynchronous calls to their end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made").block_on(future)
}

/// Asks until there is an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A signed transfer of one wei.
pub fn transfer(from: &DevAccount, nonce: u64, to: Address) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(to),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = from.secret_key().sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// Sends a transaction and waits for its block.
pub async fn send(client: &Client, raw: &Bytes) -> (B256, u64) {
    let hash = client.send_raw_transaction(raw).await.expect("the node takes the transaction");
    let receipt =
        eventually("a receipt", || async { client.transaction_receipt(hash).await.expect("an answer") }).await;
    (hash, receipt.block_number.expect("a receipt names its block"))
}
