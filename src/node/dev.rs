//! The chain of `lucid-node dev`.

use crate::{
    chain::genesis_contract_hashes,
    keys::{DEV_ACCOUNTS, NodeKeys},
};
use alloy_primitives::{Address, U256};
use lucid_types::{ChainSpec, ConsensusKey, ConsensusKeyError, GenesisValidator, Preset, Rules};

/// Chain id that Ethereum's development tools expect.
const DEV_CHAIN_ID: u64 = 31_337;

/// LUCID on each well-known account, and on the node's own.
const DEV_BALANCE_LUCID: u64 = 10_000;

/// A new dev chain: this node the server and only validator, money on the well-known accounts and on its own.
///
/// `genesis_time` is in Unix seconds; slots are counted from it.
pub fn dev_chain_spec(keys: &NodeKeys, genesis_time: u64) -> Result<ChainSpec, ConsensusKeyError> {
    let node = keys.account().address();
    let balance = U256::from(DEV_BALANCE_LUCID) * U256::from(10).pow(U256::from(18));
    let accounts = DEV_ACCOUNTS.iter().map(|account| account.address());
    let allocations = accounts.chain([node]).map(|address: Address| (address, balance)).collect();
    let validator = GenesisValidator {
        node,
        operator: node,
        consensus_key: ConsensusKey::from_bytes(keys.consensus().public_key_compressed())?,
    };
    Ok(ChainSpec {
        chain_id: DEV_CHAIN_ID,
        rules: Rules::Dev,
        genesis_time,
        slot_origin: genesis_time,
        parameters: Preset::Dev.params(),
        server: node,
        validators: vec![validator],
        allocations,
        contracts: genesis_contract_hashes(),
    })
}
