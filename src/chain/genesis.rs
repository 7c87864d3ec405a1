//! Block 0: what a chain spec makes of an empty store.

use super::{block::Block, error::ChainError, rules};
use crate::state::{self, Account, AccountChange, StateChanges};
use alloy_consensus::{
    BlockBody, EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, Sealable, Sealed, constants::EMPTY_WITHDRAWALS,
};
use alloy_eips::{
    eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
    eip4788::{BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE},
    eip4895::Withdrawals,
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
    eip7685::EMPTY_REQUESTS_HASH,
};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use lucid_storage::{
    Batch, BlockRecord, BlockchainState, BlockchainStateRecord, Blocks, ChainParams, Current, ParamRecord, TableId,
};
use lucid_types::{
    CanonicalError, ChainSpec, canonical_json,
    contracts::{GenesisNode, LUCID_NODES_ADDRESS, genesis_contracts, lucid_nodes_genesis_storage},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Height of the first block that the genesis validators vote on.
const FIRST_HEIGHT: u64 = 1;

/// The contracts that Osaka's block processing calls. alloy-evm accepts their absence in silence, and then writes
/// other state roots than every other client, so genesis always holds them.
fn system_contracts() -> [(Address, Bytes); 4] {
    [
        (HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE.clone()),
        (BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE.clone()),
        (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()),
        (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone()),
    ]
}

/// Code hash of each contract that genesis holds for Lucid, as a chain spec lists them.
pub fn genesis_contract_hashes() -> BTreeMap<Address, B256> {
    genesis_contracts().into_iter().map(|contract| (contract.address, keccak256(&contract.code))).collect()
}

/// The header of block 0. Its state root is computed in memory, without a store.
///
/// A spec whose contracts are not the ones that this program holds is refused.
pub fn genesis_header(spec: &ChainSpec) -> Result<Sealed<Header>, ChainError> {
    let accounts = genesis_state(spec)?.into_iter().filter_map(|(address, change)| {
        let slots = change.storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
        let storage_root = storage_root_unhashed(slots);
        let Account { nonce, balance, code_hash } = change.account?;
        Some((address, TrieAccount { nonce, balance, storage_root, code_hash }))
    });
    let spec_hash = spec.hash();
    let header = Header {
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        state_root: state_root_unhashed(accounts),
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        gas_limit: spec.parameters.block_gas_limit,
        timestamp: spec.genesis_time,
        extra_data: Bytes::from(spec_hash),
        mix_hash: spec_hash,
        base_fee_per_gas: Some(spec.parameters.initial_base_fee),
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    };
    Ok(header.seal_slow())
}

/// Writes block 0, its state, the chain's parameters and its first validator set into the first batch of an empty
/// store.
pub fn write_genesis(batch: &mut Batch, spec: &ChainSpec) -> Result<Sealed<Header>, ChainError> {
    let header = genesis_header(spec)?;
    let state_root = state::apply(batch, 0, &genesis_state(spec)?)?;
    rules::equal("stateRoot", header.state_root, state_root)?;
    let withdrawals = alloy_rlp::encode(Withdrawals::default());
    let record = BlockRecord {
        hash: header.hash(),
        timestamp: header.timestamp,
        validator: header.beneficiary,
        size_bytes: empty_block_bytes(&header),
        transaction_count: 0,
        header: alloy_rlp::encode(header.inner()),
        withdrawals,
    };
    batch.append::<Blocks>(&0, &record)?;
    let head = BlockchainStateRecord {
        height: 0,
        hash: header.hash(),
        state_root,
        timestamp: header.timestamp,
        minted: U256::ZERO,
        withdrawal_count: 0,
        transaction_count: 0,
    };
    batch.put::<BlockchainState>(&Current, &head)?;
    write_parameters(batch, spec)?;
    batch.raw_put(TableId::ValidatorSets, FIRST_HEIGHT.to_be_bytes(), spec.genesis_set()?.canonical_bytes());
    Ok(header)
}

/// One row for each number of the spec: its name there, and its value as canonical JSON.
fn write_parameters(batch: &mut Batch, spec: &ChainSpec) -> Result<(), ChainError> {
    let json = |error| ChainError::Parameters(CanonicalError::from(error));
    let mut parameters: BTreeMap<String, Value> =
        serde_json::to_value(&spec.parameters).and_then(serde_json::from_value).map_err(json)?;
    parameters.insert("chainId".to_owned(), spec.chain_id.into());
    parameters.insert("genesisTime".to_owned(), spec.genesis_time.into());
    parameters.insert("slotOrigin".to_owned(), spec.slot_origin.into());
    parameters.insert("rules".to_owned(), serde_json::to_value(spec.rules).map_err(json)?);
    for (name, value) in parameters {
        let value = String::from_utf8_lossy(&canonical_json(&value)?).into_owned();
        batch.append::<ChainParams>(&name, &ParamRecord { value })?;
    }
    Ok(())
}

/// RLP size of a block with this header and nothing in it.
fn empty_block_bytes(header: &Header) -> u64 {
    let body = BlockBody { withdrawals: Some(Withdrawals::default()), ..BlockBody::default() };
    Block::rlp_length_for(header, &body) as u64
}

fn genesis_state(spec: &ChainSpec) -> Result<StateChanges, ChainError> {
    let ours = genesis_contract_hashes();
    if spec.contracts != ours {
        return Err(ChainError::ForeignContracts { spec: spec.contracts.clone(), ours });
    }
    let mut changes = StateChanges::default();
    for (address, balance) in &spec.allocations {
        let account = Account { nonce: 0, balance: *balance, code_hash: KECCAK256_EMPTY };
        changes.insert(*address, AccountChange { account: Some(account), ..AccountChange::default() });
    }
    for (address, code) in system_contracts() {
        put_contract(&mut changes, address, code, BTreeMap::new());
    }
    for contract in genesis_contracts() {
        let storage = if contract.address == LUCID_NODES_ADDRESS { registry_storage(spec) } else { BTreeMap::new() };
        put_contract(&mut changes, contract.address, contract.code, storage);
    }
    Ok(changes)
}

/// A contract of genesis has nonce 1 (EIP-161), and keeps what the spec allots to its address.
fn put_contract(changes: &mut StateChanges, address: Address, code: Bytes, storage: BTreeMap<U256, U256>) {
    let balance = changes.get(&address).and_then(|change| change.account).map_or(U256::ZERO, |account| account.balance);
    let account = Account { nonce: 1, balance, code_hash: keccak256(&code) };
    let change = AccountChange { account: Some(account), storage_wiped: false, storage, code: Some(code) };
    changes.insert(address, change);
}

/// LucidNodes begins with the chain spec's hash, the number of validators needed and the genesis validators.
fn registry_storage(spec: &ChainSpec) -> BTreeMap<U256, U256> {
    let nodes: Vec<_> = spec.by_registration_number().into_iter().map(GenesisNode::from).collect();
    lucid_nodes_genesis_storage(spec.hash(), spec.parameters.validators_needed, &nodes).into_iter().collect()
}
