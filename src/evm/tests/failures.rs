//! A state that cannot be read is never a verdict on a block, a transaction or a call.

use super::*;
use crate::{
    state::StateError,
    testing::{Tx, account},
};
use alloy_eips::{eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS, eip4895::Withdrawal};
use alloy_primitives::Bytes;
use alloy_rpc_types_eth::{
    TransactionRequest,
    state::{AccountOverride, StateOverride},
};
use lucid_storage::AccountRecord;
use std::time::{Duration, Instant};

/// Which row is damaged.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Damage {
    Account(Address),
    Slots(Address),
    Code(B256),
    BlockHashes,
}

struct Damaged<'a> {
    state: LatestState<&'a Batch>,
    damage: Damage,
}

impl Damaged<'_> {
    fn check(&self, read: Damage) -> Result<(), StateError> {
        if read == self.damage { Err(StateError::BadRow { table: "t", what: "damaged" }) } else { Ok(()) }
    }
}

impl StateReader for Damaged<'_> {
    fn account(&self, address: Address) -> Result<Option<AccountRecord>, StateError> {
        self.check(Damage::Account(address))?;
        self.state.account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.check(Damage::Slots(address))?;
        self.state.storage(address, slot)
    }

    fn code(&self, hash: B256) -> Result<Bytes, StateError> {
        self.check(Damage::Code(hash))?;
        self.state.code(hash)
    }
}

impl BlockHashes for Damaged<'_> {
    fn block_hash(&self, _: u64) -> Result<Option<B256>, StateError> {
        self.check(Damage::BlockHashes)?;
        Ok(None)
    }
}

/// Loads a slot and the hash of block 0.
const READ: &[u8] = &[0x5f, 0x54, 0x5f, 0x40, 0x00];

fn cases() -> Vec<Damage> {
    vec![
        Damage::Account(account(2)),
        Damage::Account(CONTRACT),
        Damage::Slots(CONTRACT),
        Damage::Code(keccak256(READ)),
        Damage::BlockHashes,
    ]
}

fn block_cases() -> Vec<Damage> {
    let system = [
        Damage::Account(HISTORY_STORAGE_ADDRESS),
        Damage::Slots(HISTORY_STORAGE_ADDRESS),
        Damage::Account(BEACON_ROOTS_ADDRESS),
        Damage::Account(alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
        Damage::Slots(alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
        Damage::Slots(alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS),
        // Credited by the withdrawal.
        Damage::Account(OTHER),
        // The beneficiary.
        Damage::Account(Address::repeat_byte(0xbe)),
    ];
    cases().into_iter().chain(system).collect()
}

#[test]
fn neither_a_block_nor_its_transactions_are_blamed() {
    let fixture = Fixture::with_code(READ);
    let header = fixture.header();
    let withdrawals = vec![Withdrawal { index: 0, validator_index: 0, address: OTHER, amount: 1 }].into();
    let context = fixture.context(&header, &withdrawals);
    for damage in block_cases() {
        let state = Damaged { state: fixture.state(), damage };
        let world = World::new(&state, &state);
        let transactions = [Tx::call(CONTRACT, []).sign(2)];
        let executed = execute(&context, &transactions, world);
        assert!(matches!(executed, Err(ExecutionError::State(_))), "{damage:?}: {executed:?}");
        let limits = Limits { transactions: 10, bytes: 10_000 };
        let filled = fill(&context, limits, transactions, world);
        assert!(matches!(filled, Err(ExecutionError::State(_))), "{damage:?}: {filled:?}");
    }
}

#[test]
fn no_call_is_blamed() {
    let fixture = Fixture::with_code(READ);
    let header = fixture.header();
    let limits = CallLimits { gas_cap: 1_000_000, deadline: Instant::now() + Duration::from_secs(600) };
    for damage in cases() {
        let state = Damaged { state: fixture.state(), damage };
        let simulation = Simulation::new(fixture.chain.spec.chain_id, &header, World::new(&state, &state));
        // The price has the allowance looked up too.
        let request = TransactionRequest::default().from(account(2)).to(CONTRACT).gas_price(2 * GWEI);
        let called = simulation.call(request.clone(), StateOverride::default(), limits);
        assert!(matches!(called, Err(CallError::State(_))), "{damage:?}: {called:?}");
        let estimated = simulation.estimate_gas(request, StateOverride::default(), limits);
        assert!(matches!(estimated, Err(CallError::State(_))), "{damage:?}: {estimated:?}");
    }
}

#[test]
fn an_override_of_an_account_that_cannot_be_read_is_no_fault_of_the_caller() {
    let fixture = Fixture::new();
    let header = fixture.header();
    let state = Damaged { state: fixture.state(), damage: Damage::Account(OTHER) };
    let simulation = Simulation::new(fixture.chain.spec.chain_id, &header, World::new(&state, &state));
    let overrides = StateOverride::from_iter([(OTHER, AccountOverride::default().with_nonce(1))]);
    let limits = CallLimits { gas_cap: 1_000_000, deadline: Instant::now() + Duration::from_secs(600) };
    let called = simulation.call(TransactionRequest::default().to(CONTRACT), overrides, limits);
    assert!(matches!(called, Err(CallError::State(_))), "{called:?}");
}

#[test]
fn code_that_is_no_code_is_an_error_and_no_panic() {
    let fixture = Fixture::with_code(&[0xef, 0x01, 0x00, 0x01]);
    let executed = fixture.execute(&[Tx::call(CONTRACT, []).sign(2)]);
    assert!(matches!(executed, Err(ExecutionError::State(_))), "{executed:?}");
}
