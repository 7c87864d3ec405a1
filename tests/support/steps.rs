//! What tests of sessions and survival do to a node again and again.

use super::lucid_node;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use lucid_node::keys::{DevAccount, SecretKey};
use lucid_rpc::Client;
use std::{
    future::Future,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command line to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    lucid_node().args(args).output().unwrap()
}

/// Runs a command that must fail, and gives its exit code and what it said. One that goes on instead is ended.
pub(crate) fn refused(mut command: Command) -> (i32, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{command:?} was not refused");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code().expect("it ended by itself"), text(&output.stderr))
}

/// What a program wrote, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs asynchronous calls to their end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
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
pub(crate) fn transfer(from: &DevAccount, nonce: u64, to: Address) -> Bytes {
    transfer_at(1_000_000_000, &from.secret_key(), nonce, to)
}

/// A signed transfer of one wei with a tip, in wei per gas.
pub(crate) fn transfer_at(tip: u128, from: &SecretKey, nonce: u64, to: Address) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000 + tip,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(to),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = from.sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// A signed transaction that carries so many bytes to nobody, at whatever fee.
pub(crate) fn carrying(from: &DevAccount, nonce: u64, bytes: usize) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: 31_337,
        nonce,
        // 40 for a byte, as EIP-7623 has it.
        gas_limit: 21_000 + 40 * bytes as u64,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::ZERO),
        input: (0..bytes).map(|at| (at as u64 * 31 + nonce) as u8 | 1).collect::<Vec<_>>().into(),
        ..TxEip1559::default()
    };
    let signature = from.secret_key().sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// Sends a transaction and waits for its block.
pub(crate) async fn send(client: &Client, raw: &Bytes) -> (B256, u64) {
    let hash = client.send_raw_transaction(raw).await.unwrap();
    let receipt = eventually("a receipt", || async { client.transaction_receipt(hash).await.unwrap() }).await;
    (hash, receipt.block_number.unwrap())
}
