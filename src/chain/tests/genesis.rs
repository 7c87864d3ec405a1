//! What an empty store becomes.

use super::*;
use crate::{state::StateReader, testing::spec};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, constants::EMPTY_WITHDRAWALS};
use alloy_eips::{eip2935, eip4788, eip7002, eip7251, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::keccak256;
use lucid_storage::{Blocks, ChainParams, Direction, Reader, TableId};
use lucid_types::contracts::{LUCID_NODES_ADDRESS, genesis_contracts};
use std::ops::Bound;

#[test]
fn the_header_is_that_of_an_osaka_genesis_and_names_the_spec_twice() {
    let spec = spec(Rules::Poot);
    let header = genesis_header(&spec).unwrap();
    let expected = alloy_consensus::Header {
        parent_hash: B256::ZERO,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: Address::ZERO,
        state_root: header.state_root,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        gas_limit: 8_000_000,
        timestamp: spec.genesis_time,
        extra_data: spec.hash().into(),
        mix_hash: spec.hash(),
        base_fee_per_gas: Some(GWEI as u64),
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..alloy_consensus::Header::default()
    };
    assert_eq!(*header, expected);
    assert_eq!(header.hash(), expected.hash_slow());
}

#[test]
fn the_root_computed_in_memory_is_that_of_the_stored_tries() {
    for rules in [Rules::Dev, Rules::Poot] {
        let chain = TestChain::new(rules);
        let snapshot = chain.store.snapshot().unwrap();
        assert_eq!(LatestState::new(&snapshot).root().unwrap(), chain.head.state_root);
        assert_eq!(read_head(&snapshot).unwrap(), chain.head);
        let block = read_block(&snapshot, 0).unwrap().unwrap();
        let size_bytes = snapshot.get::<Blocks>(&0).unwrap().unwrap().size_bytes;
        assert_eq!(alloy_rlp::encode(&block).len() as u64, size_bytes);
    }
}

#[test]
fn another_program_computes_the_same_root() {
    let spec = spec(Rules::Dev);
    let chain = TestChain::with_spec(spec.clone());
    let snapshot = chain.store.snapshot().unwrap();
    let state = LatestState::new(&snapshot);
    // From the rows of the store, as a genesis.json would have them.
    let rows = snapshot.range::<lucid_storage::Accounts>(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
    let accounts = rows.unwrap().map(|row| {
        let (address, record) = row.unwrap();
        let code = state.code(record.code_hash).unwrap();
        let slots = snapshot.raw_prefix(TableId::StorageSlots, address.as_slice(), Direction::Forward).unwrap();
        let storage = slots.map(|slot| {
            let (key, value) = slot.unwrap();
            (B256::from_slice(&key[20..]), B256::from(U256::from_be_slice(&value)))
        });
        let account = alloy_genesis::GenesisAccount {
            nonce: Some(record.nonce),
            balance: record.balance,
            code: (!code.is_empty()).then_some(code),
            storage: Some(storage.collect()),
            private_key: None,
        };
        (address, account)
    });
    let root = alloy_trie::root::state_root_ref_unhashed(&accounts.collect::<std::collections::BTreeMap<_, _>>());
    assert_eq!(root, chain.head.state_root);
}

#[test]
fn every_contract_is_there_with_nonce_1_and_its_code() {
    let system = [
        (eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone()),
        (eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone()),
        (eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()),
        (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone()),
    ];
    let ours = genesis_contracts().map(|contract| (contract.address, contract.code));
    let chain = TestChain::new(Rules::Poot);
    let snapshot = chain.store.snapshot().unwrap();
    let state = LatestState::new(&snapshot);
    for (address, code) in system.into_iter().chain(ours) {
        let account = state.account(address).unwrap().unwrap();
        assert_eq!((account.nonce, account.code_hash), (1, keccak256(&code)), "{address}");
        assert_eq!(state.code(account.code_hash).unwrap(), code);
    }
    assert_eq!(state.storage(LUCID_NODES_ADDRESS, U256::ZERO).unwrap(), U256::from_be_bytes(chain.spec.hash().0));
}

#[test]
fn accounts_have_their_allocations_and_a_contract_keeps_its_own() {
    let mut spec = spec(Rules::Dev);
    spec.allocations.insert(LUCID_NODES_ADDRESS, U256::from(5));
    let chain = TestChain::with_spec(spec);
    let snapshot = chain.store.snapshot().unwrap();
    let state = LatestState::new(&snapshot);
    for (address, balance) in &chain.spec.allocations {
        assert_eq!(state.account(*address).unwrap().unwrap().balance, *balance);
    }
    assert_eq!(state.account(LUCID_NODES_ADDRESS).unwrap().unwrap().nonce, 1);
}

#[test]
fn every_parameter_is_a_row_and_the_first_set_is_kept() {
    let chain = TestChain::new(Rules::Poot);
    let snapshot = chain.store.snapshot().unwrap();
    let rows = snapshot.range::<ChainParams>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    let rows: Vec<_> = rows.map(|row| row.unwrap()).map(|(key, record)| (key, record.value)).collect();
    let expected = [
        ("baseMbPerSession", "5"),
        ("blockBytesMax", "1048576"),
        ("blockGasLimit", "8000000"),
        ("blockTransactionsMax", "1000"),
        ("chainId", "31337"),
        ("cooldownSlots", "16"),
        ("dMinPpm", "200000"),
        ("epochSlots", "720"),
        ("genesisTime", "1704067200"),
        ("initialBaseFee", "1000000000"),
        ("leaderWindowSlots", "5040"),
        ("precommitTimeoutMs", "1000"),
        ("prevoteTimeoutMs", "10000"),
        ("rules", "\"poot\""),
        ("slotDurationSecs", "120"),
        ("slotOrigin", "1704067200"),
        ("slotTimeoutMs", "5000"),
        ("validatorsNeeded", "1"),
    ];
    assert_eq!(rows, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let set = snapshot.raw_get(TableId::ValidatorSets, &1u64.to_be_bytes()).unwrap().unwrap();
    assert_eq!(set, chain.validators.canonical_bytes());
}

#[test]
fn a_spec_for_other_contracts_is_refused() {
    let mut spec = spec(Rules::Dev);
    spec.contracts.insert(LUCID_NODES_ADDRESS, B256::ZERO);
    assert!(matches!(genesis_header(&spec), Err(ChainError::ForeignContracts { .. })));
}
