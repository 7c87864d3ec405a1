//! The room over real stores, with transactions that are really signed.

mod agreement;
mod bodies;
mod check;
mod genesis;
mod headers;
mod sizes;

use super::*;
use crate::{
    state::LatestState,
    testing::{GWEI, TestChain, Tx, account},
};
use alloy_primitives::{Address, B256, Bytes, U256};
use lucid_types::Rules;

/// Logs its two words of input as topics.
const LOG: &[u8] = &[0x60, 0x20, 0x35, 0x5f, 0x35, 0x5f, 0x5f, 0xa2, 0x00];
/// Writes the second word of its input into the slot that the first one names.
const STORE: &[u8] = &[0x60, 0x20, 0x35, 0x5f, 0x35, 0x55, 0x00];

/// Two words of input.
fn words(a: u64, b: u64) -> Bytes {
    [B256::from(U256::from(a)), B256::from(U256::from(b))].concat().into()
}

/// A chain whose first block created [`LOG`] and [`STORE`]; gives their addresses.
fn chain_with_contracts() -> (TestChain, Address, Address) {
    let mut chain = TestChain::new(Rules::Dev);
    chain.advance(vec![Tx::create(LOG).sign(8), Tx::create(STORE).nonce(1).sign(8)]);
    (chain, account(8).create(0), account(8).create(1))
}

/// A chain and a valid block on top of it, with a transfer and a log.
fn chain_and_block(rules: Rules) -> (TestChain, RecoveredBlock) {
    let mut chain = TestChain::new(rules);
    chain.advance(vec![Tx::create(LOG).sign(8)]);
    let log = Tx::call(account(8).create(0), words(1, 2)).sign(3);
    let block = chain.build([Tx::default().sign(2), log]).block;
    (chain, block)
}

fn invalid(chain: &TestChain, block: &RecoveredBlock) -> Invalid {
    match chain.judge(block) {
        Err(ChainError::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    }
}

/// The field that the verdict names.
fn field(chain: &TestChain, block: &RecoveredBlock) -> &'static str {
    match invalid(chain, block) {
        Invalid::Field { field, found, expected } => {
            assert_ne!(found, expected);
            field
        }
        Invalid::Timestamp { .. } => "timestamp",
        Invalid::ExtraData(_) => "extraData",
        other => panic!("{other}"),
    }
}
