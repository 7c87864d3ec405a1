//! The room against contracts of a few bytes, over the state of a real genesis.

mod blocks;
mod calls;
mod failures;
mod filling;

use super::*;
use crate::{
    state::{self, Account, AccountChange, LatestState, StateChanges, StateReader},
    testing::{GWEI, TestChain},
};
use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use lucid_storage::Batch;
use lucid_types::Rules;

/// Where tests put contracts.
const CONTRACT: Address = Address::repeat_byte(0xc0);
const OTHER: Address = Address::repeat_byte(0xc1);

/// Writes 1 into slot 0.
const STORE: &[u8] = &[0x60, 1, 0x5f, 0x55, 0x00];
/// Clears slot 0.
const CLEAR: &[u8] = &[0x5f, 0x5f, 0x55, 0x00];
/// Returns slot 0.
const LOAD: &[u8] = &[0x5f, 0x54, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];
/// Reverts with the word 42.
const REVERT: &[u8] = &[0x60, 42, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xfd];
/// Runs for ever.
const LOOP: &[u8] = &[0x5b, 0x5f, 0x56];

/// Counts down from `n`: 26 gas each time.
fn count_down(n: u16) -> Vec<u8> {
    let [high, low] = n.to_be_bytes();
    vec![0x61, high, low, 0x5b, 0x60, 1, 0x90, 0x03, 0x80, 0x60, 3, 0x57, 0x00]
}

/// Calls `to` with all its gas and reverts where that fails.
fn must_call(to: Address) -> Vec<u8> {
    [&[0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x73], to.as_slice(), &[0x5a, 0xf1, 0x60, 0x22, 0x57, 0x5f, 0x5f, 0xfd, 0x5b, 0]]
        .concat()
}

/// A state to run in: that of a genesis, and what tests add.
struct Fixture {
    chain: TestChain,
    batch: Batch,
    height: u64,
}

impl Fixture {
    fn new() -> Self {
        let chain = TestChain::new(Rules::Dev);
        let batch = chain.store.begin().unwrap();
        Self { chain, batch, height: 1 }
    }

    /// With code at [`CONTRACT`].
    fn with_code(code: &[u8]) -> Self {
        let mut fixture = Self::new();
        fixture.put_code(CONTRACT, code);
        fixture
    }

    fn put_code(&mut self, address: Address, code: &[u8]) {
        let code = Bytes::copy_from_slice(code);
        let account = Account { nonce: 1, balance: U256::ZERO, code_hash: keccak256(&code) };
        let change = AccountChange { account: Some(account), code: Some(code), ..AccountChange::default() };
        self.apply(&[(address, change)].into());
    }

    fn apply(&mut self, changes: &StateChanges) {
        state::apply(&mut self.batch, self.height, changes).unwrap();
        self.height += 1;
    }

    fn state(&self) -> LatestState<&Batch> {
        LatestState::new(&self.batch)
    }

    fn balance(&self, address: Address) -> U256 {
        self.state().account(address).unwrap().map_or(U256::ZERO, |account| account.balance)
    }

    fn nonce(&self, address: Address) -> u64 {
        self.state().account(address).unwrap().map_or(0, |account| account.nonce)
    }

    fn slot(&self, address: Address, slot: u64) -> U256 {
        self.state().storage(address, U256::from(slot)).unwrap()
    }

    /// Block 1, with a base fee of 1 gwei.
    fn header(&self) -> Header {
        Header {
            number: 1,
            timestamp: self.chain.head.timestamp + 1,
            beneficiary: Address::repeat_byte(0xbe),
            parent_hash: self.chain.head.hash(),
            parent_beacon_block_root: Some(B256::repeat_byte(0x48)),
            gas_limit: 30_000_000,
            base_fee_per_gas: Some(GWEI as u64),
            excess_blob_gas: Some(0),
            blob_gas_used: Some(0),
            ..Header::default()
        }
    }

    fn context<'a>(&self, header: &'a Header, mint: &'a Withdrawals) -> BlockContext<'a> {
        BlockContext { chain_id: self.chain.spec.chain_id, header, mint }
    }

    /// Runs a block of these transactions.
    fn execute(&self, transactions: &[Transaction]) -> Result<Executed, ExecutionError> {
        let (header, withdrawals) = (self.header(), Withdrawals::default());
        execute(&self.context(&header, &withdrawals), transactions, World::new(&self.state(), &self.batch))
    }

    /// Runs a block that must be good, and keeps what it changed.
    fn run(&mut self, transactions: &[Transaction]) -> Executed {
        let executed = self.execute(transactions).unwrap();
        self.apply(&executed.changes);
        executed
    }
}
