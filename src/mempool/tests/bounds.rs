//! Whose place is taken when there is none left.

use super::*;

#[test]
fn a_replacement_pays_a_tenth_more_in_fee_and_in_tip() {
    let mut fixture = Fixture::new();
    let offer = |max_fee, tip| Tx { max_fee, tip, ..Tx::default() };
    let first = fixture.add(&offer(10 * GWEI, 2 * GWEI).sign(2)).unwrap();
    for (max_fee, tip) in [(11 * GWEI - 1, 9 * GWEI), (20 * GWEI, 2_200_000_000 - 1), (10 * GWEI, 3 * GWEI)] {
        assert_eq!(fixture.refusal(offer(max_fee, tip), 2), "replacement transaction underpriced");
    }
    let second = fixture.add(&offer(11 * GWEI, 2_200_000_000).sign(2)).unwrap();
    assert!(fixture.pool.get(&first).is_none());
    assert_eq!(fixture.pool.get(&second).map(TxHashRef::tx_hash), Some(&second));
    assert_eq!(fixture.pool.len(), 1);
    // A legacy price counts as both.
    let legacy = |price| Tx { form: Form::Legacy, max_fee: price, ..Tx::default() };
    assert_eq!(fixture.refusal(legacy(12 * GWEI), 2), "replacement transaction underpriced");
    fixture.add(&legacy(12_100_000_000).sign(2)).unwrap();
}

#[test]
fn a_sender_has_only_so_many_places() {
    let limits = PoolLimits { sender_transactions: 3, ..PoolLimits::default() };
    let mut fixture = Fixture::with_limits(limits);
    for nonce in 0..3 {
        fixture.add(&Tx::default().nonce(nonce).sign(2)).unwrap();
    }
    assert_eq!(fixture.refusal(Tx::default().nonce(3), 2), "nonce too high: next nonce 0, tx nonce 3");
    // With the nonces on chain moved, the distance is kept and the number still counts.
    fixture.accounts.set(2, 1, BALANCE);
    let text = "account limit exceeded: 3 transactions of this account wait already";
    assert_eq!(fixture.refusal(Tx::default().nonce(3), 2), text);
    fixture.update();
    fixture.add(&Tx::default().nonce(3).sign(2)).unwrap();
    fixture.add(&Tx::default().sign(3)).unwrap();
}

#[test]
fn a_full_pool_makes_room_only_for_what_pays_more_than_a_last_one() {
    let mut fixture = Fixture::with_limits(PoolLimits { transactions: 4, ..PoolLimits::default() });
    for (signer, nonce, gwei) in [(2, 0, 1), (2, 1, 5), (3, 0, 2), (4, 0, 2)] {
        fixture.add(&tip(gwei).nonce(nonce).sign(signer)).unwrap();
    }
    assert_eq!(fixture.refusal(tip(2), 5), "txpool is full");
    // Of the two that pay 2 the later one goes. The cheapest of all is no sender's last.
    fixture.add(&tip(3).sign(5)).unwrap();
    assert_eq!(fixture.best(), [(5, 0), (3, 0), (2, 0), (2, 1)]);
    fixture.add(&tip(6).sign(6)).unwrap();
    fixture.add(&tip(6).sign(7)).unwrap();
    assert_eq!(fixture.best(), [(6, 0), (7, 0), (2, 0), (2, 1)]);
    fixture.add(&tip(6).sign(8)).unwrap();
    fixture.add(&tip(6).sign(9)).unwrap();
    assert_eq!(fixture.best(), [(6, 0), (7, 0), (8, 0), (9, 0)]);
    // Nobody pushes out himself; a replacement needs no room.
    assert_eq!(fixture.refusal(tip(6), 2), "txpool is full");
    fixture.add(&tip(9).sign(6)).unwrap();
    assert_eq!(fixture.pool.len(), 4);
}

#[test]
fn nobody_fills_the_pool_for_good_with_fees_that_are_never_paid() {
    let mut fixture = Fixture::with_limits(PoolLimits { transactions: 4, ..PoolLimits::default() });
    for (signer, nonce) in [(2, 1), (2, 2), (3, 7)] {
        fixture.add(&tip(90).nonce(nonce).sign(signer)).unwrap();
    }
    fixture.add(&tip(80).sign(4)).unwrap();
    // Behind a gap itself, it has no better right than the others.
    assert_eq!(fixture.refusal(tip(1).nonce(1), 5), "txpool is full");
    for (nonce, signer) in [(0, 5), (1, 5), (0, 6)] {
        fixture.add(&tip(1).nonce(nonce).sign(signer)).unwrap();
    }
    assert_eq!(fixture.best(), [(4, 0), (5, 0), (5, 1), (6, 0)]);
    // Now all of them are ready, and the fee decides.
    assert_eq!(fixture.refusal(tip(1), 7), "txpool is full");
}

#[test]
fn a_full_pool_is_full_for_its_own_last_ones_too() {
    let mut fixture = Fixture::with_limits(PoolLimits { transactions: 2, ..PoolLimits::default() });
    fixture.add(&tip(1).sign(2)).unwrap();
    fixture.add(&tip(1).nonce(1).sign(2)).unwrap();
    assert_eq!(fixture.refusal(tip(9).nonce(2), 2), "txpool is full");
}

#[test]
fn bytes_are_bounded_for_new_ones_and_for_replacements() {
    let mut fixture = Fixture::with_limits(PoolLimits { bytes: 3_000, ..PoolLimits::default() });
    let sized = |bytes, gwei| Tx { gas_limit: 200_000, input: vec![0; bytes].into(), ..tip(gwei) };
    fixture.add(&sized(1_000, 1).sign(2)).unwrap();
    fixture.add(&sized(1_000, 2).sign(3)).unwrap();
    assert_eq!(fixture.refusal(sized(1_500, 1), 4), "txpool is full");
    assert_eq!(fixture.refusal(sized(5_000, 9), 4), "txpool is full");
    assert_eq!(fixture.best(), [(3, 0), (2, 0)], "a refusal pushed others out");
    // A larger replacement pushes others out as a new one would, or is refused.
    fixture.add(&sized(2_500, 9).sign(3)).unwrap();
    assert_eq!(fixture.best(), [(3, 0)]);
    assert_eq!(fixture.refusal(sized(3_000, 20), 3), "txpool is full");
    assert_eq!(fixture.pool.len(), 1);
}
