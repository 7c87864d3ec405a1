//! The room over real stores, with transactions that are really signed.

mod agreement;
mod genesis;
mod judging;
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
