//! What a transaction must be before it may wait: everything that can be known without running it.

use super::error::SubmitError;
use crate::{
    evm::{MAX_INITCODE_BYTES, Transaction, intrinsic_gas},
    state::StateReader,
};
use alloy_consensus::{Transaction as _, TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::{
    eip2718::Decodable2718, eip7702::constants::EIP7702_DELEGATION_DESIGNATOR,
    eip7825::MAX_TX_GAS_LIMIT_OSAKA,
};
use alloy_primitives::{KECCAK256_EMPTY, U256};
use lucid_types::ChainSpec;

/// Most bytes in one transaction, as other nodes have it: four slots of 32 KiB.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// Decodes a signed transaction and finds its sender.
pub(super) fn decode(raw: &[u8], spec: &ChainSpec) -> Result<Transaction, SubmitError> {
    if raw.len() > MAX_TRANSACTION_BYTES {
        return Err(SubmitError::TooLarge { found: raw.len(), most: MAX_TRANSACTION_BYTES });
    }
    // Before decoding: the bytes of a blob transaction may carry a sidecar that the block form has not.
    if raw.first() == Some(&alloy_consensus::constants::EIP4844_TX_TYPE_ID) {
        return Err(SubmitError::Blobs);
    }
    let transaction =
        TxEnvelope::decode_2718_exact(raw).map_err(|error| SubmitError::Malformed(error.to_string()))?;
    match transaction.chain_id() {
        None => return Err(SubmitError::Unprotected),
        Some(found) if found != spec.chain_id => {
            return Err(SubmitError::ChainId { found, expected: spec.chain_id });
        }
        Some(_) => {}
    }
    transaction.try_into_recovered().map_err(|_| SubmitError::Signature)
}

/// Checks a transaction against the rules of a block and the state of the head; gives the sender's next nonce.
pub(super) fn check(
    transaction: &Transaction,
    spec: &ChainSpec,
    base_fee: u64,
    state: &impl StateReader,
) -> Result<u64, SubmitError> {
    check_fees(transaction, base_fee)?;
    check_gas(transaction, spec)?;
    let account = state.account(transaction.signer())?;
    let (next, balance) = account.as_ref().map_or((0, U256::ZERO), |account| (account.nonce, account.balance));
    let found = transaction.nonce();
    if found == u64::MAX {
        return Err(SubmitError::NonceMax);
    }
    if found < next {
        return Err(SubmitError::NonceTooLow { next, found });
    }
    if let Some(account) = account.filter(|account| account.code_hash != KECCAK256_EMPTY)
        && !state.code(account.code_hash)?.starts_with(&EIP7702_DELEGATION_DESIGNATOR)
    {
        return Err(SubmitError::SenderNotEoa);
    }
    let cost = cost(transaction);
    if balance < cost {
        return Err(SubmitError::InsufficientFunds { balance, cost });
    }
    Ok(next)
}

/// The most that a transaction can take from its sender, in wei.
pub(super) fn cost(transaction: &Transaction) -> U256 {
    let gas = U256::from(transaction.gas_limit()).saturating_mul(U256::from(transaction.max_fee_per_gas()));
    gas.saturating_add(transaction.value())
}

fn check_fees(transaction: &Transaction, base_fee: u64) -> Result<(), SubmitError> {
    let fee = transaction.max_fee_per_gas();
    if let Some(tip) = transaction.max_priority_fee_per_gas()
        && tip > fee
    {
        return Err(SubmitError::TipAboveFee { tip, fee });
    }
    // A block changes the base fee by an eighth at most, so a fee just below it may do soon.
    if fee < u128::from(base_fee) * 7 / 8 {
        return Err(SubmitError::FeeTooLow { fee, base_fee });
    }
    Ok(())
}

fn check_gas(transaction: &Transaction, spec: &ChainSpec) -> Result<(), SubmitError> {
    let found = transaction.gas_limit();
    let most = spec.parameters.block_gas_limit.min(MAX_TX_GAS_LIMIT_OSAKA);
    if found > most {
        return Err(SubmitError::GasLimit { found, most });
    }
    if transaction.is_create() && transaction.input().len() > MAX_INITCODE_BYTES {
        return Err(SubmitError::InitCode { found: transaction.input().len(), most: MAX_INITCODE_BYTES });
    }
    if transaction.is_eip7702() && transaction.authorization_list().is_none_or(<[_]>::is_empty) {
        return Err(SubmitError::EmptyAuthorizationList);
    }
    let needed = intrinsic_gas(transaction);
    if found < needed { Err(SubmitError::IntrinsicGas { found, needed }) } else { Ok(()) }
}
