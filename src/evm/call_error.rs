//! What a call that gave no result is told, with geth's meanings and words: Ethereum's tools match on them.

use super::{CallError, MAX_INITCODE_BYTES};
use alloy_consensus::constants::EIP4844_TX_TYPE_ID;
use alloy_evm::{
    EvmEnv,
    rpc::{CallFeesError, EthTxEnvError},
};
use alloy_rpc_types_eth::TransactionRequest;
use lucid_types::TransactionRefusal as Refusal;
use revm::context::{
    TxEnv,
    result::{ExecutionResult, HaltReason, InvalidTransaction},
};

/// Refuses a request that asks for what no transaction on this chain has.
pub(super) fn check_request(request: &TransactionRequest, chain_id: u64) -> Result<(), CallError> {
    let blobs = request.blob_versioned_hashes.is_some() || request.max_fee_per_blob_gas.is_some();
    if blobs || request.transaction_type == Some(EIP4844_TX_TYPE_ID) {
        return Err(CallError::Refused(Refusal::TypeNotSupported(EIP4844_TX_TYPE_ID)));
    }
    match request.chain_id {
        Some(have) if have != chain_id => Err(CallError::Refused(Refusal::WrongChain { have, want: chain_id })),
        _ => Ok(()),
    }
}

/// The fields of a request contradict each other or the block.
pub(super) fn request_error(error: EthTxEnvError, request: &TransactionRequest, base_fee: u64) -> CallError {
    let tip = request.max_priority_fee_per_gas.unwrap_or_default();
    let max_fee = request.max_fee_per_gas.unwrap_or_default();
    match error {
        EthTxEnvError::CallFees(CallFeesError::TipAboveFeeCap) => {
            CallError::Refused(Refusal::TipAboveFeeCap { tip, max_fee })
        }
        EthTxEnvError::CallFees(CallFeesError::FeeCapTooLow) => {
            CallError::Refused(Refusal::FeeCapTooLow { max_fee, base_fee })
        }
        other => CallError::Invalid(other.to_string()),
    }
}

/// A transaction like the call's could not begin.
pub(super) fn invalid_transaction(error: &InvalidTransaction, tx: &TxEnv, env: &EvmEnv) -> CallError {
    CallError::Refused(match error {
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            return CallError::InsufficientFunds { address: tx.caller, balance: **balance, cost: **fee };
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas: needed, gas_limit: gas }
        | InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor: needed, gas_limit: gas } => {
            Refusal::IntrinsicGasTooLow { gas: *gas, needed: *needed }
        }
        InvalidTransaction::GasPriceLessThanBasefee => {
            Refusal::FeeCapTooLow { max_fee: tx.gas_price, base_fee: env.block_env.basefee }
        }
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => {
            Refusal::TipAboveFeeCap { tip: tx.gas_priority_fee.unwrap_or_default(), max_fee: tx.gas_price }
        }
        InvalidTransaction::CreateInitCodeSizeLimit => {
            Refusal::InitCodeTooLarge { size: tx.data.len(), limit: MAX_INITCODE_BYTES }
        }
        InvalidTransaction::NonceOverflowInTransaction => Refusal::NonceMax,
        InvalidTransaction::EmptyAuthorizationList => Refusal::BadAuthorizationList("with empty auth list"),
        InvalidTransaction::AuthorizationListInvalidFields => {
            Refusal::BadAuthorizationList("cannot be used to create contract")
        }
        other => return CallError::Invalid(other.to_string()),
    })
}

/// The code ran and did not succeed. `gas_limit` is what it had.
pub(super) fn failure(result: ExecutionResult, gas_limit: u64) -> CallError {
    match result {
        ExecutionResult::Revert { output, .. } => CallError::Reverted(output),
        ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => CallError::OutOfGas { gas_limit },
        ExecutionResult::Halt { reason, .. } => CallError::Halted(halt_text(&reason)),
        ExecutionResult::Success { .. } => CallError::Halted("the call succeeded".to_owned()),
    }
}

fn halt_text(reason: &HaltReason) -> String {
    let text = match reason {
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode | HaltReason::NotActivated => "invalid opcode",
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached 1024",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => "write protection",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::OutOfFunds => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
        other => return other.to_string(),
    };
    text.to_owned()
}
