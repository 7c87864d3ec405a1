//! What a transaction must be before it may wait: everything that can be known without running it.

use super::error::SubmitError;
use crate::{
    chain::{MAX_INITCODE_BYTES, Transaction, intrinsic_gas, recover_sender},
    state::StateReader,
};
use alloy_consensus::{Transaction as _, TxEnvelope, constants::EIP4844_TX_TYPE_ID};
use alloy_eips::{
    eip2718::Decodable2718, eip7702::constants::EIP7702_DELEGATION_DESIGNATOR, eip7825::MAX_TX_GAS_LIMIT_OSAKA,
};
use alloy_primitives::{KECCAK256_EMPTY, U256};
use lucid_types::{ChainSpec, TransactionRefusal as Refusal};

/// Most bytes in one transaction, as other nodes have it: four slots of 32 KiB.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// Decodes a signed transaction and finds its sender.
pub(super) fn decode(raw: &[u8], spec: &ChainSpec) -> Result<Transaction, Refusal> {
    if raw.len() > MAX_TRANSACTION_BYTES {
        return Err(Refusal::Oversized { size: raw.len(), limit: MAX_TRANSACTION_BYTES });
    }
    // Before decoding: the bytes of a blob transaction may carry a sidecar that the block form has not.
    if raw.first() == Some(&EIP4844_TX_TYPE_ID) {
        return Err(Refusal::TypeNotSupported(EIP4844_TX_TYPE_ID));
    }
    let transaction = TxEnvelope::decode_2718_exact(raw).map_err(|error| Refusal::Malformed(error.to_string()))?;
    match transaction.chain_id() {
        None => return Err(Refusal::Unprotected),
        Some(have) if have != spec.chain_id => return Err(Refusal::WrongChain { have, want: spec.chain_id }),
        Some(_) => {}
    }
    let sender = recover_sender(&transaction).ok_or(Refusal::InvalidSender)?;
    Ok(Transaction::new_unchecked(transaction, sender))
}

/// A sender at the head.
#[derive(Debug, Clone, Copy)]
pub(super) struct SenderState {
    /// The nonce that a block takes next.
    pub(super) next: u64,
    /// Wei.
    pub(super) balance: U256,
}

/// Checks a transaction by itself and against the state of the head; gives its sender's state.
pub(super) fn check(
    transaction: &Transaction,
    spec: &ChainSpec,
    base_fee: u64,
    state: &impl StateReader,
) -> Result<SenderState, SubmitError> {
    check_fees(transaction, base_fee)?;
    check_gas(transaction, spec)?;
    let account = state.account(transaction.signer())?;
    let (next, balance) = account.as_ref().map_or((0, U256::ZERO), |account| (account.nonce, account.balance));
    let nonce = transaction.nonce();
    if nonce == u64::MAX {
        return Err(Refusal::NonceMax.into());
    }
    if nonce < next {
        return Err(Refusal::NonceTooLow { next, nonce }.into());
    }
    if let Some(account) = account.filter(|account| account.code_hash != KECCAK256_EMPTY)
        && !state.code(account.code_hash)?.starts_with(&EIP7702_DELEGATION_DESIGNATOR)
    {
        return Err(Refusal::SenderNotEoa(transaction.signer()).into());
    }
    let cost = cost(transaction);
    if balance < cost {
        return Err(Refusal::InsufficientFunds { balance, cost }.into());
    }
    Ok(SenderState { next, balance })
}

/// The most that a transaction can take from its sender, in wei.
pub(super) fn cost(transaction: &Transaction) -> U256 {
    let gas = U256::from(transaction.gas_limit()).saturating_mul(U256::from(transaction.max_fee_per_gas()));
    gas.saturating_add(transaction.value())
}

fn check_fees(transaction: &Transaction, base_fee: u64) -> Result<(), Refusal> {
    let max_fee = transaction.max_fee_per_gas();
    if let Some(tip) = transaction.max_priority_fee_per_gas()
        && tip > max_fee
    {
        return Err(Refusal::TipAboveFeeCap { tip, max_fee });
    }
    // A block changes the base fee by an eighth at most, so a fee just below it may do soon.
    if max_fee < u128::from(base_fee) * 7 / 8 {
        return Err(Refusal::FeeCapTooLow { max_fee, base_fee });
    }
    Ok(())
}

fn check_gas(transaction: &Transaction, spec: &ChainSpec) -> Result<(), Refusal> {
    let gas = transaction.gas_limit();
    if gas > spec.parameters.block_gas_limit {
        return Err(Refusal::ExceedsBlockGasLimit);
    }
    if gas > MAX_TX_GAS_LIMIT_OSAKA {
        return Err(Refusal::GasLimitTooHigh { cap: MAX_TX_GAS_LIMIT_OSAKA, gas });
    }
    let size = transaction.input().len();
    if transaction.is_create() && size > MAX_INITCODE_BYTES {
        return Err(Refusal::InitCodeTooLarge { size, limit: MAX_INITCODE_BYTES });
    }
    if transaction.is_eip7702() && transaction.authorization_list().is_none_or(<[_]>::is_empty) {
        return Err(Refusal::BadAuthorizationList("with empty auth list"));
    }
    let needed = intrinsic_gas(transaction);
    if gas < needed { Err(Refusal::IntrinsicGasTooLow { gas, needed }) } else { Ok(()) }
}
