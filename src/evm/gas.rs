use super::block::Transaction;
use alloy_consensus::Transaction as _;
use revm::{context_interface::cfg::gas::calculate_initial_tx_gas, primitives::hardfork::SpecId};

/// Most bytes of init code in a transaction (EIP-3860).
pub const MAX_INITCODE_BYTES: usize = revm::primitives::eip3860::MAX_INITCODE_SIZE;

/// The least gas limit that a transaction can have: what it costs before any code runs, or the floor for its
/// calldata (EIP-7623), whichever is more.
pub fn intrinsic_gas(transaction: &Transaction) -> u64 {
    let (accounts, slots) = transaction
        .access_list()
        .map_or((0, 0), |list| (list.len() as u64, list.iter().map(|item| item.storage_keys.len() as u64).sum()));
    let authorizations = transaction.authorization_list().map_or(0, |list| list.len() as u64);
    let gas = calculate_initial_tx_gas(
        SpecId::OSAKA,
        transaction.input(),
        transaction.is_create(),
        accounts,
        slots,
        authorizations,
        None,
    );
    gas.initial_total_gas().max(gas.floor_gas)
}
