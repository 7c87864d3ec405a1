use crate::{
    api::{CallRequest, NodeApi},
    error::RpcError,
    limits::{CALL_GAS_CAP_GAS, CALL_TIMEOUT_MS, MAX_OVERRIDE_ACCOUNTS, MAX_OVERRIDE_SLOTS},
    view::ChainView,
};
use alloy_eips::BlockId;
use alloy_rpc_types_eth::{
    TransactionRequest,
    state::{AccountOverride, StateOverride},
};
use std::time::{Duration, Instant};

/// The call that the node is asked to execute: checked, at a height, within its bounds.
pub(super) fn request(
    api: &impl NodeApi,
    transaction: TransactionRequest,
    block: Option<BlockId>,
    overrides: Option<StateOverride>,
) -> Result<CallRequest, RpcError> {
    check_fields(&transaction)?;
    let overrides = overrides.unwrap_or_default();
    check_overrides(&overrides)?;
    Ok(CallRequest {
        transaction,
        block: ChainView::open(api)?.state_height(block)?,
        overrides,
        gas_cap: CALL_GAS_CAP_GAS,
        deadline: Instant::now() + Duration::from_millis(CALL_TIMEOUT_MS),
    })
}

/// Refuses fields that contradict each other, in geth's words.
fn check_fields(transaction: &TransactionRequest) -> Result<(), RpcError> {
    let invalid = |text: &str| Err(RpcError::InvalidParams(text.to_owned()));
    let input = &transaction.input;
    if let (Some(new), Some(old)) = (&input.input, &input.data)
        && new != old
    {
        return invalid(
            "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data",
        );
    }
    let (max_fee, tip) = (transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas);
    if transaction.gas_price.is_some() && (max_fee.is_some() || tip.is_some()) {
        return invalid("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
    }
    if let (Some(max_fee), Some(tip)) = (max_fee, tip)
        && tip > max_fee
    {
        return invalid(&format!("maxFeePerGas ({max_fee}) < maxPriorityFeePerGas ({tip})"));
    }
    if transaction.blob_versioned_hashes.is_some() || transaction.max_fee_per_blob_gas.is_some() {
        return invalid("blob transactions are not supported by this chain");
    }
    Ok(())
}

fn check_overrides(overrides: &StateOverride) -> Result<(), RpcError> {
    let slots = |account: &AccountOverride| {
        account.state.as_ref().map_or(0, |slots| slots.len())
            + account.state_diff.as_ref().map_or(0, |slots| slots.len())
    };
    if overrides.len() > MAX_OVERRIDE_ACCOUNTS || overrides.values().map(slots).sum::<usize>() > MAX_OVERRIDE_SLOTS {
        return Err(RpcError::LimitExceeded(format!(
            "state overrides name at most {MAX_OVERRIDE_ACCOUNTS} accounts and {MAX_OVERRIDE_SLOTS} slots"
        )));
    }
    let both = overrides.iter().find(|(_, account)| account.state.is_some() && account.state_diff.is_some());
    if let Some((address, _)) = both {
        return Err(RpcError::InvalidParams(format!("account {address} has both 'state' and 'stateDiff'")));
    }
    Ok(())
}
