//! A call of a contract, signed with a node's own account key and waited for until it is in a final block.

use super::session::with_hint;
use crate::{
    keys::{ACCOUNT_KEY_FILE, SecretKey, read_key_file},
    node::DataDir,
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy_sol_types::SolCall;
use anyhow::{Context, bail};
use lucid_rpc::Client;
use serde_json::json;
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// How long a transaction may take to be in a block: some slots of the longest kind.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often it is looked for.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

/// Gas beyond what was estimated, in percent: the state may be another by then.
const SPARE_GAS_PERCENT: u64 = 20;

/// The account key in a node's folder.
pub(super) fn account_key(datadir: &Path) -> anyhow::Result<SecretKey> {
    let folder = DataDir::at(datadir)?.keys();
    Ok(read_key_file(&folder.join(ACCOUNT_KEY_FILE))?)
}

/// Sends a call of a contract and waits until it is in a block; says which.
pub(super) async fn send_call(
    client: &Client,
    key: &SecretKey,
    to: Address,
    call: &impl SolCall,
) -> anyhow::Result<(B256, u64)> {
    let hash = submit(client, key, to, call.abi_encode().into()).await.map_err(with_hint)?;
    eprintln!("sent {hash}, waiting for its block");
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(receipt) = client.transaction_receipt(hash).await? {
            if !receipt.inner.status() {
                bail!("transaction {hash} failed in block {}", receipt.block_number.unwrap_or_default());
            }
            return Ok((hash, receipt.block_number.unwrap_or_default()));
        }
        if Instant::now() > until {
            bail!("transaction {hash} is in no block yet; it may still come into one");
        }
        sleep(ASK_INTERVAL).await;
    }
}

async fn submit(client: &Client, key: &SecretKey, to: Address, input: Bytes) -> anyhow::Result<B256> {
    let from = key.address();
    let request = json!({ "from": from, "to": to, "input": input });
    let gas: U256 = client.request("eth_estimateGas", (request,)).await.context("the call would fail")?;
    let gas = gas.saturating_to::<u64>();
    let tip = client.max_priority_fee_per_gas().await?.saturating_to::<u128>();
    let price = client.gas_price().await?.saturating_to::<u128>();
    let transaction = TxEip1559 {
        chain_id: client.chain_id().await?,
        nonce: client.pending_nonce(from).await?,
        gas_limit: gas.saturating_add(gas.saturating_mul(SPARE_GAS_PERCENT) / 100),
        max_fee_per_gas: price.saturating_mul(2).max(tip),
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(to),
        input,
        ..TxEip1559::default()
    };
    let signature = key.sign_prehash_recoverable(transaction.signature_hash());
    let raw = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718();
    Ok(client.send_raw_transaction(&raw.into()).await?)
}

/// What a view of a contract answers after the last block.
pub(super) async fn view<C: SolCall>(client: &Client, to: Address, call: &C) -> anyhow::Result<C::Return> {
    let request = json!({ "to": to, "input": hex::encode_prefixed(call.abi_encode()) });
    let answer: Bytes =
        client.request("eth_call", (request, "latest")).await.map_err(|error| with_hint(error.into()))?;
    C::abi_decode_returns(&answer).context("the contract's answer is not what its interface says")
}
