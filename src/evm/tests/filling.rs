//! What a new block takes, leaves and rejects.

use super::*;
use crate::testing::{Tx, account};
use alloy_consensus::transaction::TxHashRef;
use alloy_eips::eip2718::Encodable2718;

const PLENTY: Limits = Limits { transactions: 1_000, bytes: 1 << 20 };

fn fill_with(fixture: &Fixture, limits: Limits, candidates: Vec<Transaction>) -> Filled {
    let (header, withdrawals) = (fixture.header(), Withdrawals::default());
    let world_state = fixture.state();
    let world = World::new(&world_state, &fixture.batch);
    fill(&fixture.context(&header, &withdrawals), limits, candidates, world).unwrap()
}

/// (sender, nonce) of what was taken.
fn taken(filled: &Filled) -> Vec<(Address, u64)> {
    use alloy_consensus::Transaction as _;
    filled.transactions.iter().map(|transaction| (transaction.signer(), transaction.nonce())).collect()
}

fn rejected(filled: &Filled) -> Vec<B256> {
    filled.rejected.iter().map(|rejected| rejected.hash).collect()
}

#[test]
fn a_filled_block_runs_again_to_the_same_result() {
    let fixture = Fixture::with_code(STORE);
    let filled = fill_with(&fixture, PLENTY, vec![Tx::call(CONTRACT, []).sign(2), Tx::default().sign(3)]);
    let again = fixture.execute(&filled.transactions).unwrap();
    assert_eq!(filled.executed.changes, again.changes);
    assert_eq!(filled.executed.receipts, again.receipts);
    assert_eq!(filled.executed.gas_used, again.gas_used);
}

#[test]
fn what_never_can_run_is_rejected_and_the_next_still_taken() {
    let fixture = Fixture::new();
    let poor = Tx::default().sign(99);
    let short = Tx { gas_limit: 20_000, ..Tx::default() }.sign(4);
    let huge = Tx { gas_limit: 30_000_001, ..Tx::default() }.sign(5);
    let used = Tx::default().sign(2);
    let candidates = vec![
        poor.clone(),
        used.clone(),
        used.clone(),
        Tx::default().nonce(1).sign(2),
        short.clone(),
        huge.clone(),
        Tx::default().sign(3),
    ];
    let filled = fill_with(&fixture, PLENTY, candidates);
    assert_eq!(taken(&filled), [(account(2), 0), (account(2), 1), (account(3), 0)]);
    assert_eq!(rejected(&filled), [&poor, &used, &short, &huge].map(|transaction| *transaction.tx_hash()));
}

#[test]
fn what_may_run_later_is_left_where_it_is() {
    let fixture = Fixture::new();
    let cheap = Tx { max_fee: GWEI - 1, tip: 0, ..Tx::default() };
    let filled =
        fill_with(&fixture, PLENTY, vec![Tx::default().nonce(1).sign(2), cheap.sign(3), Tx::default().sign(4)]);
    assert_eq!(taken(&filled), [(account(4), 0)]);
    assert_eq!(filled.rejected, []);
}

#[test]
fn a_long_queue_behind_a_gap_does_not_keep_others_out() {
    let fixture = Fixture::new();
    let mut candidates: Vec<_> = (1..=200).map(|nonce| Tx::default().nonce(nonce).sign(2)).collect();
    candidates.push(Tx::default().sign(3));
    assert_eq!(taken(&fill_with(&fixture, PLENTY, candidates)), [(account(3), 0)]);
}

#[test]
fn the_number_of_transactions_is_a_limit() {
    let fixture = Fixture::new();
    let candidates = (0..5).map(|nonce| Tx::default().nonce(nonce).sign(2)).collect();
    let filled = fill_with(&fixture, Limits { transactions: 3, ..PLENTY }, candidates);
    assert_eq!(filled.transactions.len(), 3);
}

#[test]
fn the_bytes_are_a_limit_and_smaller_ones_still_fit() {
    let fixture = Fixture::new();
    let large = |signer| Tx::call(OTHER, vec![0; 1_000]).sign(signer);
    let bytes = large(2).encode_2718_len() as u64 + 4;
    let candidates = vec![large(2), large(3), Tx::default().nonce(1).sign(3), Tx::default().sign(4)];
    let filled = fill_with(&fixture, Limits { bytes: bytes + 200, ..PLENTY }, candidates);
    assert_eq!(taken(&filled), [(account(2), 0), (account(4), 0)]);
    assert_eq!(filled.rejected, []);
}

#[test]
fn the_gas_is_a_limit_and_what_was_not_used_is_free_again() {
    let fixture = Fixture::with_code(LOOP);
    let limited = |to, signer| Tx { gas_limit: 16_000_000, ..Tx::call(to, []) }.sign(signer);
    // The first uses all of its limit, the second would pass the block's, the third needs little.
    let filled = fill_with(&fixture, PLENTY, vec![limited(CONTRACT, 2), limited(CONTRACT, 3), Tx::default().sign(4)]);
    assert_eq!(taken(&filled), [(account(2), 0), (account(4), 0)]);
    assert_eq!(filled.executed.gas_used, 16_021_000);
    // Both fit where the first uses little.
    let filled = fill_with(&fixture, PLENTY, vec![limited(OTHER, 2), limited(OTHER, 3)]);
    assert_eq!(filled.transactions.len(), 2);
}

#[test]
fn money_spent_earlier_in_the_block_is_missed_later_in_it() {
    let fixture = Fixture::new();
    let all = fixture.balance(account(2)) - U256::from(21_000 * 3 * GWEI);
    let second = Tx::default().nonce(1).sign(2);
    let filled = fill_with(&fixture, PLENTY, vec![Tx { value: all, ..Tx::default() }.sign(2), second.clone()]);
    assert_eq!(taken(&filled), [(account(2), 0)]);
    assert_eq!(rejected(&filled), [*second.tx_hash()]);
}
